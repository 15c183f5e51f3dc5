package org.descant.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.shards.Dataset;
import org.descant.shards.Tombstone;
import org.descant.tensor.NativeRuntime;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.GivenCodec;
import org.descant.training.tune.TuneRecipe;
import org.descant.training.tune.Tuner;
import org.jspecify.annotations.Nullable;

/**
 * Runs a recorded run again, from its record alone, and says whether the bits agree: every logged
 * loss, norm and distance, and the model at the end. Stateless.
 *
 * <p>The record holds what was {@code auto} as it was resolved, so threads and precision are those
 * of then. The replay ends at the first logged step that differs.
 */
public final class Replay {
  private static final String MODEL = "model.safetensors";

  /**
   * What a metric's name begins with when it is a function of the run; speed and memory are not.
   */
  private static final List<String> FUNCTIONS_OF_THE_RUN =
      List.of("loss", "gradientNorm", "learningRate", "heldOut", "unigram");

  private Replay() {}

  /**
   * The first logged value that is not what it was.
   *
   * @param replayed {@code null} when the replay did not log it
   */
  public record Difference(
      String stage, long step, String metric, double recorded, @Nullable Double replayed) {
    @Override
    public String toString() {
      return "step %d (%s): %s was %s, now %s"
          .formatted(
              step, stage, metric, recorded, replayed == null ? "not logged" : replayed.toString());
    }
  }

  /**
   * How a replay went.
   *
   * @param lastStep up to which metrics were compared
   * @param values how many values were compared
   * @param difference the first one, or {@code null} when all agree to the last bit
   * @param sameModel whether the models are the same bytes; {@code null} when they were not
   *     compared, because not all steps were replayed or the recorded run has no model
   */
  public record Outcome(
      long lastStep, int values, @Nullable Difference difference, @Nullable Boolean sameModel) {
    /** Whether nothing that was compared differs. */
    public boolean agrees() {
      return difference == null && !Boolean.FALSE.equals(sameModel);
    }
  }

  /** The recordings that a run learned from and a replay must do without; at most one sentence. */
  public static List<String> withdrawnSince(RunRecord record, Dataset dataset) {
    Map<?, ?> without =
        record.facts().get(Trainer.WITHDRAWN) instanceof Map<?, ?> steps ? steps : Map.of();
    List<String> since =
        dataset.tombstones().stream()
            .map(Tombstone::isrc)
            .filter(isrc -> !(without.get(isrc) instanceof Number step && step.longValue() <= 1))
            .toList();
    return since.isEmpty()
        ? List.of()
        : List.of(
            "%s withdrawn since it began, and a replay does without from the first step"
                .formatted(
                    since.size() == 1
                        ? since.getFirst() + " was"
                        : String.join(", ", since) + " were"));
  }

  /** Why the bits may differ, before anything is run: other code, libraries or processor. */
  public static List<String> cautions(RunRecord record) {
    var cautions = new ArrayList<String>();
    String code = Basis.codeTree();
    if (!code.equals(record.codeTree())) {
      cautions.add(
          "the code is another: tree %s then, %s now"
              .formatted(start(record.codeTree()), start(code)));
    }
    if (record.facts().get(Trainer.WORKERS) instanceof Number workers && workers.intValue() > 1) {
      cautions.add(
          "%s processes trained it and one replays it: sums are rounded in another order"
              .formatted(workers));
    }
    NativeRuntime.Description runtime = NativeRuntime.describe();
    if (!Basis.processor(runtime).equals(record.processor())) {
      cautions.add(
          "the processor is another: %s then, %s now"
              .formatted(record.processor(), Basis.processor(runtime)));
    }
    Map<String, String> now = new TreeMap<>(Basis.libraries(runtime));
    now.forEach((name, version) -> {
      String then = record.libraries().get(name);
      if (!version.equals(then)) {
        cautions.add("%s is another: %s then, %s now".formatted(name, then, version));
      }
    });
    return cautions;
  }

  private static String start(String hash) {
    return hash.substring(0, Math.min(12, hash.length()));
  }

  /**
   * Replays a run.
   *
   * @param recorded folder of the run; only read
   * @param dataset with the root that the record names
   * @param scratch folder that receives the replay; must not be a run yet
   * @param steps how many to replay, counted over the whole run; 0 is all, and compares the model
   * @param progress hears the replay
   * @throws TrainingException when the dataset is another, or nothing was logged to compare with
   */
  public static Outcome run(
      Path recorded, Dataset dataset, Path scratch, long steps, Progress progress) {
    RunRecord record = RunFolder.record(recorded);
    if (!record.datasetRoot().equals(dataset.manifest().root())) {
      throw new TrainingException(
          "%s was trained on dataset %s with root %s, this one has root %s"
              .formatted(
                  recorded,
                  record.dataset(),
                  start(record.datasetRoot()),
                  start(dataset.manifest().root())));
    }
    if (RunFolder.isRun(scratch)) {
      throw new TrainingException(scratch + " is a run already; a replay needs a new folder");
    }
    List<MetricLine> then = RunFolder.metrics(recorded);
    long last = then.stream().mapToLong(MetricLine::step).max().orElse(0);
    long limit = steps > 0 ? Math.min(steps, last) : last;
    if (then.stream().noneMatch(line -> line.step() <= limit && isComparable(line))) {
      throw new TrainingException(
          "%s has logged nothing up to step %d; replay more steps".formatted(recorded, limit));
    }
    var listener = new Listener(then, scratch, limit, limit < last, progress);
    RunRecord replayed;
    Path weights;
    if (Tuner.isTuning(record)) {
      Tuner.requireSameBase(record);
      TuneRecipe recipe = Tuner.recipe(record);
      var tuner = new Tuner(recipe, dataset, scratch, listener);
      listener.stop = tuner::stop;
      tuner.codeAgain();
      replayed = tuner.run();
      weights = Tuner.weights(recipe, recorded);
    } else {
      Recipe recipe = RecipeText.fromMap(record.effectiveRecipe());
      if (!recipe.codec().from().isEmpty()) {
        recipe =
            RecipeText.withOverrides(recipe, List.of("codec.from=" + GivenCodec.folder(recorded)));
      }
      var trainer = new Trainer(recipe, dataset, scratch, listener);
      listener.stop = trainer::stop;
      trainer.codeAgain();
      replayed = trainer.run();
      weights = Trainer.modelFolder(recorded).resolve(MODEL);
    }

    List<MetricLine> now = RunFolder.metrics(scratch);
    boolean whole = replayed.status() == RunStatus.FINISHED;
    Comparison comparison = compare(then, now, limit, true);
    Boolean same =
        whole && limit == last && Files.isRegularFile(weights)
            ? (Boolean) sameBytes(weights, scratch.resolve(recorded.relativize(weights)))
            : null;
    return new Outcome(limit, comparison.values, comparison.difference, same);
  }

  private record Comparison(int values, @Nullable Difference difference) {}

  /** Compares what was logged up to a step; {@code strict} takes a missing value as different. */
  private static Comparison compare(
      List<MetricLine> then, List<MetricLine> now, long limit, boolean strict) {
    var byPlace = new TreeMap<String, MetricLine>();
    now.forEach(line -> byPlace.put(line.stage() + " " + line.step(), line));
    int values = 0;
    for (MetricLine line : then) {
      MetricLine its = byPlace.get(line.stage() + " " + line.step());
      if (line.step() > limit || (its == null && !strict)) {
        continue;
      }
      for (var value : line.values().entrySet()) {
        Double replayed = its == null ? null : its.values().get(value.getKey());
        if (!isFunctionOfTheRun(value.getKey()) || (replayed == null && !strict)) {
          continue;
        }
        values++;
        if (replayed == null || Double.compare(value.getValue(), replayed) != 0) {
          return new Comparison(
              values,
              new Difference(
                  line.stage(), line.step(), value.getKey(), value.getValue(), replayed));
        }
      }
    }
    return new Comparison(values, null);
  }

  private static boolean isComparable(MetricLine line) {
    return line.values().keySet().stream().anyMatch(Replay::isFunctionOfTheRun);
  }

  private static boolean isFunctionOfTheRun(String metric) {
    return FUNCTIONS_OF_THE_RUN.stream().anyMatch(metric::startsWith);
  }

  private static boolean sameBytes(Path a, Path b) {
    try {
      return Files.isRegularFile(b) && Files.mismatch(a, b) < 0;
    } catch (IOException e) {
      throw new TrainingException("cannot compare %s with %s: %s".formatted(a, b, e.getMessage()));
    }
  }

  /** Stops the replay when it has gone far enough, or has left the record. */
  private static final class Listener implements Progress {
    private final List<MetricLine> then;
    private final Path scratch;
    private final long limit;
    private final boolean partial;
    private final Progress next;
    private @Nullable Runnable stop;

    Listener(List<MetricLine> then, Path scratch, long limit, boolean partial, Progress next) {
      this.then = then;
      this.scratch = scratch;
      this.limit = limit;
      this.partial = partial;
      this.next = next;
    }

    @Override
    public void step(Line line) {
      next.step(line);
      List<MetricLine> now = RunFolder.metrics(scratch);
      long reached = now.stream().mapToLong(MetricLine::step).max().orElse(0);
      Difference difference = compare(then, now, limit, false).difference;
      if (difference != null || (partial && reached >= limit)) {
        Objects.requireNonNull(stop, "stop").run();
      }
    }

    @Override
    public void note(String sentence) {
      next.note(sentence);
    }
  }
}
