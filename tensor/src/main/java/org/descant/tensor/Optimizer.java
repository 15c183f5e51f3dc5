package org.descant.tensor;

import java.util.Map;

/**
 * Moves the parameters of one {@link ParameterStore} by its gradients. Its state restores bit for
 * bit. Belongs to the training thread.
 */
public interface Optimizer extends AutoCloseable {
  /**
   * Moves every parameter. Does not clear the gradients.
   *
   * @throws TensorException for a negative learning rate
   */
  void step(double learningRate);

  /** Adds the state to a checkpoint under names that begin with {@code prefix}. */
  void saveTo(String prefix, Map<String, Tensor> checkpoint);

  /** Continues exactly where the checkpoint was taken. */
  void restoreFrom(String prefix, Safetensors checkpoint);

  /** Bytes of the state. */
  long stateBytes();

  @Override
  void close();

  /** Fails for a learning rate that is negative or not a number. */
  static void requireRate(double learningRate) {
    if (!(learningRate >= 0)) {
      throw new TensorException("The learning rate must not be negative, was " + learningRate);
    }
  }
}
