package org.descant.tensor;

import java.util.List;
import java.util.Map;

/**
 * AdamW (Loshchilov and Hutter 2019) over the flat buffers of a {@link ParameterStore}: libtorch's
 * fused kernel, two calls a step (with and without weight decay). Its state restores bit for bit.
 *
 * <p>Not thread-safe; belongs to the training thread.
 */
public final class AdamW implements Optimizer {
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
  private final List<ParameterStore.Run> runs;

  /** For all parameters of a store. */
  public AdamW(ParameterStore store, Options options) {
    this(store, options, store.runs(parameter -> true));
  }

  /** For the elements of some stretches of a store, whose moments lie one after the other. */
  AdamW(ParameterStore store, Options options, List<ParameterStore.Run> runs) {
    this.store = store;
    this.options = options;
    this.runs = List.copyOf(runs);
    try (Scope scope = Scope.open()) {
      long elements = runs.stream().mapToLong(ParameterStore.Run::length).sum();
      firstMoment = Tensor.zeros(elements).retain();
      secondMoment = Tensor.zeros(elements).retain();
      steps = Tensor.zeros(1).retain();
    }
  }

  @Override
  public void step(double learningRate) {
    Optimizer.requireRate(learningRate);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        Profiler.Range range = Profiler.range("optimizer")) {
      steps.addInPlace(1.0);
      long at = 0;
      for (ParameterStore.Run run : runs) {
        Ops.fusedAdamW(
            store.values().narrow(0, run.from(), run.length()),
            store.gradients().narrow(0, run.from(), run.length()),
            firstMoment.narrow(0, at, run.length()),
            secondMoment.narrow(0, at, run.length()),
            steps.select(0, 0),
            learningRate,
            options.beta1,
            options.beta2,
            run.decayed() ? options.weightDecay : 0,
            options.epsilon);
        at += run.length();
      }
    }
  }

  /** How many steps were taken. */
  public long steps() {
    return steps.itemLong();
  }

  @Override
  public void saveTo(String prefix, Map<String, Tensor> checkpoint) {
    checkpoint.put(prefix + "first_moment", firstMoment);
    checkpoint.put(prefix + "second_moment", secondMoment);
    checkpoint.put(prefix + "steps", steps);
  }

  @Override
  public void restoreFrom(String prefix, Safetensors checkpoint) {
    checkpoint.copyInto(prefix + "first_moment", firstMoment);
    checkpoint.copyInto(prefix + "second_moment", secondMoment);
    checkpoint.copyInto(prefix + "steps", steps);
  }

  @Override
  public long stateBytes() {
    return (2 * firstMoment.count() + 1) * Float.BYTES;
  }

  @Override
  public void close() {
    firstMoment.close();
    secondMoment.close();
    steps.close();
  }
}
