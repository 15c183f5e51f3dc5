package org.descant.training.tune;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.descant.lab.Lab;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelException;
import org.descant.models.published.TunedModel;
import org.descant.shards.Dataset;
import org.descant.shards.FieldFile;
import org.descant.tensor.MatrixPeak;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Precision;
import org.descant.training.Basis;
import org.descant.training.Progress;
import org.descant.training.Seen;
import org.descant.training.Trainer;
import org.descant.training.TrainingException;
import org.descant.training.loop.CheckpointWriter;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Fingerprint;
import org.descant.training.loop.Loop;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.RecipeText;
import org.jspecify.annotations.Nullable;

/**
 * One run that tunes a MusicGen-shaped model on a dataset. Run it again with the same folder after
 * any kind of end, and it goes on to the same bits.
 *
 * <p>What ships lies in the run's {@code adapter} or {@code model} folder, with a {@link
 * TunedModel} that names its parents. {@link #run} belongs to one thread; {@link #stop} may come
 * from any.
 */
public final class Tuner {
  private static final int ID_HASH_DIGITS = 8;
  private static final String REQUESTED_HASH = "requestedRecipeHash";
  private static final String BASE_HASH = "baseSha256";
  private static final String BASE = "base";
  private static final String FAILURE = "failure";

  private final TuneRecipe requested;
  private final Dataset dataset;
  private final Path path;
  private final Progress progress;
  private boolean again;
  private volatile boolean stopRequested;

  /**
   * Prepares a run; nothing is written before {@link #run}.
   *
   * @param recipe as asked for; {@code auto} in it is resolved at the first start
   * @param dataset to learn from; stays open and belongs to the caller
   * @param runFolder new, or of a run of the same recipe, base and dataset that goes on
   */
  public Tuner(TuneRecipe recipe, Dataset dataset, Path runFolder, Progress progress) {
    this.requested = recipe;
    this.dataset = dataset;
    this.path = runFolder;
    this.progress = progress;
  }

  /** Runs to the end without a way to stop. */
  public static RunRecord run(
      TuneRecipe recipe, Dataset dataset, Path runFolder, Progress progress) {
    return new Tuner(recipe, dataset, runFolder, progress).run();
  }

  /** The name that a run of this recipe has by default. */
  public static String runId(TuneRecipe recipe) {
    return recipe.name() + "-" + RecipeText.hash(recipe).substring(0, ID_HASH_DIGITS);
  }

  /** Whether a record is that of a tuning run. */
  public static boolean isTuning(RunRecord record) {
    return record.facts().containsKey(BASE_HASH);
  }

  /** The recipe that was in force in a tuning run. */
  public static TuneRecipe recipe(RunRecord record) {
    return RecipeText.fromMap(record.effectiveRecipe(), TuneRecipe.class);
  }

  /** Where a run of this recipe puts what ships. */
  public static Path shipped(TuneRecipe recipe, Path runFolder) {
    return runFolder.resolve(recipe.adapts() ? "adapter" : "model");
  }

  /** The file with the weights that a run of this recipe ships. */
  public static Path weights(TuneRecipe recipe, Path runFolder) {
    return shipped(recipe, runFolder)
        .resolve(recipe.adapts() ? "adapter_model.safetensors" : "model.safetensors");
  }

  /**
   * Fails unless the base that a record names is still what it was.
   *
   * @throws TrainingException when its files are others
   * @throws ModelException when it is gone
   */
  public static void requireSameBase(RunRecord record) {
    Path base = base(recipe(record));
    if (!TunedModel.contentHash(base).equals(record.facts().get(BASE_HASH))) {
      throw new TrainingException(
          "%s is not what %s was tuned from any more; put that model back"
              .formatted(base, record.id()));
    }
  }

  /**
   * Codes recordings even where their codes lie beside the sound, and fails if those are others.
   */
  public void codeAgain() {
    again = true;
  }

  /** Asks the run to stop after its present step, with a checkpoint. Returns at once. */
  public void stop() {
    stopRequested = true;
  }

  /**
   * Starts the run, or goes on with it; of a finished run only returns the record.
   *
   * @return the record: {@code FINISHED}, or {@code STOPPED} when {@link #stop} was called
   * @throws TrainingException when the folder is of another run or base, or a loss is not finite
   * @throws ModelException when the base is none that can be loaded
   * @throws org.descant.lab.LabException when another process works on the run, or the disk fails
   */
  public RunRecord run() {
    TunedModel.Base base = TunedModel.Base.of(base(requested));
    if (RunFolder.isRun(path)) {
      RunRecord record = RunFolder.record(path);
      if (!RecipeText.hash(requested).equals(record.facts().get(REQUESTED_HASH))
          || !record.datasetRoot().equals(dataset.manifest().root())
          || !base.contentHash().equals(record.facts().get(BASE_HASH))) {
        throw new TrainingException(
            "%s is a run of another recipe, dataset or base (%s); choose another --out"
                .formatted(path, record.id()));
      }
      if (record.status() == RunStatus.FINISHED) {
        return record;
      }
    }
    try (RunFolder folder = RunFolder.openForWriting(path)) {
      RunRecord record = begin(folder, base);
      try {
        return train(folder, record, base);
      } catch (TrainingException | ModelException e) {
        folder.save(
            RunFolder.record(path)
                .with(
                    RunStatus.FAILED,
                    Instant.now(),
                    record.step(),
                    Map.of(FAILURE, String.valueOf(e.getMessage()))));
        throw e;
      }
    }
  }

  /** The base's folder. */
  static Path base(TuneRecipe recipe) {
    if (recipe.base().isBlank()) {
      throw new TrainingException(
          "the recipe's 'base' is empty; name the folder of a MusicGen with --set base=FOLDER");
    }
    Path base = Path.of(recipe.base());
    if (TunedModel.find(base).filter(t -> t.kind() == TunedModel.Kind.ADAPTER).isPresent()) {
      throw new TrainingException(
          "%s holds an adapter, which is no model by itself; name the folder it is for with --set"
                  .formatted(base)
              + " base=FOLDER");
    }
    return base;
  }

  /**
   * A recipe with nothing left to choose.
   *
   * @param matmulPeak operations a second of the fastest matrix product at this precision
   */
  record Resolved(TuneRecipe recipe, double matmulPeak) {}

  static Resolved resolve(TuneRecipe requested) {
    int threads =
        requested.threads() > 0 ? requested.threads() : Runtime.getRuntime().availableProcessors();
    NativeRuntime.init(threads);
    Precision precision =
        requested.precision().equals("auto")
            ? Precision.auto()
            : Precision.valueOf(requested.precision().toUpperCase(Locale.ROOT));
    return new Resolved(
        requested.resolved(precision.name().toLowerCase(Locale.ROOT), threads),
        MatrixPeak.measure(precision, Trainer.PEAK_SECONDS).flops());
  }

  /** The record to go on with, or a new one with everything resolved. */
  private RunRecord begin(RunFolder folder, TunedModel.Base base) {
    Trainer.requireWritable(dataset);
    RunRecord record;
    String code = Basis.codeTree();
    if (RunFolder.isRun(path)) {
      record = RunFolder.record(path);
      if (!record.codeTree().equals(code)) {
        progress.note(
            "the code has changed since this run began: its bits may not be those of an unbroken"
                + " run");
      }
      NativeRuntime.init(record.threads());
      record = record.with(RunStatus.RUNNING, null, record.step(), Map.of());
    } else {
      Resolved resolved = resolve(requested);
      TuneRecipe recipe = resolved.recipe();
      NativeRuntime.Description runtime = NativeRuntime.describe();
      record =
          new RunRecord(
              RunRecord.VERSION,
              runId(requested),
              recipe.name(),
              RecipeText.hash(recipe),
              RecipeText.toMap(recipe),
              dataset.manifest().id(),
              dataset.manifest().root(),
              recipe.seed(),
              code,
              Basis.libraries(runtime),
              Basis.processor(runtime),
              recipe.threads(),
              RunStatus.RUNNING,
              Instant.now(),
              null,
              0,
              recipe.steps(),
              Map.of(
                  REQUESTED_HASH,
                  RecipeText.hash(requested),
                  BASE_HASH,
                  base.contentHash(),
                  BASE,
                  Optional.ofNullable(base.pulled()).orElse(base.name()),
                  Trainer.MATMUL_PEAK,
                  resolved.matmulPeak()));
      progress.note("effective recipe " + RecipeText.canonical(recipe));
    }
    folder.save(record);
    return record;
  }

  /** What learns in a run of this recipe. */
  static TunedWeights weights(TuneRecipe recipe) {
    Path base = base(recipe);
    return recipe.adapts() ? new AdapterWeights(recipe, base) : new DecoderWeights(recipe, base);
  }

  /** Recordings that are learned from or, if {@code held}, only measured on. */
  static List<Integer> recordings(TuneRecipe recipe, Dataset dataset, boolean held) {
    List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
    var chosen = new ArrayList<Integer>();
    for (int i = 0; i < dataset.size(); i++) {
      if (!dataset.withdrawn(i) && heldOut.contains(i) == held) {
        chosen.add(i);
      }
    }
    return chosen;
  }

  private RunRecord train(RunFolder folder, RunRecord record, TunedModel.Base base) {
    TuneRecipe recipe = recipe(record);
    var facts = new LinkedHashMap<String, Object>(record.facts());
    var checkpoints =
        new Checkpoints(path, recipe.checkpoint().every(), recipe.checkpoint().keep());
    double peak = record.facts().get(Trainer.MATMUL_PEAK) instanceof Number n ? n.doubleValue() : 0;
    long begin = System.nanoTime();
    try (TunedWeights weights = weights(recipe);
        CheckpointWriter writer = new CheckpointWriter(checkpoints, folder::event)) {
      var codes = new TuneCodes(weights.model(), dataset, path, base.contentHash());
      FieldFile coded =
          codes.code(again, recipe.logEvery(), folder::log, progress, () -> stopRequested);
      begin = timed(facts, TuneCodes.NAME, begin);
      if (coded == null) {
        return ended(folder, record, RunStatus.STOPPED, facts);
      }
      var around =
          new Loop.Surroundings(
              recipe.logEvery(),
              peak,
              folder::log,
              folder::event,
              progress,
              () -> stopRequested,
              checkpoints,
              writer,
              Replicas.ALONE);
      Map<String, String> metadata = metadata(record, base);
      try (coded) {
        facts.put(Trainer.FIELDS, List.of(coded.spec().name()));
        folder.save(record.with(RunStatus.RUNNING, null, record.step(), facts));
        List<TuneCodes.Piece> learned = pieces(codes, coded, recipe, false);
        List<TuneCodes.Piece> measured = pieces(codes, coded, recipe, true);
        try (var stage =
            new TuneStage(
                recipe,
                dataset,
                Path.of(recipe.base()),
                weights,
                around,
                metadata,
                learned,
                measured)) {
          Checkpoints.@Nullable Saved saved = checkpoints.latest().orElse(null);
          progress.note(
              "%s: %s; %d recordings, %d held out; %s, %d threads%s%s"
                  .formatted(
                      record.id(),
                      weights.described(),
                      learned.size(),
                      measured.size(),
                      recipe.precision(),
                      recipe.threads(),
                      stage.hasTexts() ? "" : "; no tokenizer.json or no texts: nothing is told",
                      saved == null ? "" : "; goes on after step " + saved.facts().step()));
          facts.put("order." + TuneStage.NAME, stage.order().fingerprint());
          var seen = new Fingerprint();
          long last = stage.train(saved, seen, path);
          timed(facts, TuneStage.NAME, begin);
          if (last == Loop.STOPPED) {
            return ended(folder, record, RunStatus.STOPPED, facts);
          }
          Seen what = Seen.upTo(path, last);
          facts.put("sequencesSeen", what.counts(TuneStage.NAME));
          facts.put("skippedSteps", what.skippedSteps());
          facts.put("orderSeen", seen.toString());
          TreeMap<String, Double> figures = figures();
          facts.putAll(figures);
          facts.put("model", ship(record, recipe, base, weights, metadata, figures).id());
          return ended(folder, record, RunStatus.FINISHED, facts);
        }
      }
    }
  }

  /** The pieces that are long enough. */
  private List<TuneCodes.Piece> pieces(
      TuneCodes codes, FieldFile coded, TuneRecipe recipe, boolean held) {
    return longEnough(
        codes.pieces(coded, recordings(recipe, dataset, held)), recipe, held, dataset, progress);
  }

  /** Leaves out, and names, what is shorter than an excerpt. */
  static List<TuneCodes.Piece> longEnough(
      List<TuneCodes.Piece> pieces,
      TuneRecipe recipe,
      boolean held,
      Dataset dataset,
      Progress progress) {
    var kept = new ArrayList<TuneCodes.Piece>();
    for (TuneCodes.Piece piece : pieces) {
      if (piece.length() >= recipe.tune().frames()) {
        kept.add(piece);
      } else {
        progress.note(
            "%s has %d frames, fewer than tune.frames, and is left out"
                .formatted(dataset.isrc(piece.recording()), piece.length()));
      }
    }
    if (kept.isEmpty() && !held) {
      throw new TrainingException(
          "no recording is as long as %d frames; lower tune.frames"
              .formatted(recipe.tune().frames()));
    }
    return kept;
  }

  /** Facts that are functions of the run alone. */
  private Map<String, String> metadata(RunRecord record, TunedModel.Base base) {
    var metadata = new TreeMap<String, String>();
    metadata.put("recipe", record.recipe());
    metadata.put("recipeHash", record.recipeHash());
    metadata.put("datasetRoot", record.datasetRoot());
    metadata.put(BASE, Optional.ofNullable(base.pulled()).orElse(base.name()));
    metadata.put(BASE_HASH, base.contentHash());
    return metadata;
  }

  private TunedModel ship(
      RunRecord record,
      TuneRecipe recipe,
      TunedModel.Base base,
      TunedWeights weights,
      Map<String, String> metadata,
      TreeMap<String, Double> figures) {
    Path target = shipped(recipe, path);
    weights.ship(target, metadata);
    List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
    var recordings = new ArrayList<TunedModel.TunedOn>();
    for (int i = 0; i < dataset.size(); i++) {
      if (!dataset.withdrawn(i)) {
        recordings.add(
            new TunedModel.TunedOn(
                dataset.isrc(i), dataset.title(i), dataset.artist(i), heldOut.contains(i)));
      }
    }
    return new TunedModel(
            "",
            record.id(),
            weights.kind(),
            base,
            record.id(),
            record.recipe(),
            record.recipeHash(),
            record.datasetRoot(),
            recordings,
            figures)
        .write(target);
  }

  /** What the run reached, read back from its metrics. */
  private TreeMap<String, Double> figures() {
    var figures = new TreeMap<String, Double>();
    Lab.Curve curve = Lab.curves(path).get(TuneStage.NAME + "/" + TuneStage.HELD_OUT_LOSS);
    if (curve != null) {
      figures.put(TuneStage.HELD_OUT_LOSS + ".start", curve.values().getFirst());
      figures.put(TuneStage.HELD_OUT_LOSS + ".end", curve.values().getLast());
    }
    return figures;
  }

  /** Adds the seconds since a moment to a stage's, which may have run in several processes. */
  private static long timed(Map<String, Object> facts, String stage, long begin) {
    long now = System.nanoTime();
    String name = "seconds." + stage;
    double before = facts.get(name) instanceof Number number ? number.doubleValue() : 0;
    facts.put(name, Math.round((before + (now - begin) / 1e9) * 10) / 10.0);
    return now;
  }

  private RunRecord ended(
      RunFolder folder, RunRecord record, RunStatus status, Map<String, Object> facts) {
    long step =
        new Checkpoints(path, 1, 1).latest().map(s -> s.facts().step()).orElse(record.step());
    RunRecord ended = record.with(status, Instant.now(), step, facts);
    folder.save(ended);
    progress.note(
        status == RunStatus.FINISHED
            ? "%s: finished".formatted(record.id())
            : "%s: stopped after step %d with everything safe; the same command goes on"
                .formatted(record.id(), step));
    return ended;
  }
}
