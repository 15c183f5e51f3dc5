package org.descant.evaluation;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.Section;
import org.descant.database.Database;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.rights.Agreement;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.shards.Dataset;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;

/** A dataset and models that are made in seconds. */
public final class Small {
  static final int BOOKS = 2;
  static final int SIZE = 16;
  static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, BOOKS, SIZE, 4, 2);
  static final TokenLmConfig LM =
      new TokenLmConfig(32, 1, 2, 2, 48, BOOKS, SIZE, 16, 160).with(false, true);

  private Small() {}

  /** Recordings of four seconds, cleared by a real gate. */
  public static Path dataset(Path folder, int recordings, int firstSeed) {
    try (Database database = Database.temporary()) {
      return dataset(Rights.open(database), folder, recordings, firstSeed);
    }
  }

  /** The same by the gate of a database that stays. */
  public static Path dataset(Rights rights, Path folder, int recordings, int firstSeed) {
    rights.register(new Party("p", "Somebody", true, null));
    rights.record(Agreement.publicDomain("pd", "p", Scope.ALL, LocalDate.of(2020, 1, 1)));
    List<DatasetSource> sources = new ArrayList<>();
    for (int n = 1; n <= recordings; n++) {
      Pcm pcm = melody(firstSeed + n, 4);
      Isrc isrc = Isrc.of("QZTST26%05d".formatted(n));
      rights.register(
          new Work(
              "w" + n,
              "Song " + n,
              List.of(new Contributor("p", "Composer")),
              List.of(Share.publishing("p", Share.WHOLE))));
      rights.register(
          new Recording(
              isrc,
              "Song " + n,
              "Artist " + n,
              pcm.seconds(),
              pcm.hash(),
              List.of("w" + n),
              List.of(new Contributor("p", "MainArtist")),
              List.of(Share.master("p", Share.WHOLE)),
              null));
      sources.add(
          new DatasetSource(
              rights
                  .clearance()
                  .clear(Use.TRAIN, isrc, DecisionContext.at(LocalDate.of(2026, 6, 1)))
                  .orElseThrow(),
              pcm,
              truth(pcm.seconds()),
              "Artist " + n,
              List.of("tones"),
              ""));
    }
    DatasetWriter.write(folder, "small", Use.TRAIN, sources, List.of(), rights.clearance());
    return folder;
  }

  private static MusicAnnotations truth(double seconds) {
    List<Beat> beats = new ArrayList<>();
    for (int i = 0; i * 0.5 < seconds; i++) {
      beats.add(new Beat(i * 0.5, i % 4 + 1));
    }
    return new MusicAnnotations(
        seconds,
        120,
        MusicalKey.parse("A minor"),
        beats,
        List.of(new ChordSpan(0, seconds, "A:min")),
        List.of(new Section(0, seconds, "verse")));
  }

  static Pcm melody(int seed, int seconds) {
    SplittableRandom random = new SplittableRandom(seed);
    int rate = 44_100;
    float[] samples = new float[seconds * rate];
    int beat = rate / 4;
    for (int start = 0; start + beat <= samples.length; start += beat) {
      double hertz = 110 * Math.pow(2, random.nextInt(36) / 12.0);
      for (int i = 0; i < beat; i++) {
        double value = 0.4 * Math.sin(2 * Math.PI * hertz * i / rate) * Math.exp(-6.0 * i / beat);
        samples[start + i] = Math.round(value * 32767) / 32768f;
      }
    }
    return new Pcm(new float[][] {samples}, rate);
  }

  /** A model of random weights whose card lists the dataset's recordings, the last one held out. */
  public static ModelCard model(Path folder, Dataset dataset, long seed) {
    List<ModelCard.TrainedOn> recordings = new ArrayList<>();
    for (int i = dataset.size() - 1; i >= 0; i--) {
      recordings.add(
          new ModelCard.TrainedOn(
              dataset.isrc(i),
              "",
              dataset.artist(i),
              List.of("tones"),
              120,
              "A minor",
              i == dataset.size() - 1,
              List.of()));
    }
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, seed);
        TokenLm lm = TokenLm.create(LM, seed)) {
      ModelCard draft =
          new ModelCard(
              "",
              "small",
              "none",
              "small",
              "",
              dataset.manifest().root(),
              recordings,
              new TreeMap<>(),
              new TreeMap<>(),
              null,
              CODEC,
              LM);
      return HouseModel.save(folder, codec, lm, draft);
    }
  }

  /** Codes with a habit of their own: a few tokens, in runs. */
  static int[][] codes(int seed, int frames) {
    SplittableRandom habit = new SplittableRandom(seed);
    int[] favourites = habit.ints(5, 0, SIZE).toArray();
    int[][] codes = new int[BOOKS][frames];
    for (int[] book : codes) {
      int token = favourites[0];
      for (int t = 0; t < frames; t++) {
        token = habit.nextInt(3) == 0 ? favourites[habit.nextInt(5)] : token;
        book[t] = token;
      }
    }
    return codes;
  }
}
