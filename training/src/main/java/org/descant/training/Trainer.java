package org.descant.training;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.descant.lab.Lab;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.tensor.MatrixPeak;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.PeerLostException;
import org.descant.tensor.Precision;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Fingerprint;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Withdrawals;
import org.descant.training.parallel.Replicas;
import org.descant.training.parallel.Team;
import org.descant.training.parallel.Unlogged;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.CodecStage;
import org.descant.training.stage.GivenCodec;
import org.descant.training.stage.LastStage;
import org.descant.training.stage.LmStage;
import org.descant.training.stage.Setting;
import org.descant.training.stage.TokenStage;
import org.descant.training.stage.Tokens;

/**
 * One training run: codec, tokens, and a language model or a flow model, or the codec alone, or the
 * rest of it with the codec of an earlier run. Run it again with the same folder after any kind of
 * end, and it goes on to the same bits.
 *
 * <pre>{@code
 * var trainer = new Trainer(Recipes.named("house-tiny"), dataset, folder, Progress.to(System.err));
 * Runtime.getRuntime().addShutdownHook(new Thread(trainer::stop)); // and wait for run() to return
 * RunRecord record = trainer.run();
 * }</pre>
 *
 * <p>{@link #run} belongs to one thread; {@link #stop} may come from any.
 */
public final class Trainer {
  /** The house models' operations are too small to feed more. */
  private static final int AUTO_THREADS_MAX = 8;

  private static final int ID_HASH_DIGITS = 8;
  private static final String MODEL_FOLDER = "model";
  private static final String MODEL = "model";
  private static final String CODEC = "codec";
  private static final String GIVEN_CODEC = "givenCodec";
  private static final String REQUESTED_HASH = "requestedRecipeHash";
  private static final String FAILURE = "failure";
  private static final String BEGUN = "begun";
  static final String WORKERS = "workers";
  private static final String SECONDS = "seconds.";
  private static final String ORDER = "order.";

  /** Seconds for which a run measures what matrix products reach here. */
  public static final double PEAK_SECONDS = 0.05;

  /** The fact of a record that holds that. */
  public static final String MATMUL_PEAK = "matmulPeakFlops";

  /** The fact of a record that names the dataset's fields a run read its codes from. */
  public static final String FIELDS = "fields";

  /** What a run does without since it was withdrawn, with the first step without it. */
  static final String WITHDRAWN = "withdrawn";

  private final Recipe requested;
  private final Dataset dataset;
  private final Path path;
  private final Progress progress;
  private final Replicas replicas;
  private boolean again;
  private volatile boolean stopRequested;

  /** Where the first process writes; of the others only the last lines are kept. */
  private record Book(
      Consumer<RunRecord> record, Consumer<MetricLine> metrics, Consumer<RunEvent> events) {}

  /**
   * Prepares a run; nothing is written before {@link #run}.
   *
   * @param recipe as asked for; {@code auto} in it is resolved at the first start
   * @param dataset to learn from; stays open and belongs to the caller
   * @param runFolder new, or of a run of the same recipe and dataset that goes on
   */
  public Trainer(Recipe recipe, Dataset dataset, Path runFolder, Progress progress) {
    this(recipe, dataset, runFolder, progress, Replicas.ALONE);
  }

  /**
   * Prepares one process of a run.
   *
   * @param progress heard of the first process only
   * @param replicas the processes of the run; stays open and belongs to the caller
   */
  public Trainer(
      Recipe recipe, Dataset dataset, Path runFolder, Progress progress, Replicas replicas) {
    this.requested = recipe;
    this.dataset = dataset;
    this.path = runFolder;
    this.progress = replicas.leads() ? progress : Progress.NONE;
    this.replicas = replicas;
  }

  /** Runs to the end without a way to stop. */
  public static RunRecord run(Recipe recipe, Dataset dataset, Path runFolder, Progress progress) {
    return new Trainer(recipe, dataset, runFolder, progress).run();
  }

  /** The name that a run of this recipe has by default: {@code house-tiny-1a2b3c4d}. */
  public static String runId(Recipe recipe) {
    return recipe.name() + "-" + RecipeText.hash(recipe).substring(0, ID_HASH_DIGITS);
  }

  /** The model folder of a finished run. */
  public static Path modelFolder(Path runFolder) {
    return runFolder.resolve(MODEL_FOLDER);
  }

  /** Whether a run has made a model; one that ended with its codec has not. */
  public static boolean hasModel(RunRecord record) {
    return record.facts().containsKey(MODEL);
  }

  /**
   * Codes recordings even where their codes lie beside the sound, and fails if those are others.
   */
  void codeAgain() {
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
   * @throws TrainingException when the folder is of another run, or a loss is not finite
   * @throws org.descant.lab.LabException when another process works on the run, or the disk fails
   * @throws PeerLostException when another process of the run was lost; the same run goes on when
   *     all are started again
   */
  public RunRecord run() {
    requireTrainable(replicas.count(), replicas.sharded());
    if (!replicas.leads()) {
      return follow();
    }
    if (RunFolder.isRun(path)) {
      RunRecord record = RunFolder.record(path);
      if (record.status() == RunStatus.FINISHED) {
        replicas.meet(BEGUN, false);
        return record;
      }
    }
    try (RunFolder folder = RunFolder.openForWriting(path)) {
      RunRecord record = begin(folder);
      replicas.meet(BEGUN, false);
      try {
        return train(new Book(folder::save, folder::log, folder::event), record);
      } catch (TrainingException e) {
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

  /**
   * Fails with a sentence where this run could not be done so: for who starts the processes and
   * would hear of it from each.
   *
   * @param workers processes that share every batch
   * @param sharded whether the optimiser's state is spread over them
   */
  public void requireTrainable(int workers, boolean sharded) {
    Team.requireSplit(requested.batch(), requested.accumulate(), workers);
    Team.requireSplit(requested.codec().batch(), requested.codec().accumulate(), workers);
    Optimisation.requireSupported(requested.codec().optimiser(), sharded);
    Optimisation.requireSupported(requested.last().optimiser(), sharded);
    if (requested.lastSteps() > 0) {
      requireWritable(dataset);
    }
    if (RunFolder.isRun(path)) {
      requireSame(RunFolder.record(path));
    }
  }

  /** Fails with a sentence where a run could not keep beside the sound what it codes. */
  public static void requireWritable(Dataset dataset) {
    if (!Files.isWritable(dataset.folder())) {
      throw new TrainingException(
          ("a run keeps the codes of recordings beside their sound, and %s cannot be written to;"
                  + " make it writable, or copy the dataset")
              .formatted(dataset.folder()));
    }
  }

  /** Trains beside the first process, which keeps the record and has resolved the recipe. */
  private RunRecord follow() {
    replicas.meet(BEGUN, false);
    RunRecord record = RunFolder.record(path);
    requireSame(record);
    if (record.status() == RunStatus.FINISHED) {
      return record;
    }
    NativeRuntime.init(record.threads());
    var unlogged = new Unlogged();
    try {
      return train(new Book(ignored -> {}, unlogged::log, unlogged::event), record);
    } catch (PeerLostException e) {
      unlogged.write(path, replicas.rank());
      throw e;
    }
  }

  private void requireSame(RunRecord record) {
    if (!RecipeText.hash(requested).equals(record.facts().get(REQUESTED_HASH))) {
      throw new TrainingException(
          "%s is a run of another recipe (%s); choose another --out".formatted(path, record.id()));
    }
    if (!record.datasetRoot().equals(dataset.manifest().root())) {
      throw new TrainingException(
          "%s was trained on dataset %s with root %s, this one has root %s; choose another --out"
              .formatted(
                  path,
                  record.dataset(),
                  record.datasetRoot().substring(0, 12),
                  dataset.manifest().root().substring(0, 12)));
    }
  }

  /**
   * A recipe with nothing left to choose.
   *
   * @param recipe with precision and threads resolved
   * @param matmulPeak operations a second of the fastest matrix product at this precision
   */
  record Resolved(Recipe recipe, double matmulPeak) {}

  /**
   * Measures what {@code auto} means on this machine now, and what its products reach.
   *
   * @param processes of the run that share this machine
   */
  static Resolved resolve(Recipe requested, int processes) {
    int threads =
        requested.threads() > 0
            ? requested.threads()
            : Math.clamp(
                Runtime.getRuntime().availableProcessors() / processes, 1, AUTO_THREADS_MAX);
    NativeRuntime.init(threads);
    Precision precision =
        requested.precision().equals("auto")
            ? Precision.auto()
            : Precision.valueOf(requested.precision().toUpperCase(Locale.ROOT));
    return new Resolved(
        requested.resolved(precision.name().toLowerCase(Locale.ROOT), threads),
        MatrixPeak.measure(precision, PEAK_SECONDS).flops());
  }

  /** The record to go on with, or a new one with everything resolved. */
  private RunRecord begin(RunFolder folder) {
    String code = Basis.codeTree();
    RunRecord record;
    if (RunFolder.isRun(path)) {
      record = RunFolder.record(path);
      if (!record.codeTree().equals(code)) {
        progress.note(
            "the code has changed since this run began (%s, now %s): its bits may not be those of an"
                    .formatted(record.codeTree().substring(0, 12), code.substring(0, 12))
                + " unbroken run");
      }
      NativeRuntime.init(record.threads());
      record = record.with(RunStatus.RUNNING, null, record.step(), Map.of());
    } else {
      Resolved resolved = resolve(requested, replicas.localCount());
      var facts = new TreeMap<String, Object>();
      facts.put(REQUESTED_HASH, RecipeText.hash(requested));
      facts.put(MATMUL_PEAK, resolved.matmulPeak());
      Recipe recipe = taken(resolved.recipe(), facts);
      int threads = recipe.threads();
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
              threads,
              RunStatus.RUNNING,
              Instant.now(),
              null,
              0,
              recipe.steps(),
              facts);
      progress.note("effective recipe " + RecipeText.canonical(recipe));
    }
    folder.save(record);
    return record;
  }

  /** The recipe with the codec that it takes from elsewhere, if it does, kept and named by hash. */
  private Recipe taken(Recipe recipe, Map<String, Object> facts) {
    if (recipe.codec().from().isEmpty()) {
      return recipe;
    }
    try (GivenCodec given = GivenCodec.of(recipe, dataset)) {
      given.keep(path);
      facts.put(GIVEN_CODEC, given.origin());
      return given.in(recipe);
    }
  }

  private RunRecord train(Book book, RunRecord record) {
    Recipe recipe = RecipeText.fromMap(record.effectiveRecipe());
    double peak = record.facts().get(MATMUL_PEAK) instanceof Number n ? n.doubleValue() : 0;
    Consumer<RunEvent> events =
        event -> {
          book.events.accept(event);
          if (event.event().equals(Withdrawals.EVENT)) {
            RunRecord now = RunFolder.record(path);
            book.record.accept(
                now.with(RunStatus.RUNNING, null, now.step(), withdrawn(now, event)));
          }
        };
    var listeners = new Setting.Listeners(book.metrics, events, progress, () -> stopRequested);
    try (Setting setting =
            Setting.of(recipe, record.recipeHash(), dataset, path, peak, listeners, replicas);
        var codec = new CodecStage(setting);
        var weights = codec.codec()) {
      return train(book, record, setting, codec);
    }
  }

  private RunRecord train(Book book, RunRecord record, Setting setting, CodecStage codec) {
    Recipe recipe = setting.recipe();
    Optional<Checkpoints.Saved> saved = setting.checkpoints().latest();
    long after = saved.map(s -> s.facts().step()).orElse(0L);
    requireSameStep(after);
    if (replicas.leads()) {
      Unlogged.Left left = Unlogged.take(path, after);
      left.metrics().forEach(book.metrics);
      left.events().forEach(book.events);
    }
    String stage = saved.map(s -> s.facts().stage()).orElse("");
    progress.note(
        "%s: %d recordings to learn from, %d held out, %.1f minutes; %s, %d threads%s"
            .formatted(
                record.id(),
                setting.live(setting.trained()).size(),
                setting.live(setting.heldOut()).size(),
                dataset.manifest().seconds() / 60,
                recipe.precision(),
                recipe.threads(),
                saved.map(s -> "; goes on after step " + s.facts().step()).orElse("")));
    var facts = new LinkedHashMap<String, Object>(record.facts());
    facts.put(WORKERS, replicas.count());
    boolean given = recipe.codecSteps() == 0;
    if (!given) {
      facts.put(ORDER + CodecStage.NAME, codec.order().fingerprint());
    }
    var seen = new Fingerprint();
    long begin = System.nanoTime();
    if (given && stage.isEmpty()) {
      GivenCodec.restore(setting, codec.codec());
    } else if (stage.isEmpty() || stage.equals(CodecStage.NAME)) {
      boolean done = codec.train(saved.orElse(null), seen);
      begin = timed(facts, CodecStage.NAME, begin);
      if (!done) {
        putWithdrawn(facts, setting);
        return ended(book, record, RunStatus.STOPPED, facts);
      }
      putWithdrawn(facts, setting);
      book.record.accept(record.with(RunStatus.RUNNING, null, recipe.codecSteps(), facts));
      saved = Optional.empty();
    } else {
      codec.restoreWeights(saved.orElseThrow());
    }
    if (recipe.lastSteps() == 0) {
      return endedWithCodec(book, record, facts, seen);
    }
    Tokens tokens = new TokenStage(setting, codec.codec()).code(again);
    begin = timed(facts, TokenStage.NAME, begin);
    if (tokens == null) {
      return ended(book, record, RunStatus.STOPPED, facts);
    }

    facts.put(FIELDS, tokens.fields().stream().map(field -> field.spec().name()).toList());
    RunRecord coded = RunFolder.record(path);
    book.record.accept(coded.with(RunStatus.RUNNING, null, coded.step(), facts));
    try (tokens;
        LastStage<?> model = LastStage.of(setting, codec, tokens)) {
      facts.put(ORDER + model.name(), model.order().fingerprint());
      long last;
      if (stage.equals(LastStage.DONE)) {
        model.restoreShipped(saved.orElseThrow());
        seen.restore(saved.get().facts().numbers());
        setting.withdrawals().restore(saved.get().facts().numbers());
        last = saved.get().facts().step();
      } else {
        last = model.train(saved.orElse(null), seen);
      }
      timed(facts, model.name(), begin);
      putWithdrawn(facts, setting);
      if (last == Loop.STOPPED) {
        return ended(book, record, RunStatus.STOPPED, facts);
      }
      if (!replicas.leads()) {
        return record;
      }
      facts.putAll(figures(path, recipe));
      facts.putAll(seen(path, recipe, last));
      facts.put("orderSeen", seen.toString());
      ModelCard card = ship(setting, record, facts, last, tokens, model, modelFolder(path));
      facts.put(MODEL, card.id());
      return ended(book, record, RunStatus.FINISHED, facts);
    }
  }

  /** Ends a run that was to learn a codec and nothing else: its weights are the last checkpoint. */
  private RunRecord endedWithCodec(
      Book book, RunRecord record, Map<String, Object> facts, Fingerprint seen) {
    if (!replicas.leads()) {
      return record;
    }
    Recipe recipe = RecipeText.fromMap(record.effectiveRecipe());
    facts.putAll(figures(path, recipe));
    facts.put("orderSeen", seen.toString());
    Checkpoints.Saved last =
        new Checkpoints(path, 1, 1)
            .latest()
            .orElseThrow(() ->
                new TrainingException(
                    path + " has lost its last checkpoint; run the recipe into another folder"));
    facts.put(CODEC, path.relativize(last.path().resolve(Checkpoints.MODEL)).toString());
    return ended(book, record, RunStatus.FINISHED, facts);
  }

  /** The record's withdrawn recordings, with one event's on top. */
  private static Map<String, Object> withdrawn(RunRecord record, RunEvent event) {
    var all = new TreeMap<String, Object>();
    if (record.facts().get(WITHDRAWN) instanceof Map<?, ?> before) {
      before.forEach((isrc, step) -> all.put(String.valueOf(isrc), step));
    }
    if (event.facts().get("isrcs") instanceof List<?> isrcs) {
      isrcs.forEach(isrc -> all.put(String.valueOf(isrc), event.step()));
    }
    return Map.of(WITHDRAWN, all);
  }

  private static void putWithdrawn(Map<String, Object> facts, Setting setting) {
    if (!setting.withdrawals().steps().isEmpty()) {
      facts.put(WITHDRAWN, setting.withdrawals().steps());
    }
  }

  /** Processes that go on from different checkpoints see different run folders. */
  private void requireSameStep(long step) {
    if (!replicas.agree(step)) {
      throw new TrainingException(
          ("rank %d finds checkpoint %d in %s, others find another; the run folder must be the same"
                  + " one on all machines")
              .formatted(replicas.rank(), step, path));
    }
  }

  /** What the last stage has learned from, for the record and the model's card. */
  private static Map<String, Object> seen(Path path, Recipe recipe, long last) {
    Seen seen = Seen.upTo(path, last);
    return Map.of(
        "sequencesSeen", seen.counts(recipe.last().name()), "skippedSteps", seen.skippedSteps());
  }

  private static ModelCard ship(
      Setting setting,
      RunRecord record,
      Map<String, Object> facts,
      long step,
      Tokens tokens,
      LastStage<?> model,
      Path folder) {
    var training = new TreeMap<>(facts);
    training.put("step", step);
    training.put("steps", record.steps());
    training.put("threads", record.threads());
    training.put("precision", setting.recipe().precision());
    training.put("processor", record.processor());
    training.put("codeTree", record.codeTree());
    return model.save(
        folder,
        Cards.card(setting, tokens.styles(), training, figures(setting.path(), setting.recipe())));
  }

  /**
   * Writes the model that a run would ship if it ended now, from its newest checkpoint. The run may
   * be going on in another process.
   *
   * @param runFolder of a run that has a checkpoint of its last stage
   * @param modelFolder that receives {@code model.safetensors} and {@code card.json}
   * @return the card as written
   * @throws TrainingException when there is no such checkpoint, or the dataset is another
   */
  public static ModelCard snapshot(Dataset dataset, Path runFolder, Path modelFolder) {
    RunRecord record = RunFolder.record(runFolder);
    if (!record.datasetRoot().equals(dataset.manifest().root())) {
      throw new TrainingException(
          "%s was trained on dataset %s, not on this one".formatted(runFolder, record.dataset()));
    }
    NativeRuntime.init(1);
    Recipe recipe = RecipeText.fromMap(record.effectiveRecipe());
    try (Setting setting =
            Setting.of(
                recipe,
                record.recipeHash(),
                dataset,
                runFolder,
                0,
                Setting.Listeners.NONE,
                Replicas.ALONE);
        var codec = new CodecStage(setting);
        var weights = codec.codec()) {
      Checkpoints.Saved saved =
          setting
              .checkpoints()
              .latest()
              .filter(s -> !s.facts().stage().equals(CodecStage.NAME))
              .orElseThrow(() ->
                  new TrainingException(
                      runFolder + " has no checkpoint of its last stage yet; let it run on"));
      codec.restoreWeights(saved);
      setting.withdrawals().restore(saved.facts().numbers());
      // The run has coded all of it; only code that is newer than the run's would do it again.
      try (Tokens tokens =
              Objects.requireNonNull(
                  new TokenStage(setting, codec.codec()).code(false), "nobody asks it to stop");
          LastStage<?> model = LastStage.of(setting, codec, tokens)) {
        model.restoreShipped(saved);
        long step = saved.facts().step();
        var facts = new TreeMap<String, Object>(record.facts());
        facts.putAll(seen(runFolder, recipe, step));
        return ship(setting, record, facts, step, tokens, model, modelFolder);
      }
    }
  }

  /** Adds the seconds since a moment to a stage's, which may have run in several processes. */
  private static long timed(Map<String, Object> facts, String stage, long begin) {
    long now = System.nanoTime();
    double before = facts.get(SECONDS + stage) instanceof Number number ? number.doubleValue() : 0;
    facts.put(SECONDS + stage, Math.round((before + (now - begin) / 1e9) * 10) / 10.0);
    return now;
  }

  /** What the run reached, read back from its metrics. */
  private static TreeMap<String, Double> figures(Path path, Recipe recipe) {
    var figures = new TreeMap<String, Double>();
    Map<String, Lab.Curve> curves = Lab.curves(path);
    for (String name :
        List.of(
            CodecStage.NAME + "/" + CodecStage.MEL_DISTANCE,
            CodecStage.NAME + "/" + CodecStage.STFT_DISTANCE,
            CodecStage.NAME + "/" + CodecStage.SI_SDR,
            recipe.last().name() + "/" + LastStage.HELD_OUT_LOSS)) {
      Lab.Curve curve = curves.get(name);
      if (curve != null) {
        String metric = name.substring(name.indexOf('/') + 1);
        figures.put(metric + ".start", curve.values().getFirst());
        figures.put(metric + ".end", curve.values().getLast());
        DoubleSummaryStatistics all =
            curve.values().stream().mapToDouble(Double::doubleValue).summaryStatistics();
        boolean more = metric.equals(CodecStage.SI_SDR); // is better
        figures.put(metric + ".best", more ? all.getMax() : all.getMin());
      }
    }
    Double best = figures.get(LastStage.HELD_OUT_LOSS + ".best");
    Double end = figures.get(LastStage.HELD_OUT_LOSS + ".end");
    if (best != null && end != null) {
      figures.put(LastStage.HELD_OUT_LOSS, recipe.last().stopAfter() > 0 ? best : end);
    }
    for (String metric : List.of(LmStage.UNIGRAM_ENTROPY, LmStage.UNIGRAM_CROSS_ENTROPY)) {
      Lab.Curve curve = curves.get(LmStage.NAME + "/" + metric);
      if (curve != null) {
        figures.put(metric, curve.values().getLast());
      }
    }
    return figures;
  }

  private RunRecord ended(
      Book book, RunRecord record, RunStatus status, Map<String, Object> facts) {
    long step =
        new Checkpoints(path, 1, 1).latest().map(s -> s.facts().step()).orElse(record.step());
    RunRecord ended = record.with(status, Instant.now(), step, facts);
    book.record.accept(ended);
    if (status == RunStatus.FINISHED) {
      progress.note(
          hasModel(ended)
              ? "%s: finished, the model is in %s".formatted(record.id(), modelFolder(path))
              : "%s: finished, the codec is in %s"
                  .formatted(record.id(), path.resolve(String.valueOf(facts.get(CODEC)))));
    } else {
      progress.note(
          "%s: stopped after step %d with everything safe; the same command goes on"
              .formatted(record.id(), step));
    }
    return ended;
  }
}
