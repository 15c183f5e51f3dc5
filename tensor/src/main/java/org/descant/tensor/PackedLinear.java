package org.descant.tensor;

import java.util.concurrent.locks.ReentrantLock;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer for decoding in fp32: the weight is laid out once as XNNPACK reads it, without
 * gradients. For the few rows of a decoding step, where time is the reading of the weight, it reads
 * at memory speed (libtorch's plain product reads at half of it). The plain weight is not kept.
 *
 * <p>Threads may share a layer. XNNPACK keeps the operands of a call in the layer, so one call at a
 * time goes through; others wait.
 */
public final class PackedLinear implements AutoCloseable {
  static {
    NativeRuntime.prepare();
    torch.globalContext().setReleaseWeightsWhenPrepacking(true);
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final IValue packed;
  private final long inputs;
  private final @Nullable Tensor bias;

  /** Packs weight [out, in] fp32 and an optional bias [out]. */
  public PackedLinear(Tensor weight, @Nullable Tensor bias) {
    if (weight.dim() != 2 || weight.dtype() != DType.F32) {
      throw new TensorException("A packed linear weight is fp32 [out, in], this is " + weight);
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      inputs = weight.size(1);
      packed = Ops.packedPrepack(weight.detach().contiguous().unwrap());
      this.bias = bias == null ? null : bias.detach().copy().retain();
    }
  }

  /** This layer's output for fp32 [..., in]. */
  public Tensor apply(Tensor input) {
    if (input.dtype() != DType.F32 || input.size(-1) != inputs) {
      throw new TensorException(
          "This layer takes fp32 [..., %d], was given %s.".formatted(inputs, input));
    }
    Tensor plain = input.requiresGrad() ? input.detach() : input;
    Tensor output;
    lock.lock();
    try {
      output = Tensor.op("packedLinear", () -> Ops.packedLinear(plain.unwrap(), packed));
    } finally {
      lock.unlock();
    }
    return bias == null ? output : output.addInPlace(bias);
  }

  @Override
  public void close() {
    packed.close();
    if (bias != null) {
      bias.close();
    }
  }
}
