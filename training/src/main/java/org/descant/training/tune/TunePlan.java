package org.descant.training.tune;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.descant.models.published.TunedModel;
import org.descant.shards.Dataset;
import org.descant.shards.FieldType;
import org.descant.training.Plan;
import org.descant.training.Planning;
import org.descant.training.Progress;
import org.descant.training.TrainingException;
import org.descant.training.loop.CheckpointWriter;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Trial;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.Order;

/**
 * Says what a tuning run would take before it starts: loads the base, codes some seconds of some
 * recordings, takes a few steps on them. Nothing is written. Stateless.
 */
public final class TunePlan {
  /** Recordings that the trial's excerpts come from. */
  private static final int SAMPLED_MAX = 4;

  private static final int CODED_SECONDS_MIN = 10;

  /** A measurement is a forward pass; a step is three. */
  private static final double FORWARD_SHARE = 1.0 / 3;

  private TunePlan() {}

  /**
   * Plans a run.
   *
   * @param requested recipe as asked for
   * @param dataset to learn from; stays open and belongs to the caller
   * @param runFolder where the run would be; it need not exist
   * @throws TrainingException when recipe, base and dataset cannot work together at all
   */
  public static Plan of(TuneRecipe requested, Dataset dataset, Path runFolder) {
    Path base = Tuner.base(requested);
    Tuner.Resolved resolved = Tuner.resolve(requested);
    TuneRecipe recipe = resolved.recipe();
    List<Integer> trained = Tuner.recordings(recipe, dataset, false);
    List<Integer> heldOut = Tuner.recordings(recipe, dataset, true);
    var checkpoints =
        new Checkpoints(runFolder, recipe.checkpoint().every(), recipe.checkpoint().keep());
    try (TunedWeights weights = Tuner.weights(recipe);
        var writer = new CheckpointWriter(checkpoints, event -> {})) {
      var codes = new TuneCodes(weights.model(), dataset, runFolder, TunedModel.contentHash(base));
      List<Integer> usable =
          trained.stream().filter(r -> codes.frames(r) >= recipe.tune().frames()).toList();
      int seconds = (int) (recipe.tune().frames() / weights.model().codec().frameRate()) + 2;
      long begin = System.nanoTime();
      List<TuneCodes.Piece> pieces =
          usable.stream()
              .limit(SAMPLED_MAX)
              .map(r -> codes.sample(r, Math.max(CODED_SECONDS_MIN, seconds)))
              .toList();
      double coded =
          pieces.stream().mapToInt(TuneCodes.Piece::length).sum()
              / weights.model().codec().frameRate();
      double speed = coded / ((System.nanoTime() - begin) / 1e9);
      pieces = Tuner.longEnough(pieces, recipe, false, dataset, Progress.NONE);
      var around =
          new Loop.Surroundings(
              recipe.logEvery(),
              resolved.matmulPeak(),
              line -> {},
              event -> {},
              Progress.NONE,
              () -> false,
              checkpoints,
              writer,
              Replicas.ALONE);
      var problems = new ArrayList<String>();
      Order order =
          TuneStage.order(
              recipe,
              usable.stream().map(dataset::isrc).toList(),
              usable.stream().map(codes::frames).toList());
      Plan.Stage stage;
      try (var learner =
          new TuneStage(
              recipe, dataset, base, weights, around, new TreeMap<>(), pieces, List.of())) {
        stage =
            Planning.stage(
                learner, Trial.of(learner, recipe.rules()), order, resolved.matmulPeak(), problems);
      }
      Plan.Coding coding = coding(codes, weights, trained, heldOut, speed);
      double measuring =
          (Math.ceil((double) recipe.steps() / recipe.tune().evaluateEvery()) + 1)
              * heldOut.size()
              * TuneStage.HELD_OUT_EXCERPTS
              * stage.secondsPerStep()
              / recipe.batch()
              * FORWARD_SHARE;
      Plan.Memory memory = Planning.memory(stage.checkpointBytes(), coding.heapBytes());
      Plan.Disk disk =
          Planning.disk(
              runFolder,
              recipe.checkpoint().keep(),
              stage.checkpointBytes(),
              coding.bytes() + shippedBytes(recipe, base, weights));
      problems.addAll(Planning.problems(memory, disk, coding, TuneStage.NAME));
      return new Plan(
          new TreeMap<>(RecipeText.toMap(recipe)),
          RecipeText.hash(recipe),
          Tuner.runId(requested),
          dataset.manifest().id(),
          dataset.manifest().root(),
          trained.size(),
          heldOut.size(),
          dataset.manifest().seconds(),
          resolved.matmulPeak(),
          List.of(stage),
          coding,
          measuring,
          stage.seconds() + coding.seconds() + measuring,
          memory,
          disk,
          problems);
    }
  }

  private static Plan.Coding coding(
      TuneCodes codes,
      TunedWeights weights,
      List<Integer> trained,
      List<Integer> heldOut,
      double speed) {
    long frames =
        trained.stream().mapToLong(codes::frames).sum()
            + heldOut.stream().mapToLong(codes::frames).sum();
    double seconds = frames / weights.model().codec().frameRate();
    long bytes = frames * weights.model().config().codebooks() * FieldType.U16.bytes();
    // On disk recording by recording, and for a moment in the field too; mapped, not in memory.
    return new Plan.Coding(seconds, speed, 2 * bytes, 0, seconds / speed);
  }

  /** An adapter alone, or a copy of the whole base with fp32 in it. */
  private static long shippedBytes(TuneRecipe recipe, Path base, TunedWeights weights) {
    long learned = weights.store().count() * Float.BYTES;
    return recipe.adapts() ? learned : learned + bytes(base);
  }

  private static long bytes(Path folder) {
    try (var files = Files.list(folder)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    } catch (java.io.IOException e) {
      throw new TrainingException("cannot list %s: %s".formatted(folder, e.getMessage()), e);
    }
  }
}
