package org.descant.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.evaluation.CodecEvaluation;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.ModelException;
import org.descant.models.codec.Codec;
import org.descant.models.codec.ConvolutionalCodecConfig;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.codec.DacCodec;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.shards.Dataset;
import org.descant.shards.ShardException;
import org.descant.tensor.NativeRuntime;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * The house codec beside a DAC-shaped one that was trained here on the same recordings, and beside
 * Opus, all on the same held-out excerpts: bit rate, mel distance, multi-scale STFT distance,
 * SI-SDR and decoding speed, for every number of codebooks. See {@code bench/run CodecPeerBench}.
 *
 * <p>The peer is {@link ConvolutionalCodecConfig#PEER}, of the house codec's size, frame rate and
 * bit rate, without adversarial training. With {@code --out} a cut training goes on where it was;
 * with {@code --wav} the originals and what each codec made of them are written for {@code
 * bench/peers/visqol_mos.py}.
 */
public final class CodecPeerBench {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  /** As {@code descant evaluate} measures. */
  private static final int EXCERPTS_EACH = 2;

  private static final double EXCERPT_SECONDS = 10;

  /** ViSQOL's audio mode hears this rate. */
  private static final int VISQOL_RATE = 48_000;

  private static final Set<String> NAMES =
      new TreeSet<>(
          List.of(
              "--dataset",
              "--model",
              "--budget",
              "--steps",
              "--held-out",
              "--seed",
              "--threads",
              "--batch",
              "--frames",
              "--rate",
              "--out",
              "--wav"));

  private record Options(
      Path dataset,
      @Nullable Path model,
      int heldOut,
      int threads,
      CodecPeerTraining.Settings settings,
      @Nullable Path out,
      @Nullable Path wav,
      boolean json) {}

  /**
   * A codec and its figures.
   *
   * @param parameters 0 for Opus
   * @param training what is known of it
   * @param encodeTimesRealTime on one core; 0 where it was not measured
   */
  record Entry(
      String name,
      long parameters,
      Map<String, Object> training,
      double encodeTimesRealTime,
      List<CodecEvaluation.Row> rows) {}

  private CodecPeerBench() {}

  /**
   * Runs: {@code --dataset FOLDER [--model FOLDER] [--budget SECONDS | --steps N] [--held-out N]
   * [--seed N] [--threads N] [--batch N] [--frames N] [--rate R] [--out FOLDER] [--wav FOLDER]
   * [--json]}.
   */
  public static void main(String[] arguments) throws IOException {
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var log = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    Options options;
    try {
      options = options(arguments);
    } catch (IllegalArgumentException e) {
      log.println("CodecPeerBench: " + e.getMessage());
      System.exit(2);
      return;
    }
    NativeRuntime.init(options.threads);
    Path chosen = options.out;
    Path folder = chosen != null ? chosen : Files.createTempDirectory("codec-peer");
    try (Dataset dataset = Dataset.open(options.dataset)) {
      new Session(options, dataset, folder, out, log).run();
    } catch (IllegalArgumentException | ModelException | ShardException e) {
      log.println("CodecPeerBench: " + e.getMessage());
      System.exit(2);
    } finally {
      if (chosen == null) {
        remove(folder);
      }
    }
  }

  private static void remove(Path folder) throws IOException {
    try (Stream<Path> tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  private static Options options(String[] arguments) {
    Map<String, String> given = new TreeMap<>();
    boolean json = false;
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("--json")) {
        json = true;
      } else if (NAMES.contains(arguments[i]) && i + 1 < arguments.length) {
        given.put(arguments[i], arguments[++i]);
      } else {
        throw new IllegalArgumentException(
            "%s is no option, or has no value; there are --json, %s"
                .formatted(arguments[i], String.join(", ", NAMES)));
      }
    }
    String dataset = given.get("--dataset");
    if (dataset == null) {
      throw new IllegalArgumentException(
          "name a dataset folder with --dataset; `descant dataset build` makes one");
    }
    return new Options(
        Path.of(dataset),
        path(given.get("--model")),
        whole(given, "--held-out", 3, 1),
        whole(given, "--threads", 1, 1),
        new CodecPeerTraining.Settings(
            ConvolutionalCodecConfig.PEER,
            whole(given, "--steps", 0, 0),
            number(given, "--budget", 600),
            whole(given, "--batch", 8, 1),
            whole(given, "--frames", 16, 2),
            number(given, "--rate", 1e-3),
            8,
            whole(given, "--seed", 1, 0)),
        path(given.get("--out")),
        path(given.get("--wav")),
        json);
  }

  private static @Nullable Path path(@Nullable String given) {
    return given == null ? null : Path.of(given);
  }

  private static int whole(Map<String, String> given, String name, int otherwise, int least) {
    double value = number(given, name, otherwise);
    if (value != Math.rint(value) || value < least || value > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "%s takes a whole number of at least %d, not %s".formatted(name, least, given.get(name)));
    }
    return (int) value;
  }

  private static double number(Map<String, String> given, String name, double otherwise) {
    String text = given.get(name);
    try {
      double value = text == null ? otherwise : Double.parseDouble(text);
      if (value >= 0 && Double.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new IllegalArgumentException("%s takes a number, not %s".formatted(name, text));
  }

  private static final class Session {
    private final Options options;
    private final Dataset dataset;
    private final Path folder;
    private final PrintStream out;
    private final PrintStream log;
    private final List<Integer> heldOut;
    private final List<Pcm> excerpts = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();

    Session(Options options, Dataset dataset, Path folder, PrintStream out, PrintStream log) {
      this.options = options;
      this.dataset = dataset;
      this.folder = folder;
      this.out = out;
      this.log = log;
      this.heldOut =
          dataset.heldOut(options.heldOut).stream().filter(i -> !dataset.withdrawn(i)).toList();
      if (heldOut.isEmpty()) {
        throw new IllegalArgumentException("every held-out recording was withdrawn");
      }
    }

    void run() throws IOException {
      Path model = options.model;
      if (model != null) {
        requireSameData(ModelCard.read(model));
      }
      var trained = new ArrayList<Integer>();
      for (int i = 0; i < dataset.size(); i++) {
        if (!heldOut.contains(i) && !dataset.withdrawn(i)) {
          trained.add(i);
        }
      }
      int rate = options.settings.model().sampleRate();
      for (int recording : heldOut) {
        Pcm sound = dataset.read(recording).mono().resampled(rate);
        int length = (int) Math.min(sound.frames(), EXCERPT_SECONDS * rate);
        for (int i = 0; i < EXCERPTS_EACH; i++) {
          int from = (int) ((i + 0.5) / EXCERPTS_EACH * (sound.frames() - length));
          excerpts.add(sound.slice(from, from + length));
        }
      }
      write("original", excerpts);
      peer(trained);
      if (model != null) {
        house(model);
      }
      opus();
      if (options.json) {
        out.print(JSON.writeValueAsString(document()) + "\n");
      } else {
        print();
      }
    }

    /** A comparison on music that one of the two was trained on would be none. */
    private void requireSameData(ModelCard card) {
      if (!card.datasetRoot().equals(dataset.manifest().root())) {
        throw new IllegalArgumentException(
            "the model %s was trained on the dataset with root %s, this one has %s; name the right"
                    .formatted(card.name(), card.datasetRoot(), dataset.manifest().root())
                + " dataset");
      }
      Set<String> theirs =
          card.recordings().stream()
              .filter(ModelCard.TrainedOn::heldOut)
              .map(ModelCard.TrainedOn::isrc)
              .collect(Collectors.toSet());
      if (heldOut.stream().map(dataset::isrc).anyMatch(isrc -> !theirs.contains(isrc))) {
        throw new IllegalArgumentException(
            "the model %s held out %d recordings, not the ones that would be measured on; say"
                    .formatted(card.name(), theirs.size())
                + " --held-out "
                + theirs.size());
      }
    }

    private void peer(List<Integer> trained) {
      CodecPeerTraining.Trained result =
          new CodecPeerTraining(
                  options.settings,
                  CodecPeerTraining.Sounds.of(dataset, trained),
                  folder,
                  log::println)
              .run(() -> false);
      try (PublishedWeights weights = PublishedWeights.open(result.folder());
          DacCodec codec = new DacCodec(Dac.load(weights, weights.config()))) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("steps", result.steps());
        facts.put("cpuSeconds", result.cpuSeconds());
        facts.put("cpuSecondsPerStep", result.cpuSecondsPerStep());
        facts.put("loss", result.loss());
        facts.put("mel", result.mel());
        facts.put("settings", options.settings);
        measure("DAC-shaped", result.parameters(), facts, codec);
      }
    }

    private void house(Path model) {
      try (HouseModel house = HouseModel.load(model)) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("recipe", house.card().recipe());
        facts.put("cpuSeconds", house.card().training().getOrDefault("seconds.codec", 0));
        measure(house.card().name(), house.codec().parameters().count(), facts, house.codec());
      }
    }

    private void measure(String name, long parameters, Map<String, Object> training, Codec codec) {
      CodecEvaluation.Measured measured =
          CodecEvaluation.measure(codec, excerpts, line -> log.println(name + " " + line));
      entries.add(
          new Entry(name, parameters, training, measured.encodeTimesRealTime(), measured.rows()));
      write(
          name,
          excerpts.stream()
              .map(pcm -> {
                float[][] made = codec.decode(codec.encode(pcm.channels()));
                return new Pcm(made, codec.sampleRate()).mono().slice(0, pcm.frames());
              })
              .toList());
    }

    private void opus() throws IOException {
      Path scratch = Files.createTempDirectory("codec-peer-opus");
      try {
        entries.add(new Entry("Opus", 0, Map.of(), 0, CodecEvaluation.opus(excerpts, scratch)));
        if (options.wav != null) {
          var lowest = new ArrayList<Pcm>();
          Path file = scratch.resolve("excerpt.opus");
          for (Pcm pcm : excerpts) {
            AudioWriter.opus(pcm, file, AudioWriter.OPUS_BITS_PER_SECOND_MIN);
            lowest.add(AudioFile.decode(file).mono());
          }
          write("Opus at its lowest", lowest);
        }
      } finally {
        remove(scratch);
      }
    }

    /** The sounds as {@code NAME/1.wav} and so on, as ViSQOL wants them. */
    private void write(String name, List<Pcm> sounds) {
      Path wav = options.wav;
      if (wav == null) {
        return;
      }
      try {
        Path target = Files.createDirectories(wav.resolve(name.replace(' ', '-')));
        for (int i = 0; i < sounds.size(); i++) {
          AudioWriter.wav16(sounds.get(i).resampled(VISQOL_RATE), target.resolve((i + 1) + ".wav"));
        }
      } catch (IOException e) {
        throw new IllegalArgumentException("cannot write to " + wav + ": " + e.getMessage(), e);
      }
    }

    private Map<String, Object> document() {
      var document = new LinkedHashMap<String, Object>();
      document.put("cpu", NativeRuntime.describe().cpu());
      document.put("libtorch", NativeRuntime.describe().libtorch());
      document.put("threads", options.threads);
      document.put("datasetRoot", dataset.manifest().root());
      document.put("heldOut", heldOut.stream().map(dataset::isrc).toList());
      document.put("excerpts", excerpts.size());
      document.put("excerptSeconds", excerpts.stream().mapToDouble(Pcm::seconds).sum());
      document.put("codecs", entries);
      return document;
    }

    private void print() {
      out.printf(
          Locale.ROOT,
          "%s, libtorch %s, %d thread(s), load %.1f; dataset root %s%n"
              + "%d excerpts, %.0f s, of held-out %s; seed %d; speeds are processor time of one"
              + " thread%n%n",
          NativeRuntime.describe().cpu(),
          NativeRuntime.describe().libtorch(),
          options.threads,
          ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
          dataset.manifest().root(),
          excerpts.size(),
          excerpts.stream().mapToDouble(Pcm::seconds).sum(),
          heldOut.stream().map(dataset::isrc).toList(),
          options.settings.seed());
      for (Entry entry : entries) {
        out.printf(Locale.ROOT, "%s", entry.name);
        if (entry.parameters > 0) {
          out.printf(
              Locale.ROOT,
              ": %,d parameters, %.0f s of training%s, encodes %.1f × real time",
              entry.parameters,
              ((Number) entry.training.getOrDefault("cpuSeconds", 0)).doubleValue(),
              entry.training.containsKey("steps")
                  ? " (%s steps)".formatted(entry.training.get("steps"))
                  : "",
              entry.encodeTimesRealTime);
        }
        out.println();
      }
      out.printf(
          "%n%-34s %7s %9s %7s %9s %12s%n",
          "", "kb/s", "mel dB", "STFT", "SI-SDR dB", "decode × rt");
      for (Entry entry : entries) {
        for (CodecEvaluation.Row row : entry.rows) {
          String name = entry.parameters > 0 ? entry.name + ", " + row.name() : row.name();
          out.printf(
              Locale.ROOT,
              "%-34s %7.2f %9.2f %7.2f %9.1f %12.1f%n",
              name,
              row.kilobitsPerSecond(),
              row.melDistanceDb(),
              row.stftDistance(),
              row.siSdrDb(),
              row.decodeTimesRealTime());
        }
      }
    }
  }
}
