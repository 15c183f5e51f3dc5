package org.descant.evaluation.release;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.descant.attribution.AttributionIndex;
import org.descant.attribution.Attributor;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.CopyMatch;
import org.descant.audio.analysis.Fingerprint;
import org.descant.audio.analysis.MelDistance;
import org.descant.engine.Engine;
import org.descant.engine.Generation;
import org.descant.engine.GenerationRequest;
import org.descant.evaluation.ControlEvaluation;
import org.descant.evaluation.EvaluationException;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.MemorisationReport;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.ModelEvaluation.Part;
import org.descant.evaluation.NullDistribution;
import org.descant.evaluation.release.ReleaseRecord.CodecPair;
import org.descant.evaluation.release.ReleaseRecord.Curve;
import org.descant.evaluation.release.ReleaseRecord.Example;
import org.descant.evaluation.release.ReleaseRecord.Judgement;
import org.descant.evaluation.release.ReleaseRecord.Memorisation;
import org.descant.evaluation.release.ReleaseRecord.Null;
import org.descant.lab.Lab;
import org.descant.lab.Plots;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.shards.Dataset;
import org.jspecify.annotations.Nullable;

/**
 * Makes the folder of a release from what was measured. It is written aside and takes its place
 * whole. Belongs to a platform thread.
 */
public final class ModelRelease {
  /** What must have been measured for a release. */
  public static final List<Part> PARTS =
      List.of(Part.CODEC, Part.CONTROL, Part.MEMORISATION, Part.DISTANCE);

  private static final String EXAMPLES = "examples";
  private static final String CURVE = "curve.png";
  private static final String SPECTROGRAMS = "spectrograms.png";

  /** Seeds of the examples are this and the following ones: other than those of the figures. */
  private static final long EXAMPLE_SEED = 7001;

  private static final int PAIRS_MAX = 4;

  /** The legend of a picture is readable up to here. */
  private static final int CURVES_MAX = 8;

  private static final String CHOSEN =
      "Sound: 3 s, fixed beforehand: two songs that share an accompaniment have at most 2.5 s in"
          + " common by this fingerprint; nothing above it is delivered either. Run of tokens: 1 s"
          + " of equal first-codebook tokens, frame after frame, fixed beforehand. Token n-grams:"
          + " half way from the largest share of a held-out excerpt to that of the median planted"
          + " copy, since no fixed one fits all codecs. Held-out excerpts against the same training"
          + " set tell how often a threshold would accuse music that copies nothing; planted copies"
          + " (excerpts of training recordings as the codec gives them back, off its frames' grid)"
          + " tell how often it finds a copy. Sounds are compared with the training recordings as"
          + " they are and as the codec gives them back.";

  private ModelRelease() {}

  /**
   * What a release is made of.
   *
   * @param model as the command line names it
   * @param modelFolder with the weights that were measured
   * @param out the folder of the release
   * @param full whether everything was measured at its usual size
   * @param report what was measured, with all of {@link #PARTS}
   * @param options with which it was measured
   * @param examples clips to make
   * @param door the way out for sound
   * @param rights of the home, null when they are not at hand
   * @param runs folder in which the run of the model is looked for
   * @param reliabilityMin from which attribution divides credits; below, all share equally
   */
  public record Request(
      String model,
      Path modelFolder,
      Path out,
      boolean full,
      EvaluationReport report,
      ModelEvaluation.Options options,
      int examples,
      SoundDoor door,
      @Nullable Rights rights,
      Path runs,
      double reliabilityMin) {}

  /**
   * Refuses to put a quick look in the place of a full release; asked before the minutes are spent.
   *
   * @throws EvaluationException when {@code out} holds a full release of these weights, or
   *     something else
   */
  public static void requireFree(Path out, ModelCard card, boolean full) {
    if (!Files.exists(out)) {
      return;
    }
    if (!ReleaseRecord.isRelease(out)) {
      if (Files.isDirectory(out) && Hashes.files(out).isEmpty()) {
        return;
      }
      throw new EvaluationException(
          "%s is there and is no release; name another folder with --out".formatted(out));
    }
    ReleaseRecord there = ReleaseRecord.read(out);
    if (!full && there.full() && card.id().equals("sha256:" + there.parents().weights())) {
      throw new EvaluationException(
          "%s holds the full release of these weights, which a quick look does not replace; name"
                  .formatted(out)
              + " another folder with --out");
    }
  }

  /**
   * Makes the release.
   *
   * @throws EvaluationException when the folder may not be replaced or cannot be written
   * @throws org.descant.models.ModelException when the weights are not those of the card
   */
  public static ReleaseRecord write(Request request, Dataset dataset, Consumer<String> progress) {
    ModelCard card = ModelCard.read(request.modelFolder());
    if (!card.id().equals(request.report().model())) {
      throw new EvaluationException(
          "The weights in %s are not those that were measured; evaluate again"
              .formatted(request.modelFolder()));
    }
    requireFree(request.out(), card, request.full());
    Path out = request.out().toAbsolutePath().normalize();
    Path aside = beside(out, ProcessHandle.current().pid() + ".tmp");
    Path before = beside(out, ProcessHandle.current().pid() + ".old");
    try {
      remove(aside);
      Files.createDirectories(aside.resolve(EXAMPLES));
      ReleaseRecord record = new Session(request, card, dataset, aside, progress).run();
      if (Files.exists(out)) {
        Files.move(out, before, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(aside, out, StandardCopyOption.ATOMIC_MOVE);
      remove(before);
      return record;
    } catch (IOException e) {
      throw new EvaluationException(
          "Cannot write the release %s: %s".formatted(out, e.getMessage()), e);
    } finally {
      putBack(aside, before, out);
    }
  }

  private static Path beside(Path out, String ending) {
    return out.resolveSibling("." + out.getFileName() + "." + ending);
  }

  /** After a failure nothing is left but the release that was there. */
  private static void putBack(Path aside, Path before, Path out) {
    try {
      remove(aside);
      if (Files.exists(before) && !Files.exists(out)) {
        Files.move(before, out, StandardCopyOption.ATOMIC_MOVE);
      }
    } catch (IOException e) {
      throw new EvaluationException(
          "Cannot tidy up beside %s: %s".formatted(out, e.getMessage()), e);
    }
  }

  private static void remove(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  private static final class Session {
    private final Request request;
    private final ModelCard card;
    private final Dataset dataset;
    private final Path folder;
    private final Consumer<String> progress;
    private final Origins origins;
    private final ControlEvaluation.Ears ears = ControlEvaluation.Ears.estimators();
    private final List<SpectrogramSheet.Labelled> made = new ArrayList<>();
    private final List<SpectrogramSheet.Labelled> heldOut = new ArrayList<>();

    Session(
        Request request, ModelCard card, Dataset dataset, Path folder, Consumer<String> progress) {
      this.request = request;
      this.card = card;
      this.dataset = dataset;
      this.folder = folder;
      this.progress = progress;
      this.origins =
          new Origins(request.modelFolder(), card, dataset, request.rights(), request.runs());
    }

    ReleaseRecord run() throws IOException {
      List<String> fallen = origins.fallen();
      List<CodecPair> pairs;
      List<Print> trained;
      try (HouseModel loaded = HouseModel.load(request.modelFolder())) {
        pairs = codecPairs(loaded.codec(), fallen);
        trained = trainedPrints(loaded.codec());
      }
      List<Example> examples = examples(trained);
      SpectrogramSheet.write(made, heldOut, folder.resolve(SPECTROGRAMS));
      Curve curve = curve();
      Memorisation memorisation = memorisation();
      ReleaseRecord draft =
          new ReleaseRecord(
              ReleaseRecord.VERSION,
              card.name(),
              request.full(),
              request.options().command(),
              origins.parents(),
              origins.data(),
              Figures.of(request.report(), card, request.options()),
              memorisation,
              examples,
              pairs,
              curve,
              Limits.of(request.report(), memorisation, examples),
              List.of(),
              new ReleaseRecord.Clock(
                  Instant.now().toString(),
                  request.report().seconds(),
                  Figures.speeds(request.report()),
                  fallen));
      ReleaseText text = new ReleaseText(draft, card, request.model(), SPECTROGRAMS);
      Files.writeString(folder.resolve("card.md"), Markdown.of(card.name(), text.blocks()));
      Files.writeString(folder.resolve("index.html"), Html.of(card.name(), text.blocks()));
      ReleaseRecord record = draft.withFiles(files());
      Files.writeString(folder.resolve(ReleaseRecord.FILE), record.toJson());
      progress.accept(
          "release: %d files in %s".formatted(record.files().size() + 1, request.out()));
      return record;
    }

    private List<ReleaseRecord.FileEntry> files() throws IOException {
      List<ReleaseRecord.FileEntry> files = new ArrayList<>();
      for (String path : Hashes.files(folder)) {
        Path file = folder.resolve(path);
        files.add(new ReleaseRecord.FileEntry(path, Files.size(file), Hashes.of(file)));
      }
      return files;
    }

    // ----------------------------------------------------------- examples

    private String letOut(Pcm sound, String name) {
      Path file = request.door().letOut(sound, folder.resolve(EXAMPLES), name);
      return EXAMPLES + "/" + file.getFileName();
    }

    private List<CodecPair> codecPairs(MagnitudeCodec codec, List<String> fallen) {
      List<CodecPair> pairs = new ArrayList<>();
      double bits = Math.log(codec.codebookSize()) / Math.log(2);
      double kilobits = bits * codec.frameRate() * codec.codebooks() / 1000;
      for (int i = 0; i < dataset.size() && pairs.size() < PAIRS_MAX; i++) {
        String isrc = dataset.isrc(i);
        if (!isHeldOut(isrc) || fallen.contains(isrc)) {
          continue;
        }
        Pcm whole = dataset.read(i).resampled(codec.sampleRate());
        int frames =
            (int) Math.min(whole.frames(), request.options().seconds() * whole.sampleRate());
        int from = (whole.frames() - frames) / 2;
        Pcm original = whole.slice(from, from + frames);
        Pcm coded = new Pcm(codec.decode(codec.encode(original.channels())), codec.sampleRate());
        String name = "codec-%d-%s".formatted(pairs.size() + 1, isrc.toLowerCase(Locale.ROOT));
        String originalFile = letOut(original, name + "-original");
        String codedFile = letOut(coded, name + "-coded");
        double start = (double) from / whole.sampleRate();
        pairs.add(
            new CodecPair(
                isrc,
                start,
                original.seconds(),
                originalFile,
                Hashes.of(folder.resolve(originalFile)),
                codedFile,
                Hashes.of(folder.resolve(codedFile)),
                kilobits,
                MelDistance.between(original.mono(), coded.mono())));
        heldOut.add(
            new SpectrogramSheet.Labelled("held out: %s, original".formatted(isrc), original));
        heldOut.add(
            new SpectrogramSheet.Labelled(
                String.format(Locale.ROOT, "held out: %s, coded at %.2f kb/s", isrc, kilobits),
                coded));
        progress.accept("release: codec pair %d, %s".formatted(pairs.size(), isrc));
      }
      return pairs;
    }

    private boolean isHeldOut(String isrc) {
      return card.recordings().stream().anyMatch(r -> r.heldOut() && r.isrc().equals(isrc));
    }

    /** A training recording, as it is or as the codec gives it back. */
    private record Print(String isrc, Fingerprint audio) {}

    private List<Print> trainedPrints(MagnitudeCodec codec) {
      List<Print> prints = new ArrayList<>();
      for (int i = 0; i < dataset.size(); i++) {
        if (!isHeldOut(dataset.isrc(i))) {
          Pcm sound = dataset.read(i).resampled(codec.sampleRate());
          Pcm coded = new Pcm(codec.decode(codec.encode(sound.channels())), codec.sampleRate());
          prints.add(new Print(dataset.isrc(i), Fingerprint.of(sound)));
          prints.add(new Print(dataset.isrc(i), Fingerprint.of(coded)));
          progress.accept(
              "release: recording %d of %d, to look for copies in the examples"
                  .formatted(i + 1, dataset.size()));
        }
      }
      return prints;
    }

    private List<Example> examples(List<Print> trained) {
      List<ExampleRequests.One> requests =
          ExampleRequests.of(card, request.examples(), request.options().seconds(), EXAMPLE_SEED);
      List<Example> examples = new ArrayList<>();
      long start = System.nanoTime();
      ModelCard.Reliability reliability = card.attribution();
      boolean decides =
          reliability != null && reliability.score() >= request.reliabilityMin() && hasIndex();
      @Nullable Attributor attributor = decides ? Attributor.open(request.modelFolder()) : null;
      try (Engine engine = Engine.open(request.modelFolder(), request.options().threads())) {
        for (ExampleRequests.One one : requests) {
          // One at a time, as a clip is made for a listener: its command makes the same sound.
          Generation generation = engine.generate(one.request(), chunk -> {}, () -> false);
          List<RecordingWeight> weights =
              attributor == null ? origins.equalShares() : attributor.attribute(generation.codes());
          examples.add(
              example(
                  one,
                  generation,
                  longest(Fingerprint.of(generation.audio()), trained),
                  decides ? "attribution" : "equal-share",
                  origins.people(weights),
                  examples.size() + 1));
          double spent = (System.nanoTime() - start) / 1e9;
          progress.accept(
              String.format(
                  Locale.ROOT,
                  "release: example %d of %d, %.1f s each, %.0f s left",
                  examples.size(),
                  requests.size(),
                  spent / examples.size(),
                  spent / examples.size() * (requests.size() - examples.size())));
        }
      }
      return examples;
    }

    private boolean hasIndex() {
      return Files.isRegularFile(request.modelFolder().resolve(AttributionIndex.FILE));
    }

    private record Copied(double seconds, String from) {}

    private static Copied longest(Fingerprint clip, List<Print> trained) {
      Copied longest = new Copied(0, "");
      for (Print print : trained) {
        CopyMatch match = CopiedSpan.longest(clip, print.audio());
        if (match.seconds() > longest.seconds()) {
          longest = new Copied(match.seconds(), print.isrc());
        }
      }
      return longest;
    }

    private Example example(
        ExampleRequests.One one,
        Generation generation,
        Copied copied,
        String shareRule,
        List<ReleaseRecord.Person> credits,
        int number) {
      GenerationRequest resolved = generation.request();
      Double tempo = resolved.tempoBpm();
      MusicalKey key = resolved.key();
      if (tempo == null || key == null) {
        throw new IllegalStateException("the engine left tempo or key open");
      }
      String label = String.format(Locale.ROOT, "%.0f bpm, %s", tempo, key);
      boolean free = copied.seconds() <= MemorisationReport.COPIED_SECONDS_MAX;
      String file = "";
      if (free) {
        String name = "%02d-%s".formatted(number, ExampleRequests.slug(label));
        file = letOut(generation.audio(), name);
        made.add(
            new SpectrogramSheet.Labelled(
                "%d: %s, %s".formatted(number, label, String.join(", ", resolved.tags())),
                generation.audio()));
      }
      ControlEvaluation.Heard heard = ears.hear(generation.audio());
      return new Example(
          file,
          free ? Hashes.of(folder.resolve(file)) : "",
          new ReleaseRecord.Request(
              tempo,
              key.toString(),
              resolved.tags(),
              resolved.seconds(),
              resolved.seed(),
              // One scale for all conditions, as the requests ask.
              resolved.guidance().terms().getFirst().scale()),
          one.known(),
          heard.tempoBpm(),
          heard.key().toString(),
          copied.seconds(),
          copied.from(),
          shareRule,
          credits,
          ExampleRequests.command(request.model(), one.request()));
    }

    // -------------------------------------------------------------- parts

    private Curve curve() {
      Path run = origins.run().orElse(null);
      if (run == null) {
        return new Curve(
            "",
            List.of(),
            "The folder of the run that trained these weights is not in this home, so its curve"
                + " cannot be drawn.");
      }
      List<Lab.Curve> curves =
          Lab.curves(run).entrySet().stream()
              .filter(entry -> isLoss(entry.getKey()))
              .map(Map.Entry::getValue)
              .limit(CURVES_MAX)
              .toList();
      if (curves.isEmpty()) {
        return new Curve("", List.of(), "The run has logged no loss.");
      }
      Plots.curves(card.name() + ": training", "loss, distance", curves, folder.resolve(CURVE));
      return new Curve(CURVE, curves.stream().map(Lab.Curve::name).toList(), "");
    }

    /** Losses and distances as a whole; those of single codebooks end in a digit. */
    private static boolean isLoss(String name) {
      String metric = name.substring(name.indexOf('/') + 1);
      boolean whole = !Character.isDigit(metric.charAt(metric.length() - 1));
      return whole
          && (metric.equals("loss")
              || metric.equals("decibels")
              || metric.equals("heldOutLoss")
              || metric.equals("heldOutMelDistance"));
    }

    private Memorisation memorisation() {
      MemorisationReport report = request.report().memorisation();
      if (report == null) {
        throw new EvaluationException(
            "A release needs the parts %s; evaluate with all of them".formatted(PARTS));
      }
      ReleaseRecord.Data data = origins.data();
      return new Memorisation(
          data.trained(),
          data.trainedMinutes(),
          CHOSEN,
          judgement(
              MemorisationReport.COPIED_SECONDS_MAX,
              report,
              report.longest(),
              MemorisationReport.Row::copiedSeconds,
              MemorisationReport.Row::copiedFrom),
          judgement(
              MemorisationReport.TOKEN_RUN_SECONDS_MAX,
              report,
              report.longestTokenRun(),
              MemorisationReport.Row::tokenRunSeconds,
              MemorisationReport.Row::tokenRunFrom),
          judgement(
              report.ngramThreshold(),
              report,
              report.mostNgrams(),
              MemorisationReport::ngrams,
              row -> ""),
          report);
    }

    private static Judgement judgement(
        double threshold,
        MemorisationReport report,
        MemorisationReport.Row largest,
        ToDoubleFunction<MemorisationReport.Row> measure,
        Function<MemorisationReport.Row, String> from) {
      NullDistribution none =
          new NullDistribution(report.heldOut().stream().mapToDouble(measure).boxed().toList());
      double value = measure.applyAsDouble(largest);
      return new Judgement(
          threshold,
          value,
          value > 0 ? largest.clip() : "",
          from.apply(largest),
          above(threshold, report.generations(), measure),
          report.generations().size(),
          new Null(
              none.values().size(),
              none.quantile(0.5),
              none.quantile(0.95),
              none.largest(),
              none.above(threshold)),
          none.probabilityOf(value),
          report.planted().size(),
          above(threshold, report.planted(), measure));
    }

    private static long above(
        double threshold,
        List<MemorisationReport.Row> rows,
        ToDoubleFunction<MemorisationReport.Row> measure) {
      return rows.stream().filter(row -> measure.applyAsDouble(row) > threshold).count();
    }
  }
}
