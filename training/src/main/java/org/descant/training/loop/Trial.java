package org.descant.training.loop;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.descant.tensor.Tensor;
import org.descant.training.parallel.Replicas;

/**
 * The first steps of a stage, taken to see what a run of it would cost. Nothing is kept.
 *
 * @param loss of the very first step
 * @param gradientNorm of the very first step
 * @param refusal why the guard would not take it; empty when it would
 * @param stepSeconds of a whole step, without its data
 * @param dataSeconds to make a batch, which a run does beside the step before
 * @param optimizerBytes moments and average
 * @param checkpointBytes weights and state, as in the files
 */
public record Trial(
    double loss,
    double gradientNorm,
    String refusal,
    double stepSeconds,
    double dataSeconds,
    long optimizerBytes,
    long checkpointBytes) {

  /** Steps taken with a clock; the fastest counts, because the first ones still warm up. */
  private static final int TIMED = 3;

  /** Starts a stage and takes its first step, then a few more with a clock. */
  public static <B> Trial of(Learner<B> learner, Optimisation.Rules rules) {
    Withdrawals withdrawals = learner.withdrawals();
    if (withdrawals != null) {
      learner.withdraw(withdrawals.look(Replicas.ALONE, 1));
    }
    learner.start();
    try (var optimisation =
        new Optimisation(
            learner.name(),
            learner.parameters(),
            rules,
            new Guard(rules.guard()),
            learner::matrices,
            Replicas.ALONE)) {
      B first = learner.batch(1);
      Optimisation.Outcome outcome =
          optimisation.step(1, learner.parts(), part -> learner.learn(first, 1, part));
      double dataSeconds = Double.POSITIVE_INFINITY;
      double stepSeconds = Double.POSITIVE_INFINITY;
      for (long step = 2; step < 2 + TIMED; step++) {
        long number = step;
        long begin = System.nanoTime();
        B batch = learner.batch(step);
        long made = System.nanoTime();
        optimisation.step(step, learner.parts(), part -> learner.learn(batch, number, part));
        dataSeconds = Math.min(dataSeconds, (made - begin) / 1e9);
        stepSeconds = Math.min(stepSeconds, (System.nanoTime() - made) / 1e9);
      }

      Map<String, Tensor> saved = new LinkedHashMap<>();
      learner.saveWeights(saved);
      Map<String, Tensor> state = new LinkedHashMap<>();
      optimisation.saveTo(state);
      learner.saveState(state, new TreeMap<>());
      String refusal = outcome.refusal();
      return new Trial(
          outcome.values().getOrDefault(Optimisation.LOSS, Double.NaN),
          outcome.gradientNorm(),
          refusal == null ? "" : refusal,
          stepSeconds,
          dataSeconds,
          optimisation.stateBytes(),
          bytes(saved) + bytes(state));
    }
  }

  private static long bytes(Map<String, Tensor> tensors) {
    return tensors.values().stream().mapToLong(t -> t.count() * t.dtype().bytes()).sum();
  }
}
