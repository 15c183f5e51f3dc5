package org.descant.tensor;

import java.util.Map;

/**
 * An exponential moving average of all parameters of a store, as one flat buffer: average += (1 −
 * decay) × (value − average), with a smaller decay while there are few steps, so that a short run
 * is not averaged with its beginning. Evaluate with it by {@link #swap}, which a second call
 * undoes.
 */
public final class Ema implements AutoCloseable {
  private final ParameterStore store;
  private final double decay;
  private final Tensor average;

  /**
   * Starts from the current parameters.
   *
   * @param decay share of the old average that a late step keeps, such as 0.999
   */
  public Ema(ParameterStore store, double decay) {
    if (!(decay >= 0 && decay < 1)) {
      throw new TensorException("The decay must be 0 or more and below 1, was " + decay + ".");
    }
    this.store = store;
    this.decay = decay;
    try (Scope scope = Scope.open()) {
      average = store.values().copy().retain();
    }
  }

  /**
   * Moves the average towards the parameters.
   *
   * @param step from 1; no more than (1 + step) / (10 + step) of the old average is kept
   */
  public void update(long step) {
    double kept = Math.min(decay, (1.0 + step) / (10.0 + step));
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      average.lerpInPlace(store.values(), 1 - kept);
    }
  }

  /** Exchanges the average and the parameters. */
  public void swap() {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor values = store.values().copy();
      store.values().copyFrom(average);
      average.copyFrom(values);
    }
  }

  /** Adds the average to a checkpoint under this name. */
  public void saveTo(String name, Map<String, Tensor> checkpoint) {
    checkpoint.put(name, average);
  }

  /** Continues from the average in a checkpoint. */
  public void restoreFrom(String name, Safetensors checkpoint) {
    checkpoint.copyInto(name, average);
  }

  @Override
  public void close() {
    average.close();
  }
}
