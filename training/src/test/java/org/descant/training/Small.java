package org.descant.training;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.Section;
import org.descant.database.Database;
import org.descant.models.codec.CodecConfig;
import org.descant.models.flow.FlowConfig;
import org.descant.models.lm.TokenLmConfig;
import org.descant.rights.Agreement;
import org.descant.rights.Clearance;
import org.descant.rights.Contributor;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.descant.training.loop.Guard;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Schedule;
import org.descant.training.recipe.Recipe;

/** A dataset and a recipe that train in seconds. */
public final class Small {
  static final int RECORDINGS = 5;
  private static final double SECONDS = 6;

  /** The files of the dataset by their names, once it was made. */
  private static final Map<String, byte[]> FILES = new TreeMap<>();

  private Small() {}

  /** Five recordings of six seconds, cleared by a real gate; one of them without annotations. */
  public static synchronized Path dataset(Path folder) {
    try {
      if (FILES.isEmpty()) {
        made(folder);
        try (var files = Files.walk(folder)) {
          for (Path file : files.filter(Files::isRegularFile).toList()) {
            FILES.put(folder.relativize(file).toString(), Files.readAllBytes(file));
          }
        }
      } else {
        for (Map.Entry<String, byte[]> file : FILES.entrySet()) {
          Path path = folder.resolve(file.getKey());
          Files.createDirectories(path.getParent());
          Files.write(path, file.getValue());
        }
      }
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void made(Path folder) {
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      rights.register(new Party("p", "Somebody", true, null));
      rights.record(Agreement.publicDomain("pd", "p", Scope.ALL, LocalDate.of(2020, 1, 1)));
      var sources = new ArrayList<DatasetSource>();
      for (int n = 1; n <= RECORDINGS; n++) {
        Pcm pcm = melody(n);
        register(rights, n, pcm);
        sources.add(
            new DatasetSource(
                rights
                    .clearance()
                    .clear(Use.TRAIN, isrc(n), DecisionContext.at(LocalDate.of(2026, 6, 1)))
                    .orElseThrow(),
                pcm,
                n == 2 ? null : truth(pcm.seconds()),
                "Artist " + n,
                List.of("test", "tones"),
                "a few tones"));
      }
      DatasetWriter.write(folder, "small", Use.TRAIN, sources, List.of(), rights.clearance());
    }
  }

  /** Removes what runs have coded beside a dataset's sound, so that the next run codes again. */
  static void forgetFields(Path dataset) {
    Path folder = dataset.resolve("fields");
    if (!Files.isDirectory(folder)) {
      return;
    }
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Isrc isrc(int n) {
    return Isrc.of("QZTST26%05d".formatted(n));
  }

  /** What a gate says that knows the recordings and no licence for them. */
  static Decision refusal(String isrc) {
    return Unlicensed.GATE.decide(
        Use.TRAIN, Isrc.of(isrc), DecisionContext.at(LocalDate.of(2026, 6, 1)));
  }

  /** Opened by the first who asks, and there until the process ends. */
  private static final class Unlicensed {
    static final Clearance GATE = gate();

    private static Clearance gate() {
      Rights rights = Rights.open(Database.temporary());
      rights.register(new Party("p", "Somebody", true, null));
      for (int n = 1; n <= RECORDINGS; n++) {
        register(rights, n, melody(n));
      }
      return rights.clearance();
    }
  }

  private static void register(Rights rights, int n, Pcm pcm) {
    rights.register(
        new Work(
            "w" + n,
            "Song " + n,
            List.of(new Contributor("p", "Composer")),
            List.of(Share.publishing("p", Share.WHOLE))));
    rights.register(
        new Recording(
            isrc(n),
            "Song " + n,
            "Artist " + n,
            pcm.seconds(),
            pcm.hash(),
            List.of("w" + n),
            List.of(new Contributor("p", "MainArtist")),
            List.of(Share.master("p", Share.WHOLE)),
            null));
  }

  /** A tone on every half second, panned by chance, on the 16-bit grid. */
  static Pcm melody(int seed) {
    var random = new SplittableRandom(seed);
    int rate = 44_100;
    int frames = (int) (SECONDS * rate);
    float[][] channels = new float[2][frames];
    int beat = rate / 2;
    for (int start = 0; start + beat <= frames; start += beat) {
      double hz = 220 * Math.pow(2, random.nextInt(24) / 12.0);
      double pan = random.nextDouble();
      for (int i = 0; i < beat; i++) {
        double value = 0.4 * Math.sin(2 * Math.PI * hz * i / rate) * Math.exp(-6.0 * i / beat);
        channels[0][start + i] = Math.round(value * pan * 32767) / 32768f;
        channels[1][start + i] = Math.round(value * (1 - pan) * 32767) / 32768f;
      }
    }
    return new Pcm(channels, rate);
  }

  public static MusicAnnotations truth(double seconds) {
    var beats = new ArrayList<Beat>();
    for (int i = 0; i * 0.5 < seconds; i++) {
      beats.add(new Beat(i * 0.5, i % 4 + 1));
    }
    return new MusicAnnotations(
        seconds,
        120,
        MusicalKey.parse("A minor"),
        beats,
        List.of(new ChordSpan(0, 2, "A:min"), new ChordSpan(2, seconds, "Bb:maj7/3")),
        List.of(new Section(0, seconds, "verse")));
  }

  /** Twenty steps of each stage, one thread, everything small. */
  static Recipe recipe() {
    return new Recipe(
        "small",
        40,
        3,
        2,
        1,
        "fp32",
        1,
        1,
        1,
        new Recipe.Checkpoint(7, 2),
        Guard.Options.DEFAULT,
        new Recipe.Codec(
            0.5,
            2,
            1,
            16,
            1e-3,
            3,
            0.01,
            1.0,
            6,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(0.99),
            new CodecConfig(16, 1, 1, 2, 8, 2, 16, 4, 2)),
        new Recipe.Augment(2, -2, 2, 0.9, 1.1),
        new Recipe.Lm(
            32,
            2e-3,
            3,
            0.05,
            1.0,
            0.1,
            0.75,
            0.5,
            0.02,
            0,
            0.9,
            0.9,
            5,
            3,
            false,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(0.95),
            new TokenLmConfig(32, 1, 2, 2, 48, 2, 16, 16, 64)));
  }

  /** The same with a flow model. */
  public static Recipe flowRecipe() {
    Recipe like = recipe();
    return new Recipe(
        "small-flow",
        like.steps(),
        like.seed(),
        like.batch(),
        like.accumulate(),
        like.precision(),
        like.threads(),
        like.heldOut(),
        like.logEvery(),
        like.checkpoint(),
        like.guard(),
        like.codec(),
        like.augment(),
        null,
        new Recipe.Flow(
            32,
            2e-3,
            3,
            0.01,
            1.0,
            0.1,
            0.5,
            0.75,
            0.9,
            5,
            3,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(0.95),
            new FlowConfig(32, 1, 2, 48, 8, 16, 32)));
  }

  /** The recipe of that name. */
  static Recipe named(String name) {
    return name.equals("small-flow") ? flowRecipe() : recipe();
  }
}
