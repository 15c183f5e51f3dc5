package org.descant.training.parallel;

import org.descant.models.BatchShare;
import org.descant.tensor.AdamW;
import org.descant.tensor.Optimizer;
import org.descant.tensor.ParameterStore;

/**
 * The processes that train one model together, as a stage sees them. All that a stage needs to be
 * data parallel is here, and {@link #ALONE} makes each call cost nothing.
 *
 * <pre>{@code
 * replicas.start(parameters);                       // once: everybody has rank 0's weights
 * replicas.step(n);                                 // each step
 * Loss loss = model.loss(part, …, replicas.share(batch, parts));
 * replicas.arm(parameters);                         // before the step's last backward pass
 * loss.backward();
 * replicas.average(parameters);                     // gradients of the whole batch, on all ranks
 * double mean = replicas.mean(loss.item())[0];
 * }</pre>
 *
 * <p>Everything but {@link #rank}, {@link #count}, {@link #leads} and {@link #share} is collective:
 * all ranks call it, in the same order, on their training threads. It throws {@link
 * org.descant.tensor.PeerLostException} when a rank is lost; then only {@link #rescues} and {@link
 * #close} may follow.
 */
public interface Replicas extends AutoCloseable {
  /** This process's number, from 0. */
  int rank();

  /** How many processes there are. */
  int count();

  /** How many of them are on this machine and share its processors. */
  int localCount();

  /** Whether this process writes: metrics, checkpoints, the record, the model. */
  default boolean leads() {
    return rank() == 0;
  }

  /**
   * This process's rows of each part of a batch.
   *
   * @param rows of the whole batch
   * @param parts of equal size that it goes through the model in
   * @throws ParallelException when a part cannot be split evenly
   */
  BatchShare share(int rows, int parts);

  /** Gives all ranks the parameters and state of rank 0, and prepares for its gradients. */
  void start(ParameterStore store);

  /** Ends what {@link #start} began, if it did: the store is no longer trained. Not collective. */
  void end(ParameterStore store);

  /** Names the step that begins, counted over the whole run. Not collective. */
  void step(long step);

  /** Lets the next backward pass send gradients as they come; it must be the step's last. */
  void arm(ParameterStore store);

  /** Makes the gradients the means over all ranks, the same bits on each. */
  void average(ParameterStore store);

  /** Means over all ranks. */
  double[] mean(double... values);

  /** Sums over all ranks. */
  double[] sum(double... values);

  /** The largest of the whole numbers that the ranks bring, exact up to 2^53. */
  long largest(long value);

  /** Whether a condition holds on any rank. */
  boolean any(boolean condition);

  /** Whether all ranks bring the same whole number. */
  default boolean agree(long value) {
    return !any(mean(value)[0] != value);
  }

  /**
   * Waits, as long as it takes, until all ranks are at this point.
   *
   * @param point a name that is met once
   * @return whether any rank asked to stop
   */
  boolean meet(String point, boolean stop);

  /** AdamW, its state whole on each rank or spread over them. */
  Optimizer adamW(ParameterStore store, AdamW.Options options);

  /** Whether optimiser state is spread over the ranks, so that a lost rank takes some with it. */
  boolean sharded();

  /**
   * After a rank was lost: whether it falls to this one to save its state, because it is the first
   * of those that have completed the most steps.
   *
   * @param step last one completed here, counted over the whole run
   */
  boolean rescues(long step);

  @Override
  void close();

  /** One process. */
  Replicas ALONE =
      new Replicas() {
        @Override
        public int rank() {
          return 0;
        }

        @Override
        public int count() {
          return 1;
        }

        @Override
        public int localCount() {
          return 1;
        }

        @Override
        public BatchShare share(int rows, int parts) {
          return BatchShare.whole(rows / parts);
        }

        @Override
        public void start(ParameterStore store) {}

        @Override
        public void end(ParameterStore store) {}

        @Override
        public void step(long step) {}

        @Override
        public void arm(ParameterStore store) {}

        @Override
        public void average(ParameterStore store) {}

        @Override
        public double[] mean(double... values) {
          return values.clone();
        }

        @Override
        public double[] sum(double... values) {
          return values.clone();
        }

        @Override
        public long largest(long value) {
          return value;
        }

        @Override
        public boolean any(boolean condition) {
          return condition;
        }

        @Override
        public boolean meet(String point, boolean stop) {
          return stop;
        }

        @Override
        public Optimizer adamW(ParameterStore store, AdamW.Options options) {
          return new AdamW(store, options);
        }

        @Override
        public boolean sharded() {
          return false;
        }

        @Override
        public boolean rescues(long step) {
          return false;
        }

        @Override
        public void close() {}
      };
}
