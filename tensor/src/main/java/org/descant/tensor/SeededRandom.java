package org.descant.tensor;

import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * A named source of random numbers for tensors: a Mersenne twister of libtorch's with its own seed
 * and its own state, which checkpoints save and restore. libtorch's default generator is never
 * used.
 *
 * <p>The same seed and the same calls give the same bits on one kind of CPU. For one thread at a
 * time.
 */
public final class SeededRandom implements AutoCloseable {
  private final Generator generator;
  private final GeneratorOptional optional;

  public SeededRandom(long seed) {
    NativeRuntime.prepare();
    try (PointerScope scope = new PointerScope()) {
      generator = torch.make_generator_cpu(seed).retainReference();
      optional = new GeneratorOptional(generator).retainReference();
    }
  }

  /** Standard normal values, fp32. */
  public Tensor normal(long... shape) {
    return fillNormal(Tensor.empty(DType.F32, shape), 0, 1);
  }

  /** Uniform values in [0, 1), fp32. */
  public Tensor uniform(long... shape) {
    return fillUniform(Tensor.empty(DType.F32, shape), 0, 1);
  }

  /** Whole numbers from {@code low} to below {@code high}, I64. */
  public Tensor integers(long low, long high, long... shape) {
    Tensor target = Tensor.empty(DType.I64, shape);
    return target.change(
        "integers", () -> target.unwrap().random_(low, new LongOptional(high), optional));
  }

  /** A random order of 0 … n−1, I64. */
  public Tensor permutation(long n) {
    return Tensor.op("permutation", () -> torch.randperm(n, optional, Ops.options(DType.I64)));
  }

  /** Overwrites {@code target} with normal values and returns it. */
  public Tensor fillNormal(Tensor target, double mean, double deviation) {
    return target.change("fillNormal", () -> target.unwrap().normal_(mean, deviation, optional));
  }

  /** Overwrites {@code target} with uniform values in [low, high) and returns it. */
  public Tensor fillUniform(Tensor target, double low, double high) {
    return target.change("fillUniform", () -> target.unwrap().uniform_(low, high, optional));
  }

  /** A BOOL mask that is true with this probability. */
  public Tensor bernoulli(double probability, long... shape) {
    return uniform(shape).lt(probability);
  }

  /**
   * Draws {@code samples} class indices (I64) per row of weights: [rows, classes] to [rows,
   * samples]. Weights need not sum to 1; with {@code replacement} a class may be drawn again.
   */
  public Tensor multinomial(Tensor weights, long samples, boolean replacement) {
    return Tensor.op(
        "multinomial", () -> weights.unwrap().multinomial(samples, replacement, optional));
  }

  /** Zeroes elements with this probability and scales the others so that the mean stays. */
  public Tensor dropout(Tensor input, double probability) {
    if (probability < 0 || probability >= 1) {
      throw new TensorException("Dropout must be 0 or more and below 1, was " + probability + ".");
    }
    if (probability == 0) {
      return input;
    }
    Tensor keep = uniform(input.shape()).ge(probability).to(input.dtype());
    return input.mul(keep.mulInPlace(1 / (1 - probability)));
  }

  /** The whole state as bytes (U8), for a checkpoint. */
  public Tensor state() {
    return Tensor.op("state", () -> generator.get_state().clone(Ops.NO_FORMAT));
  }

  /** Continues exactly where {@link #state} was taken. */
  public void restore(Tensor state) {
    if (state.dtype() != DType.U8 || state.dim() != 1) {
      throw new TensorException("A random state is a one-dimensional U8 tensor, this is " + state);
    }
    try {
      generator.set_state(state.unwrap());
    } catch (RuntimeException e) {
      throw TensorException.fromNative("restore", e);
    }
  }

  /** Adds the state to a checkpoint under this name. */
  public void saveTo(String name, Map<String, Tensor> checkpoint) {
    checkpoint.put(name, state());
  }

  /** Continues from the state in a checkpoint. */
  public void restoreFrom(String name, Safetensors checkpoint) {
    try (Scope scope = Scope.open()) {
      restore(checkpoint.tensor(name));
    }
  }

  @Override
  public void close() {
    optional.close();
    generator.close();
  }
}
