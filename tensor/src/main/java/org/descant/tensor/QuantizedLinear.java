package org.descant.tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.QEngine;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer for decoding: int8 weights packed once (one scale per row), activations quantised
 * on the fly, fp32 in and out, no gradients (FBGEMM). Four times less weight memory to read than
 * fp32, which is what a decoded token costs; error about 1 %. Thread-safe once made.
 */
public final class QuantizedLinear implements AutoCloseable {
  private static final boolean REDUCE_RANGE;

  static {
    NativeRuntime.prepare();
    torch.globalContext().setQEngine(QEngine.FBGEMM);
    REDUCE_RANGE = !hasVnni();
  }

  private final IValue packed;
  private final @Nullable Tensor bias;

  /** Packs weight [out, in] fp32 and an optional bias [out]. */
  public QuantizedLinear(Tensor weight, @Nullable Tensor bias) {
    if (weight.dim() != 2) {
      throw new TensorException("A linear weight is [out, in], this is " + weight + ".");
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor scales = Int8Weight.of(weight.detach()).scales();
      Tensor zeroPoints = Tensor.zeros(DType.I64, scales.count());
      var quantized =
          torch.quantize_per_channel(
              weight.detach().to(DType.F32).unwrap(),
              scales.to(DType.F64).unwrap(),
              zeroPoints.unwrap(),
              0,
              ScalarType.QInt8);
      packed = Ops.quantizedPrepack(quantized);
      this.bias = bias == null ? null : bias.detach().copy().retain();
    }
  }

  /** This layer's output for fp32 [..., in]. */
  public Tensor apply(Tensor input) {
    Tensor plain = input.detach();
    Tensor output =
        Tensor.op(
            "quantizedLinear", () -> Ops.quantizedLinear(plain.unwrap(), packed, REDUCE_RANGE));
    return bias == null ? output : output.addInPlace(bias);
  }

  @Override
  public void close() {
    packed.close();
    if (bias != null) {
      bias.close();
    }
  }

  /** Without VNNI the int8 products saturate 16-bit sums, so activations give up one bit. */
  private static boolean hasVnni() {
    try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines.anyMatch(
          line -> line.startsWith("flags") && line.matches(".*\\bavx(512)?_vnni\\b.*"));
    } catch (IOException e) {
      return false;
    }
  }
}
