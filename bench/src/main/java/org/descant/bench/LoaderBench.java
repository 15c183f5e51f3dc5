package org.descant.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.descant.audio.AudioSlices;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.database.Database;
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
import org.descant.shards.Clip;
import org.descant.shards.ClipPlan;
import org.descant.shards.Dataset;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.descant.shards.Loader;
import org.descant.shards.Packing;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Random excerpts as training reads them: {@code LoaderBench [--rounds N] [--peer PYTHON] [--out
 * FOLDER]}. It makes music of its own, packs it as shards and writes the same sound as WAV and FLAC
 * files, measures our readers and, through {@code bench/peers/loader.py}, Python's on those files,
 * and prints each as a multiple of real time with the ratio.
 *
 * <p>A figure is the best of several rounds, by the processor time of the whole process, compiler
 * and collector included, so that neighbours on the machine take nothing away. All read from the
 * page cache with one thread.
 */
public final class LoaderBench {
  private static final int RECORDINGS = 4;
  private static final int SECONDS = 90;
  private static final int CLIP_SECONDS = 10;
  private static final int RATE = DatasetWriter.SAMPLE_RATE;
  private static final long SEED = 2026;
  private static final long ROUND_NANOS = 400_000_000;
  private static final int PEER_MINUTES_MAX = 15;

  private final Path folder;
  private final int rounds;
  private final Map<String, Double> ours = new LinkedHashMap<>();

  private LoaderBench(Path folder, int rounds) {
    this.folder = folder;
    this.rounds = rounds;
  }

  /** Runs it; see the class. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    int rounds = 8;
    String peer = "";
    Path out = Files.createTempDirectory("loader-bench");
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      switch (arguments[i]) {
        case "--rounds" -> rounds = Integer.parseInt(arguments[i + 1]);
        case "--peer" -> peer = arguments[i + 1];
        case "--out" -> out = Files.createDirectories(Path.of(arguments[i + 1]));
        default -> throw new IllegalArgumentException("unknown option " + arguments[i]);
      }
    }
    Path folder = Files.createTempDirectory(out, "music");
    try {
      var bench = new LoaderBench(folder, rounds);
      bench.prepare();
      bench.measure();
      bench.print(peer.isEmpty() ? null : bench.peer(peer));
    } finally {
      try (Stream<Path> tree = Files.walk(folder)) {
        for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }

  private void prepare() {
    var sounds = new ArrayList<Pcm>();
    for (int i = 0; i < RECORDINGS; i++) {
      sounds.add(music(2, SECONDS, RATE, i));
      AudioWriter.wav16(sounds.get(i), folder.resolve("stereo-%d.wav".formatted(i)));
      AudioWriter.flac(sounds.get(i), folder.resolve("stereo-%d.flac".formatted(i)));
      AudioWriter.wav16(music(1, 60, 16_000, 10 + i), folder.resolve("mono-%d.wav".formatted(i)));
    }
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      List<DatasetSource> sources = new ArrayList<>();
      for (int i = 0; i < RECORDINGS; i++) {
        sources.add(source(rights, i, sounds.get(i)));
      }
      for (Packing packing : Packing.values()) {
        DatasetWriter.write(
            folder.resolve(packing.name()),
            "bench",
            Use.TRAIN,
            sources,
            List.of(),
            rights.clearance(),
            packing);
      }
    }
  }

  /** Notes that decay, and a little noise: about as hard for FLAC as an acoustic recording. */
  private static Pcm music(int channels, int seconds, int rate, long seed) {
    var random = new SplittableRandom(SEED + seed);
    int frames = seconds * rate;
    float[][] planar = new float[channels][frames];
    for (int voice = 0; voice < 8; voice++) {
      double pan = random.nextDouble(0.2, 0.8);
      int length = (int) (rate * random.nextDouble(0.25, 1));
      for (int from = 0; from < frames; from += length) {
        double step = 2 * Math.PI * 110 * Math.pow(2, random.nextInt(36) / 12.0) / rate;
        for (int i = from; i < Math.min(frames, from + length); i++) {
          double age = (i - from) / (double) rate;
          double value =
              0.12 * Math.exp(-3 * age) * (Math.sin(step * i) + 0.4 * Math.sin(2 * step * i));
          planar[0][i] += (float) (value * pan);
          planar[channels - 1][i] += (float) (channels == 1 ? 0 : value * (1 - pan));
        }
      }
    }
    for (float[] channel : planar) {
      for (int i = 0; i < frames; i++) {
        float sample = channel[i] + (float) (0.002 * random.nextDouble(-1, 1));
        channel[i] = Math.round(sample * 32768f) / 32768f;
      }
    }
    return new Pcm(planar, rate);
  }

  private static DatasetSource source(Rights rights, int number, Pcm sound) {
    String party = "party-" + number;
    Isrc isrc = Isrc.of("ZZBNC26%05d".formatted(number));
    rights.register(new Party(party, "Artist " + number, true, null));
    rights.register(
        new Work(
            "work-" + number,
            "Piece " + number,
            List.of(new Contributor(party, "Composer")),
            List.of(Share.publishing(party, Share.WHOLE))));
    rights.register(
        new Recording(
            isrc,
            "Piece " + number,
            "Artist " + number,
            sound.seconds(),
            sound.hash(),
            List.of("work-" + number),
            List.of(new Contributor(party, "MainArtist")),
            List.of(Share.master(party, Share.WHOLE)),
            null));
    for (Scope scope : List.of(Scope.of(isrc), Scope.ofWork("work-" + number))) {
      rights.record(
          Agreement.licence(
              "licence-" + number + "-" + scope,
              party,
              EnumSet.of(Use.TRAIN),
              scope,
              LocalDate.of(2026, 1, 1),
              null));
    }
    return new DatasetSource(
        rights
            .clearance()
            .clear(Use.TRAIN, isrc, DecisionContext.at(LocalDate.of(2026, 6, 1)))
            .orElseThrow(),
        sound,
        null,
        "Artist " + number,
        List.of(),
        "");
  }

  /** One round: reads some clips and returns the seconds of sound they hold. */
  private interface Round {
    double run(SplittableRandom random);
  }

  private void best(String name, Round round) {
    var random = new SplittableRandom(SEED);
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    double best = 0;
    for (int i = 0; i < rounds; i++) {
      // The system counts a process's time in hundredths of a second.
      long begin = system.getProcessCpuTime();
      double seconds = 0;
      long spent = 0;
      while (spent < ROUND_NANOS) {
        seconds += round.run(random);
        spent = system.getProcessCpuTime() - begin;
      }
      best = Math.max(best, seconds * 1e9 / spent);
    }
    ours.put(name, best);
  }

  private void measure() {
    int frames = CLIP_SECONDS * RATE;
    float[][] reused = new float[2][frames];
    for (Packing packing : Packing.values()) {
      try (Dataset dataset = Dataset.open(folder.resolve(packing.name()))) {
        int clips = packing == Packing.FLAC ? 16 : 80;
        best(
            packing + " shard, 10 s stereo, new arrays",
            random -> {
              for (int i = 0; i < clips; i++) {
                int recording = random.nextInt(dataset.size());
                dataset.read(recording, random.nextInt(dataset.frames(recording) - frames), frames);
              }
              return (double) clips * CLIP_SECONDS;
            });
        best(
            packing + " shard, 10 s stereo, arrays used again",
            random -> {
              for (int i = 0; i < clips; i++) {
                int recording = random.nextInt(dataset.size());
                int from = random.nextInt(dataset.frames(recording) - frames);
                dataset.read(recording, from, frames, reused, 0);
              }
              return (double) clips * CLIP_SECONDS;
            });
        try (Loader<Clip> loader =
            Loader.start(
                dataset, ClipPlan.of(dataset, SEED, frames), new Loader.Options(8, 1, 0, 1, 16))) {
          best(
              packing + " shard, Loader, shuffled batches of 8",
              _ -> {
                double seconds = 0;
                for (int i = 0; i < Math.max(1, clips / 8); i++) {
                  seconds += loader.next().size() * CLIP_SECONDS;
                }
                return seconds;
              });
        }
      }
    }
    files("WAV file, 10 s of 90 s stereo", "stereo-%d.wav", CLIP_SECONDS, 80);
    files("FLAC file, 10 s of 90 s stereo", "stereo-%d.flac", CLIP_SECONDS, 16);
    files("WAV file, 5 s of 60 s mono 16 kHz", "mono-%d.wav", 5, 1_000);
  }

  private void files(String name, String pattern, int seconds, int clips) {
    List<AudioSlices> files = new ArrayList<>();
    try {
      for (int i = 0; i < RECORDINGS; i++) {
        files.add(AudioSlices.open(folder.resolve(pattern.formatted(i))));
      }
      best(
          name,
          random -> {
            for (int i = 0; i < clips; i++) {
              AudioSlices file = files.get(random.nextInt(RECORDINGS));
              int frames = seconds * file.sampleRate();
              file.read(random.nextInt((int) file.frames() - frames), frames);
            }
            return (double) clips * seconds;
          });
    } finally {
      files.forEach(AudioSlices::close);
    }
  }

  private JsonNode peer(String python) throws IOException, InterruptedException {
    var builder =
        new ProcessBuilder(
            python,
            Path.of("bench", "peers", "loader.py").toString(),
            folder.toString(),
            Integer.toString(rounds));
    builder.environment().put("OMP_NUM_THREADS", "1");
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    Process process = builder.start();
    byte[] answer = process.getInputStream().readAllBytes();
    if (!process.waitFor(PEER_MINUTES_MAX, TimeUnit.MINUTES) || process.exitValue() != 0) {
      process.destroyForcibly();
      throw new IOException("the peer failed; it needs soundfile");
    }
    return JsonMapper.builder().build().readTree(answer);
  }

  private void print(@Nullable JsonNode peers) throws IOException {
    double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    double smaller =
        (double) Files.size(folder.resolve("FLAC/shard-00000.dsc"))
            / Files.size(folder.resolve("PCM16/shard-00000.dsc"));
    System.out.printf(
        Locale.ROOT,
        "load %.2f; times real time per core, best of %d; the FLAC shard has %.2f of the PCM"
            + " shard's bytes%n",
        load,
        rounds,
        smaller);
    ours.forEach((name, speed) -> {
      System.out.printf(Locale.ROOT, "%-52s %10.0f%n", name, speed);
      if (peers != null) {
        String kind = kind(name);
        for (Map.Entry<String, JsonNode> peer : peers.path(kind).properties()) {
          double theirs = peer.getValue().asDouble();
          System.out.printf(
              Locale.ROOT,
              "    %-48s %10.0f   ours/theirs %.2f%n",
              peer.getKey(),
              theirs,
              speed / theirs);
        }
      }
    });
    if (peers != null) {
      for (JsonNode missing : peers.path("missing")) {
        System.out.println("not measured: " + missing.asString());
      }
    }
  }

  /** Which of the peers' figures a figure of ours stands beside. */
  private static String kind(String name) {
    if (name.contains("mono")) {
      return "mono";
    }
    String form = name.startsWith("FLAC") ? "flac" : "wav";
    return name.contains("Loader") ? form + "-shuffled" : form;
  }
}
