package org.descant.evaluation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.descant.attribution.AttributionIndex;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Fingerprint;
import org.descant.audio.analysis.SpectrogramImage;
import org.descant.engine.Engine;
import org.descant.engine.Generation;
import org.descant.engine.GenerationRequest;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.codec.StyleEmbedding;
import org.descant.models.condition.Melody;
import org.descant.models.lm.TokenLmConfig;
import org.descant.shards.Dataset;
import org.descant.tensor.NativeRuntime;
import org.jspecify.annotations.Nullable;

/**
 * Measures all that is said of a model, and writes it where it belongs: {@code evaluation.json} and
 * pictures into a folder, the figures and the reliability of attribution into the model's card, the
 * attribution index beside its weights. Belongs to a platform thread.
 */
public final class ModelEvaluation {
  /** Clips made side by side; each takes a row of the model's cache per guidance term. */
  private static final int CLIPS_AT_ONCE = 8;

  /** Questions that are asked again with a melody. */
  private static final int MELODIES_MAX = 12;

  /** Excerpts of each held-out recording that are compared with the training recordings. */
  private static final int HELD_OUT_EXCERPTS = 2;

  /** Excerpts of held-out music that make the null of memorisation and the ears' limits. */
  private static final int NULL_EXCERPTS_MAX = 200;

  /** Training recordings of which an excerpt is compared as a copy would be. */
  private static final int PLANTED_MAX = 24;

  /** Where that excerpt lies: off the grid of codec frames, and not where a piece begins. */
  private static final double PLANTED_PLACE = 0.37;

  /**
   * What the parts cost beside each other: seconds for the shipped model on one core; the study's
   * is for each of its models.
   */
  private static final Map<String, Double> COSTS =
      Map.of(
          "codec", 17.0,
          "generation", 15.0,
          "control", 5.0,
          "melody", 8.0,
          "coding", 30.0,
          "memorisation", 10.0,
          "distance", 1.0,
          "index", 25.0,
          "reliability", 10.0);

  private ModelEvaluation() {}

  /** What can be measured. */
  public enum Part {
    /** The codec beside Opus. */
    CODEC,
    /** Tempo and key of generations. */
    CONTROL,
    /** Copied spans of generations. */
    MEMORISATION,
    /** Fréchet distance of generations. */
    DISTANCE,
    /** The attribution index. */
    INDEX,
    /** How far attribution can be trusted. */
    RELIABILITY
  }

  /**
   * What to measure, and how large.
   *
   * @param parts to measure
   * @param generations clips to make for control, memorisation, distance and reliability
   * @param seconds of each clip and excerpt
   * @param seed of the questions and the clips
   * @param threads of libtorch; the reliability study trains as many models at once
   * @param study shape of the reliability study, null for {@link #study}
   * @param studyClips whose loss the study measures: half generations, half held-out music
   * @param command that measures this, to stand beside the figures
   * @param intoCard whether the figures go into the model's card; a quick look leaves it as it is
   */
  public record Options(
      Set<Part> parts,
      int generations,
      double seconds,
      long seed,
      int threads,
      ReliabilityStudy.@Nullable Options study,
      int studyClips,
      String command,
      boolean intoCard) {
    private static final int GENERATIONS_MAX = 1000;

    public Options {
      if (generations < 2 || generations > GENERATIONS_MAX) {
        throw new EvaluationException(
            "An evaluation makes 2 to %d clips, not %d".formatted(GENERATIONS_MAX, generations));
      }
      if (studyClips < 2) {
        throw new EvaluationException(
            "A reliability study needs at least 2 clips, not " + studyClips);
      }
      parts = Set.copyOf(parts);
    }

    /** Everything: 24 clips of ten seconds. */
    @SuppressWarnings("NullAway") // It reads the study's @Nullable as its enclosing type's.
    public static Options full(int threads, String command) {
      return new Options(EnumSet.allOf(Part.class), 24, 10, 1, threads, null, 24, command, true);
    }

    /** The same with other parts. */
    @SuppressWarnings("NullAway") // As above.
    public Options only(Set<Part> some) {
      return new Options(
          some, generations, seconds, seed, threads, study, studyClips, command, intoCard);
    }

    /** The same with other clips. */
    @SuppressWarnings("NullAway") // As above.
    public Options sized(int clips, double clipSeconds) {
      return new Options(
          parts, clips, clipSeconds, seed, threads, study, studyClips, command, intoCard);
    }
  }

  /**
   * The study that a model gets: small models on the first codebook, without one recording at a
   * time, twice. For 28 recordings that is 58 models, about ten seconds of one core each.
   */
  public static ReliabilityStudy.Options study(ModelCard card, int workers) {
    TokenLmConfig shape =
        new TokenLmConfig(64, 2, 4, 4, 160, 1, card.codec().codebookSize(), 1, 128);
    return new ReliabilityStudy.Options(
        shape, 250, 8, 128, 2e-3, 2, ReliabilityStudy.LeftOut.RECORDING, workers);
  }

  /**
   * Measures a model.
   *
   * @param modelFolder whose card gets the figures; with {@link Part#INDEX} also the index
   * @param dataset that the model was trained on
   * @param out for {@code evaluation.json}, pictures and the study's file
   * @param progress hears lines, with the time left where a part is long
   * @throws EvaluationException when the dataset is not the model's, or nothing was held out
   */
  public static EvaluationReport run(
      Path modelFolder, Dataset dataset, Options options, Path out, Consumer<String> progress) {
    try {
      Files.createDirectories(out);
    } catch (IOException e) {
      throw new EvaluationException("Cannot make the folder " + out + ": " + e.getMessage(), e);
    }
    NativeRuntime.init(options.threads());
    try (HouseModel model = HouseModel.load(modelFolder)) {
      if (!model.card().datasetRoot().equals(dataset.manifest().root())) {
        throw new EvaluationException(
            "The model %s was trained on the dataset with root %s, this one has %s; name the right"
                    .formatted(
                        model.card().name(), model.card().datasetRoot(), dataset.manifest().root())
                + " dataset");
      }
      return new Session(modelFolder, model, dataset, options, out, progress).run();
    }
  }

  /** A recording of the dataset as the codec hears it. */
  private record Coded(
      String isrc,
      int[][] codes,
      float[] style,
      List<float[]> embedding,
      Fingerprint print,
      Fingerprint codedPrint) {}

  private static final class Session {
    private final Path modelFolder;
    private final ModelCard card;
    private final MagnitudeCodec codec;
    private final Dataset dataset;
    private final Options options;
    private final Path out;
    private final ControlEvaluation.Ears ears = ControlEvaluation.Ears.estimators();
    private final Consumer<String> progress;
    private final Pace pace;
    private final List<Integer> trained = new ArrayList<>();
    private final List<Integer> heldOut = new ArrayList<>();
    private final TreeMap<String, Double> seconds = new TreeMap<>();
    private final List<ControlEvaluation.Asked> asked = new ArrayList<>();
    private final List<Generation> generations = new ArrayList<>();
    private List<Coded> coded = List.of();

    Session(
        Path modelFolder,
        HouseModel model,
        Dataset dataset,
        Options options,
        Path out,
        Consumer<String> progress) {
      this.modelFolder = modelFolder;
      this.card = model.card();
      this.codec = model.codec();
      this.dataset = dataset;
      this.options = options;
      this.out = out;
      this.pace = new Pace(rows(), costs(), progress, System::nanoTime);
      this.progress = pace::line;
      for (int i = 0; i < dataset.size(); i++) {
        String isrc = dataset.isrc(i);
        boolean held =
            card.recordings().stream().anyMatch(r -> r.isrc().equals(isrc) && r.heldOut());
        (held ? heldOut : trained).add(i);
      }
      if (heldOut.isEmpty()) {
        throw new EvaluationException(
            "The model %s held nothing out of its training, so there is no fair music to measure it"
                    .formatted(card.name())
                + " on; train with heldOut of at least 1");
      }
    }

    @SuppressWarnings("NullAway") // It reads @Nullable of nested types as their enclosing types'.
    EvaluationReport run() {
      CodecEvaluation.Result codecResult = null;
      ControlEvaluation.Result control = null;
      MelodyControl.Shares melody = null;
      ControlEvaluation.Limits limits = null;
      MemorisationReport memorisation = null;
      EvaluationReport.Distances distance = null;
      EvaluationReport.Speed speed = null;
      ReliabilityStudy.Result reliability = null;
      if (options.parts().contains(Part.RELIABILITY) && !wants(Part.RELIABILITY)) {
        progress.accept(
            "reliability: the study trains token models, so it is left out for a flow model; its"
                + " clips are credited in equal shares");
      }
      if (wants(Part.CODEC)) {
        pace.begin();
        List<Pcm> excerpts = heldOutExcerpts();
        codecResult = CodecEvaluation.of(codec, excerpts, out.resolve("scratch"), progress);
        removeScratch();
        took("codec");
      }
      if (wants(Part.CONTROL)
          || wants(Part.MEMORISATION)
          || wants(Part.DISTANCE)
          || wants(Part.RELIABILITY)) {
        pace.begin();
        generate();
        took("generation");
        double made = options.generations() * options.seconds();
        speed =
            new EvaluationReport.Speed(
                options.generations(), options.seconds(), made / seconds.get("generation"));
        pictures();
      }
      if (wants(Part.CONTROL)) {
        pace.begin();
        control = asked.isEmpty() ? null : control();
        limits = limits();
        took("control");
        if (followsMelodies() && !asked.isEmpty()) {
          pace.begin();
          melody = melody();
          took("melody");
        }
      }
      if (wants(Part.MEMORISATION) || wants(Part.DISTANCE) || wants(Part.RELIABILITY)) {
        pace.begin();
        code();
        took("coding");
      }
      if (wants(Part.MEMORISATION)) {
        pace.begin();
        memorisation = memorisation();
        took("memorisation");
      }
      if (wants(Part.DISTANCE)) {
        pace.begin();
        distance = distance();
        took("distance");
      }
      if (wants(Part.INDEX)) {
        pace.begin();
        AttributionIndex.build(modelFolder, dataset, progress);
        took("index");
      }
      if (wants(Part.RELIABILITY)) {
        pace.begin();
        reliability = reliability();
        took("reliability");
      }
      EvaluationReport report =
          new EvaluationReport(
              card.id(),
              card.name(),
              card.datasetRoot(),
              codecResult,
              speed,
              control,
              melody,
              limits,
              memorisation,
              distance,
              reliability,
              seconds);
      keep(report);
      return report;
    }

    /** The reliability study trains token models, so it says nothing of how a flow model learns. */
    private boolean wants(Part part) {
      return options.parts().contains(part) && (part != Part.RELIABILITY || card.flow() == null);
    }

    private boolean followsMelodies() {
      TokenLmConfig lm = card.languageModel();
      return lm != null && lm.melody();
    }

    /** The parts that will be done, in their order. */
    private List<String> rows() {
      List<String> rows = new ArrayList<>();
      if (wants(Part.CODEC)) {
        rows.add("codec");
      }
      boolean clips = wants(Part.CONTROL) || wants(Part.MEMORISATION) || wants(Part.DISTANCE);
      if (clips || wants(Part.RELIABILITY)) {
        rows.add("generation");
      }
      if (wants(Part.CONTROL)) {
        rows.add("control");
        if (followsMelodies()) {
          rows.add("melody");
        }
      }
      if (wants(Part.MEMORISATION) || wants(Part.DISTANCE) || wants(Part.RELIABILITY)) {
        rows.add("coding");
      }
      for (Part part : List.of(Part.MEMORISATION, Part.DISTANCE, Part.INDEX, Part.RELIABILITY)) {
        if (wants(part)) {
          rows.add(part.name().toLowerCase(Locale.ROOT));
        }
      }
      return rows;
    }

    private Map<String, Double> costs() {
      ReliabilityStudy.Options chosen = options.study();
      ReliabilityStudy.Options study = chosen != null ? chosen : study(card, options.threads());
      double models = (double) study.seeds() * (1 + card.recordings().size()) / study.workers();
      Map<String, Double> costs = new TreeMap<>(COSTS);
      costs.merge("reliability", models, (each, count) -> each * count);
      return costs;
    }

    private void took(String part) {
      seconds.put(part, pace.end());
    }

    // -------------------------------------------------------------- sound

    private Pcm sound(int recording) {
      return dataset.read(recording).resampled(codec.sampleRate());
    }

    /** An excerpt of a clip's length; {@code place} 0 is at the start, 1 at the end. */
    private Pcm excerpt(Pcm sound, double place) {
      int frames = (int) Math.min(sound.frames(), options.seconds() * sound.sampleRate());
      int from = (int) (place * (sound.frames() - frames));
      return sound.slice(from, from + frames);
    }

    private List<Pcm> heldOutExcerpts() {
      List<Pcm> excerpts = new ArrayList<>();
      for (int recording : heldOut) {
        Pcm sound = sound(recording);
        for (int i = 0; i < HELD_OUT_EXCERPTS; i++) {
          excerpts.add(excerpt(sound, (i + 0.5) / HELD_OUT_EXCERPTS));
        }
      }
      return excerpts;
    }

    /** A stretch of a held-out recording, as long as a clip. */
    private record Excerpt(int recording, Pcm sound) {}

    /** The held-out recordings end to end in excerpts that do not overlap. */
    private List<Excerpt> heldOutEndToEnd() {
      List<Excerpt> excerpts = new ArrayList<>();
      for (int recording : heldOut) {
        Pcm sound = sound(recording);
        int count = (int) Math.max(1, Math.floor(sound.seconds() / options.seconds()));
        for (int i = 0; i < count; i++) {
          double place = count == 1 ? 0.5 : (double) i / (count - 1);
          excerpts.add(new Excerpt(recording, excerpt(sound, place)));
        }
      }
      return evenly(excerpts, NULL_EXCERPTS_MAX);
    }

    private static <T> List<T> evenly(List<T> all, int max) {
      int count = Math.min(max, all.size());
      List<T> some = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        some.add(all.get((int) ((long) i * all.size() / count)));
      }
      return some;
    }

    private Pcm throughCodec(Pcm sound) {
      return new Pcm(codec.decode(codec.encode(sound.channels())), codec.sampleRate());
    }

    // NullAway does not see, in bytecode, that the record takes a null style.
    @SuppressWarnings("NullAway")
    private void generate() {
      List<ControlEvaluation.Known> known = new ArrayList<>();
      for (ModelCard.TrainedOn recording : card.recordings()) {
        if (!recording.heldOut() && recording.tempoBpm() > 0 && !recording.key().isEmpty()) {
          List<String> tags = new ArrayList<>(recording.tags());
          tags.add(recording.artist());
          known.add(
              new ControlEvaluation.Known(
                  recording.tempoBpm(), MusicalKey.parse(recording.key()), tags));
        }
      }
      if (known.isEmpty()) {
        progress.accept(
            "control: no training recording has a tempo and a key, so it is not measured");
      } else {
        asked.addAll(ControlEvaluation.questions(known, options.generations(), options.seed()));
      }
      List<GenerationRequest> requests = new ArrayList<>();
      for (int i = 0; i < options.generations(); i++) {
        long seed = clipSeed(i);
        if (asked.isEmpty()) {
          ModelCard.TrainedOn base = card.recordings().get(i % card.recordings().size());
          requests.add(request(null, null, List.of(base.artist()), seed));
        } else {
          ControlEvaluation.Asked one = asked.get(i);
          requests.add(request(one.tempoBpm(), one.key(), one.tags(), seed));
        }
      }
      long start = System.nanoTime();
      try (Engine engine = Engine.open(modelFolder, options.threads())) {
        for (int from = 0; from < requests.size(); from += CLIPS_AT_ONCE) {
          int to = Math.min(requests.size(), from + CLIPS_AT_ONCE);
          generations.addAll(engine.generateAll(requests.subList(from, to)));
          double spent = (System.nanoTime() - start) / 1e9;
          progress.accept(
              String.format(
                  Locale.ROOT,
                  "generation: %d of %d clips, %.1f× real time, %.0f s left",
                  to,
                  requests.size(),
                  to * options.seconds() / spent,
                  spent / to * (requests.size() - to)));
        }
      }
    }

    private long clipSeed(int clip) {
      return options.seed() * 1000 + clip;
    }

    @SuppressWarnings("NullAway") // As above.
    private GenerationRequest request(
        @Nullable Double tempo, @Nullable MusicalKey key, List<String> tags, long seed) {
      List<String> some = tags.subList(0, Math.min(tags.size(), GenerationRequest.TAGS_MAX));
      return new GenerationRequest(
          "", options.seconds(), tempo, key, some, null, seed, GenerationRequest.GUIDANCE_DEFAULT);
    }

    // -------------------------------------------------------------- parts

    private ControlEvaluation.Result control() {
      List<Pcm> sounds = new ArrayList<>();
      List<MusicAnnotations> truths = new ArrayList<>();
      for (int i = 0; i < dataset.size(); i++) {
        if (dataset.annotations(i).isPresent()) {
          sounds.add(excerpt(sound(i), 0.5));
          truths.add(dataset.annotations(i).get());
        }
      }
      ControlEvaluation.Shares truth = ControlEvaluation.truth(sounds, truths, ears);
      progress.accept(
          "control: the estimators are scored on %d recordings".formatted(sounds.size()));
      List<ControlEvaluation.Heard> heard =
          generations.stream().map(generation -> ears.hear(generation.audio())).toList();
      return ControlEvaluation.compare(truth, asked, heard);
    }

    /** The first questions again, each with a melody. */
    private MelodyControl.Shares melody() {
      int count = Math.min(MELODIES_MAX, asked.size());
      SplittableRandom random = new SplittableRandom(options.seed());
      List<MelodyControl.Asked> melodies = new ArrayList<>();
      List<GenerationRequest> requests = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        ControlEvaluation.Asked one = asked.get(i);
        MelodyControl.Asked melody =
            MelodyControl.walk(one.key(), one.tempoBpm(), options.seconds(), random.split());
        melodies.add(melody);
        requests.add(
            request(one.tempoBpm(), one.key(), one.tags(), clipSeed(i))
                .withMelody(new Melody(melody.pitches())));
      }
      progress.accept("melody: %d clips that are asked for one".formatted(count));
      List<Pcm> following = new ArrayList<>();
      try (Engine engine = Engine.open(modelFolder, options.threads())) {
        for (int from = 0; from < count; from += CLIPS_AT_ONCE) {
          int to = Math.min(count, from + CLIPS_AT_ONCE);
          engine
              .generateAll(requests.subList(from, to))
              .forEach(made -> following.add(made.audio()));
        }
      }
      List<Pcm> free = generations.subList(0, count).stream().map(Generation::audio).toList();
      return MelodyControl.compare(following, free, melodies);
    }

    private ControlEvaluation.@Nullable Limits limits() {
      List<Excerpt> excerpts =
          heldOutEndToEnd().stream()
              .filter(excerpt -> dataset.annotations(excerpt.recording()).isPresent())
              .toList();
      if (excerpts.isEmpty()) {
        progress.accept("control: no held-out recording has a tempo and a key to hear");
        return null;
      }
      progress.accept(
          "control: the estimators are scored on %d held-out excerpts".formatted(excerpts.size()));
      return ControlEvaluation.limits(
          excerpts.stream().map(Excerpt::sound).toList(),
          excerpts.stream().map(excerpt -> throughCodec(excerpt.sound())).toList(),
          excerpts.stream().map(Excerpt::recording).toList(),
          excerpts.stream().flatMap(e -> dataset.annotations(e.recording()).stream()).toList(),
          ears);
    }

    private void code() {
      List<Coded> all = new ArrayList<>();
      long start = System.nanoTime();
      for (int i = 0; i < dataset.size(); i++) {
        Pcm sound = sound(i);
        int[][] codes = codec.encode(sound.channels());
        all.add(
            new Coded(
                dataset.isrc(i),
                codes,
                StyleEmbedding.of(codec, sound.channels()),
                FrechetDistance.embed(codec, sound),
                Fingerprint.of(sound),
                Fingerprint.of(new Pcm(codec.decode(codes), codec.sampleRate()))));
        double spent = (System.nanoTime() - start) / 1e9;
        progress.accept(
            "coding: recording %d of %d, %.0f s left"
                .formatted(i + 1, dataset.size(), spent / (i + 1) * (dataset.size() - i - 1)));
      }
      coded = List.copyOf(all);
    }

    private MemorisationReport memorisation() {
      List<MemorisationReport.Sound> clips = new ArrayList<>();
      for (int i = 0; i < generations.size(); i++) {
        Generation made = generations.get(i);
        clips.add(
            new MemorisationReport.Sound(
                "generation " + (i + 1), Fingerprint.of(made.audio()), made.codes()));
      }
      List<MemorisationReport.Sound> others = new ArrayList<>();
      for (Excerpt excerpt : heldOutEndToEnd()) {
        others.add(
            compared(
                "held-out excerpt %d, %s"
                    .formatted(others.size() + 1, dataset.isrc(excerpt.recording())),
                excerpt.sound()));
      }
      List<MemorisationReport.Sound> planted = new ArrayList<>();
      for (int i : evenly(trained, PLANTED_MAX)) {
        // What a model gives that knows the recording by heart: its codes, and them decoded.
        int[][] codes = codec.encode(excerpt(sound(i), PLANTED_PLACE).channels());
        Pcm heard = new Pcm(codec.decode(codes), codec.sampleRate());
        planted.add(
            new MemorisationReport.Sound(
                "copy of " + dataset.isrc(i), Fingerprint.of(heard), codes));
      }
      // A generation has been through the codec, so it is compared with recordings that have, too.
      List<MemorisationReport.Sound> recordings = new ArrayList<>();
      for (int i : trained) {
        Coded one = coded.get(i);
        recordings.add(new MemorisationReport.Sound(one.isrc(), one.print(), one.codes()));
        recordings.add(new MemorisationReport.Sound(one.isrc(), one.codedPrint(), new int[1][0]));
      }
      return MemorisationReport.of(clips, others, planted, recordings, codec.frameRate(), progress);
    }

    private MemorisationReport.Sound compared(String name, Pcm sound) {
      return new MemorisationReport.Sound(
          name, Fingerprint.of(sound), codec.encode(sound.channels()));
    }

    private EvaluationReport.Distances distance() {
      List<float[]> generated = new ArrayList<>();
      generations.forEach(g -> generated.addAll(FrechetDistance.embed(codec, g.audio())));
      List<float[]> known = new ArrayList<>();
      trained.forEach(i -> known.addAll(coded.get(i).embedding()));
      List<float[]> unknown = new ArrayList<>();
      heldOut.forEach(i -> unknown.addAll(coded.get(i).embedding()));
      return new EvaluationReport.Distances(
          FrechetDistance.between(generated, known),
          FrechetDistance.between(unknown, known),
          generated.size(),
          unknown.size(),
          known.size());
    }

    private ReliabilityStudy.Result reliability() {
      ReliabilityStudy.Options chosen = options.study();
      ReliabilityStudy.Options study = chosen != null ? chosen : study(card, options.threads());
      List<ReliabilityStudy.Source> sources = new ArrayList<>();
      for (int i : trained) {
        Coded recording = coded.get(i);
        sources.add(
            new ReliabilityStudy.Source(
                dataset.isrc(i), dataset.artist(i), counted(recording.codes()), recording.style()));
      }
      List<ReliabilityStudy.Clip> clips = new ArrayList<>();
      int half = options.studyClips() / 2;
      for (int i = 0; i < Math.min(half, generations.size()); i++) {
        Generation made =
            generations.get(i * generations.size() / Math.min(half, generations.size()));
        clips.add(clip("generation " + (i + 1), made.audio(), made.codes()));
      }
      int each = Math.max(1, Math.ceilDiv(options.studyClips() - half, heldOut.size()));
      for (int i : heldOut) {
        Pcm sound = sound(i);
        for (int n = 0; n < each; n++) {
          Pcm excerpt = excerpt(sound, (n + 0.5) / each);
          clips.add(clip("held out " + dataset.isrc(i), excerpt, codec.encode(excerpt.channels())));
        }
      }
      // Each of the study's models has its own thread.
      NativeRuntime.init(1);
      try {
        return ReliabilityStudy.run(study, sources, clips, out, progress);
      } finally {
        NativeRuntime.init(options.threads());
      }
    }

    private ReliabilityStudy.Clip clip(String name, Pcm audio, int[][] codes) {
      float[] style = StyleEmbedding.of(codec, audio.resampled(codec.sampleRate()).channels());
      return new ReliabilityStudy.Clip(name, counted(codes), style);
    }

    /** Codes as the attribution index counts them. */
    private int[][] counted(int[][] codes) {
      TokenLmConfig lm = card.languageModel();
      return lm == null ? codes : Arrays.copyOf(codes, lm.codebooks());
    }

    // -------------------------------------------------------------- files

    /** The first generation, and the recording whose tags it was asked with. */
    private void pictures() {
      SpectrogramImage.png(generations.getFirst().audio(), out.resolve("generation.png"));
      SpectrogramImage.png(
          excerpt(sound(trained.getFirst()), 0.5), out.resolve("training-excerpt.png"));
    }

    private void keep(EvaluationReport report) {
      Path file = out.resolve("evaluation.json");
      Path aside = out.resolve("evaluation.json.tmp");
      try {
        Files.writeString(aside, report.toJson());
        Files.move(
            aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } catch (IOException e) {
        throw new EvaluationException("Cannot write " + file + ": " + e.getMessage(), e);
      }
      if (!options.intoCard()) {
        return;
      }
      ModelCard better = card.withEvaluation(report.figures());
      ReliabilityStudy.Result reliability = report.reliability();
      if (reliability != null) {
        better =
            better.withAttribution(
                new ModelCard.Reliability(
                    ReliabilityStudy.TOKENS,
                    reliability.of(ReliabilityStudy.TOKENS).spearman(),
                    reliability.groups(),
                    options.command()));
      }
      better.write(modelFolder);
    }

    private void removeScratch() {
      try {
        Files.deleteIfExists(out.resolve("scratch"));
      } catch (IOException e) {
        throw new EvaluationException(
            "Cannot remove a folder in " + out + ": " + e.getMessage(), e);
      }
    }
  }
}
