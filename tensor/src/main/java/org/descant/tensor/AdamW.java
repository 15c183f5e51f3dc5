package org.descant.tensor;

import java.util.Map;

/**
 * AdamW (Loshchilov and Hutter 2019) over the flat buffers of a {@link ParameterStore}: libtorch's
 * fused kernel, two calls a step (with and without weight decay). Its state restores bit for bit.
 *
 * <p>Not thread-safe; belongs to the training thread.
 */
public final class AdamW implements AutoCloseable {
  /**
   * Constants of a run.
   *
   * @param beta1 decay of the gradient's mean, 0.9 usually
   * @param beta2 decay of its square, 0.95 or 0.999
   * @param epsilon keeps the division finite, 1e-8
   * @param weightDecay decoupled, times the learning rate; only on parameters that take part
   */
  public record Options(double beta1, double beta2, double epsilon, double weightDecay) {
    public static final Options DEFAULT = new Options(0.9, 0.95, 1e-8, 0.1);

    public Options {
      if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon > 0)
          || !(weightDecay >= 0)) {
        throw new TensorException(
            "AdamW needs betas in [0, 1), a positive epsilon and no negative decay: %s, %s, %s, %s."
                .formatted(beta1, beta2, epsilon, weightDecay));
      }
    }
  }

  private final ParameterStore store;
  private final Options options;
  private final Tensor firstMoment;
  private final Tensor secondMoment;
  private final Tensor steps;

  public AdamW(ParameterStore store, Options options) {
    this.store = store;
    this.options = options;
    try (Scope scope = Scope.open()) {
      long elements = store.values().count();
      firstMoment = Tensor.zeros(elements).retain();
      secondMoment = Tensor.zeros(elements).retain();
      steps = Tensor.zeros(1).retain();
    }
  }

  /** Moves every parameter by its gradient. Does not clear the gradients. */
  public void step(double learningRate) {
    if (!(learningRate >= 0)) {
      throw new TensorException("The learning rate must not be negative, was " + learningRate);
    }
    long decayed = store.decayedElements();
    long plain = store.values().count() - decayed;
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        Profiler.Range range = Profiler.range("optimizer")) {
      steps.addInPlace(1.0);
      move(0, decayed, learningRate, options.weightDecay);
      move(decayed, plain, learningRate, 0);
    }
  }

  private void move(long from, long length, double learningRate, double weightDecay) {
    if (length == 0) {
      return;
    }
    Ops.fusedAdamW(
        store.values().narrow(0, from, length),
        store.gradients().narrow(0, from, length),
        firstMoment.narrow(0, from, length),
        secondMoment.narrow(0, from, length),
        steps.select(0, 0),
        learningRate,
        options.beta1,
        options.beta2,
        weightDecay,
        options.epsilon);
  }

  /** How many steps were taken. */
  public long steps() {
    return steps.itemLong();
  }

  /** Adds the state to a checkpoint under names that begin with {@code prefix}. */
  public void saveTo(String prefix, Map<String, Tensor> checkpoint) {
    checkpoint.put(prefix + "first_moment", firstMoment);
    checkpoint.put(prefix + "second_moment", secondMoment);
    checkpoint.put(prefix + "steps", steps);
  }

  /** Continues exactly where the checkpoint was taken. */
  public void restoreFrom(String prefix, Safetensors checkpoint) {
    checkpoint.copyInto(prefix + "first_moment", firstMoment);
    checkpoint.copyInto(prefix + "second_moment", secondMoment);
    checkpoint.copyInto(prefix + "steps", steps);
  }

  @Override
  public void close() {
    firstMoment.close();
    secondMoment.close();
    steps.close();
  }
}
