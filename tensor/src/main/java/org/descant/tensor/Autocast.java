package org.descant.tensor;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;

/**
 * Runs products in bf16 on this thread until closed: inputs of matmul, linear and convolution are
 * cast, reductions and losses stay fp32. Does nothing when opened with {@link Precision#FP32}, so a
 * loop can be written once.
 *
 * <p>libtorch keeps the cast weights in a cache that outlives the region; {@link #close} empties
 * it, because otherwise the next forward pass would use the weights of before the optimiser's step.
 * Close the region after the forward pass and run backward outside it. Regions do not nest.
 */
public final class Autocast implements AutoCloseable {
  private final boolean active;
  private final Profiler.Range range = Profiler.range("forward");

  private Autocast(boolean active) {
    this.active = active;
    if (active) {
      if (torch.is_autocast_enabled(DeviceType.CPU)) {
        throw new TensorException("Autocast regions do not nest; close the outer one first.");
      }
      torch.set_autocast_dtype(DeviceType.CPU, DType.BF16.scalarType);
      torch.set_autocast_enabled(DeviceType.CPU, true);
    }
  }

  /** Opens a region with the given precision. Close it with try-with-resources. */
  public static Autocast open(Precision precision) {
    NativeRuntime.requirePlatformThread();
    NativeRuntime.prepare();
    return new Autocast(precision == Precision.BF16);
  }

  /** Whether the calling thread is inside a bf16 region. */
  static boolean isActive() {
    return torch.is_autocast_enabled(DeviceType.CPU);
  }

  @Override
  public void close() {
    range.close();
    if (active) {
      torch.set_autocast_enabled(DeviceType.CPU, false);
      torch.clear_cache();
    }
  }
}
