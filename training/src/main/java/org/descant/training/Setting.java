package org.descant.training;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.shards.Dataset;
import org.descant.tensor.Precision;

/**
 * What the stages of one run share.
 *
 * @param recipe with everything resolved
 * @param recipeHash of it
 * @param dataset to learn from
 * @param path of the run folder
 * @param log takes the metrics
 * @param checkpoints of the run
 * @param progress who listens
 * @param stop whether somebody asked the run to stop after the present step
 * @param trained recordings that are learned from, in the dataset's order
 * @param heldOut recordings that are only measured on
 */
record Setting(
    Recipe recipe,
    String recipeHash,
    Dataset dataset,
    Path path,
    Consumer<MetricLine> log,
    Checkpoints checkpoints,
    Progress progress,
    BooleanSupplier stop,
    List<Integer> trained,
    List<Integer> heldOut) {

  /** Splits the dataset as the recipe says. */
  static Setting of(
      Recipe recipe,
      String recipeHash,
      Dataset dataset,
      Path path,
      Consumer<MetricLine> log,
      Progress progress,
      BooleanSupplier stop) {
    List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
    var trained = new ArrayList<Integer>();
    for (int i = 0; i < dataset.size(); i++) {
      if (!heldOut.contains(i)) {
        trained.add(i);
      }
    }
    return new Setting(
        recipe,
        recipeHash,
        dataset,
        path,
        log,
        new Checkpoints(path, recipe.checkpoint().keep()),
        progress,
        stop,
        List.copyOf(trained),
        heldOut);
  }

  Precision precision() {
    return switch (recipe.precision()) {
      case "bf16" -> Precision.BF16;
      case "fp32" -> Precision.FP32;
      default -> throw new IllegalStateException("unresolved precision " + recipe.precision());
    };
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

  /**
   * Stops a step whose loss or gradient is not finite, before the optimizer moves anything.
   *
   * @param recordings of the batch, as dataset indexes
   */
  void guard(
      String stage, long step, double loss, double gradientNorm, Collection<Integer> recordings) {
    if (Double.isFinite(loss) && Double.isFinite(gradientNorm)) {
      return;
    }
    String names =
        new TreeSet<>(recordings).stream().map(dataset::isrc).collect(Collectors.joining(", "));
    throw new TrainingException(
        ("step %d (%s): the loss is %s and the gradient norm %s; no weight was changed. Recordings"
                + " in the batch: %s. Lower %s.learningRate or leave a recording out")
            .formatted(step, stage, loss, gradientNorm, names, stage));
  }
}
