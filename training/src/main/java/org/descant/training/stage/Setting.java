package org.descant.training.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.shards.Dataset;
import org.descant.tensor.Precision;
import org.descant.training.Progress;
import org.descant.training.loop.CheckpointWriter;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Schedule;
import org.descant.training.loop.Withdrawals;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;

/**
 * What the stages of one run share.
 *
 * @param recipe with everything resolved
 * @param recipeHash of it
 * @param dataset to learn from
 * @param path of the run folder
 * @param around what the loop needs: who listens, where checkpoints go
 * @param trained recordings that are learned from, in the dataset's order, the withdrawn too: those
 *     keep their numbers in every order and are passed over
 * @param heldOut recordings that are only measured on, the withdrawn too
 * @param withdrawals what may not be read any more, and from which step on
 */
public record Setting(
    Recipe recipe,
    String recipeHash,
    Dataset dataset,
    Path path,
    Loop.Surroundings around,
    List<Integer> trained,
    List<Integer> heldOut,
    Withdrawals withdrawals)
    implements AutoCloseable {

  /**
   * Who hears of a run.
   *
   * @param log takes the metrics
   * @param events takes what happens
   * @param progress is told
   * @param stop whether somebody asked the run to stop after the present step
   */
  public record Listeners(
      Consumer<MetricLine> log,
      Consumer<RunEvent> events,
      Progress progress,
      BooleanSupplier stop) {
    /** Nobody. */
    public static final Listeners NONE =
        new Listeners(line -> {}, event -> {}, Progress.NONE, () -> false);
  }

  /**
   * Splits the dataset as the recipe says.
   *
   * @param matmulPeak operations a second that the machine was measured to reach; 0: not measured
   * @param replicas the processes that train together
   */
  public static Setting of(
      Recipe recipe,
      String recipeHash,
      Dataset dataset,
      Path path,
      double matmulPeak,
      Listeners listeners,
      Replicas replicas) {
    List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
    var trained = new ArrayList<Integer>();
    for (int i = 0; i < dataset.size(); i++) {
      if (!heldOut.contains(i)) {
        trained.add(i);
      }
    }
    var checkpoints =
        new Checkpoints(path, recipe.checkpoint().every(), recipe.checkpoint().keep());
    return new Setting(
        recipe,
        recipeHash,
        dataset,
        path,
        new Loop.Surroundings(
            recipe.logEvery(),
            matmulPeak,
            listeners.log,
            listeners.events,
            listeners.progress,
            listeners.stop,
            checkpoints,
            new CheckpointWriter(checkpoints, listeners.events),
            replicas),
        List.copyOf(trained),
        heldOut,
        new Withdrawals(dataset));
  }

  /** Those of some recordings that are not withdrawn. */
  public List<Integer> live(List<Integer> recordings) {
    return recordings.stream().filter(i -> !withdrawals.withdrawn(i)).toList();
  }

  /** The same with another recipe, for a trial; only one of the two is closed. */
  public Setting with(Recipe other) {
    return new Setting(other, recipeHash, dataset, path, around, trained, heldOut, withdrawals);
  }

  Consumer<MetricLine> log() {
    return around.log();
  }

  Progress progress() {
    return around.progress();
  }

  Replicas replicas() {
    return around.replicas();
  }

  boolean isStopped() {
    return around.stop().getAsBoolean();
  }

  public Checkpoints checkpoints() {
    return around.checkpoints();
  }

  Precision precision() {
    return switch (recipe.precision()) {
      case "bf16" -> Precision.BF16;
      case "fp32" -> Precision.FP32;
      default -> throw new IllegalStateException("unresolved precision " + recipe.precision());
    };
  }

  public Optimisation.Rules codecRules() {
    Recipe.Codec codec = recipe.codec();
    return new Optimisation.Rules(
        codec.optimiser(),
        new Schedule(codec.schedule(), codec.learningRate(), codec.warmup(), recipe.codecSteps()),
        codec.weightDecay(),
        codec.clip(),
        0,
        recipe.guard());
  }

  public Optimisation.Rules lastRules() {
    Recipe.Last last = recipe.last();
    return new Optimisation.Rules(
        last.optimiser(),
        new Schedule(last.schedule(), last.learningRate(), last.warmup(), recipe.lastSteps()),
        last.weightDecay(),
        last.clip(),
        last.emaDecay(),
        recipe.guard());
  }

  /** What goes into the metadata of every weights file: functions of the run alone. */
  Map<String, String> metadata(long step, String stage) {
    return Map.of(
        "format",
        "descant-training/1",
        "datasetRoot",
        dataset.manifest().root(),
        "recipe",
        recipe.name(),
        "recipeHash",
        recipeHash,
        "stage",
        stage,
        "step",
        Long.toString(step));
  }

  /**
   * Whether the metrics hold a value of a step, as after a cut between checkpoint and measurement.
   */
  boolean logged(String stage, long step, String metric) {
    return RunFolder.metrics(path).stream()
        .anyMatch(line ->
            line.stage().equals(stage) && line.step() == step && line.values().containsKey(metric));
  }

  /** Waits for a checkpoint in flight and frees its copy. */
  @Override
  public void close() {
    around.writer().close();
  }
}
