package org.descant.training.loop;

import java.util.List;
import java.util.Map;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A stage of a run as the {@link Loop} sees it: where its batches come from, what it learns from
 * them, and what it keeps beside weights and moments.
 *
 * @param <B> a batch
 */
public interface Learner<B> {
  /** A plain word, which names the stage in the metrics and its tensors in checkpoints. */
  String name();

  /** Steps of the run before this stage's first. */
  long before();

  /** Steps of this stage. */
  long steps();

  /** Parts of equal size that a batch goes through the model in. */
  int parts();

  /** What is learned. */
  ParameterStore parameters();

  /**
   * Rows of the hidden matrices that lie one below the other in a parameter; empty for whatever is
   * no hidden matrix.
   */
  long[] matrices(ParameterStore.Parameter parameter);

  /**
   * The batch of a step, from 1: a pure function of it, and of which rows are this process's.
   * Called on another thread.
   */
  B batch(long step);

  /** ISRCs of the whole batch's recordings, in its order. */
  List<String> recordings(B batch);

  /** A hash of which excerpts the whole batch holds, in which order. */
  long order(B batch);

  /** What the run does without; {@code null} for a stage whose data nobody can withdraw. */
  default @Nullable Withdrawals withdrawals() {
    return null;
  }

  /**
   * From the next batch on, does without what {@link #withdrawals} say. Called before {@link
   * #start}, after {@link #restore}, and after a checkpoint; no batch is being made meanwhile.
   *
   * @param fresh ISRCs of what the stage had been doing with; empty where a run only goes on
   */
  default void withdraw(List<String> fresh) {}

  /**
   * Forward and backward pass of a part, or of this process's rows of it: adds its share of the
   * gradient, and returns scalars without gradients, means over the rows, {@link Optimisation#LOSS}
   * among them. A step with a scalar that is not finite is refused. A scope is open.
   */
  Map<String, Tensor> learn(B batch, long step, int part);

  /**
   * Called after a step whose losses were accepted and that has moved {@link #parameters}: whatever
   * else the stage trains, moves now. Not called for a refused step.
   */
  default void learned(long step) {}

  /** What a step gets through. */
  Work work();

  /**
   * What a step gets through.
   *
   * @param audioSeconds of sound
   * @param tokens codes; 0 where there are none
   * @param flops nominal operations of the products, forward and backward, without recomputation
   */
  record Work(double audioSeconds, long tokens, double flops) {
    static final Work NONE = new Work(0, 0, 0);
  }

  /** Starts the stage's own state, and the weights from their first random values. */
  void start();

  /** Called once after {@link #start}: measures what the first weights are worth. */
  void begun(Meter meter, Optimisation optimisation);

  /** Goes on from a checkpoint of this stage: the weights and the stage's own state. */
  void restore(Checkpoints.Saved saved);

  /**
   * Called after every step, skipped ones too; measures when it is time. Called again where a run
   * goes on after a step, because the process may have been lost before it measured: what was done
   * is not done twice.
   */
  void after(long step, Meter meter, Optimisation optimisation);

  /** Whether there is nothing more to learn before the last step. */
  boolean isDone();

  /** Whether the last step's state is saved by the loop; otherwise {@link #end} sees to it. */
  boolean savesLast();

  /** Called once after the last step. */
  void end(long lastStep, Optimisation optimisation);

  /** Adds the weights to a checkpoint's model file. */
  void saveWeights(Map<String, Tensor> model);

  /** Adds the stage's own state to a checkpoint. */
  void saveState(Map<String, Tensor> state, Map<String, Double> numbers);

  /** Metadata of the model file of a checkpoint; functions of the run only. */
  Map<String, String> metadata(long runStep);

  /** The model card of a checkpoint, as JSON. */
  String card(long runStep);
}
