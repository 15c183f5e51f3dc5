package org.descant.tensor;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;

/**
 * Where a tensor lives. CUDA needs the build with the {@code gpu} profile and CUDA 13 on the host.
 *
 * @param index which GPU; 0 on the CPU
 */
public record Device(Kind kind, int index) {
  /** The kinds of device. */
  public enum Kind {
    CPU,
    CUDA
  }

  public static final Device CPU = new Device(Kind.CPU, 0);

  private static final int INDEX_MAX = 127;

  public Device {
    if (index < 0 || index > INDEX_MAX || (kind == Kind.CPU && index != 0)) {
      throw new TensorException("There is no device %s:%d.".formatted(kind, index));
    }
  }

  /** The GPU with this index. */
  public static Device cuda(int index) {
    return new Device(Kind.CUDA, index);
  }

  /** Whether this process can compute there. */
  public boolean isAvailable() {
    NativeRuntime.prepare();
    return kind == Kind.CPU || index < torch.cuda_device_count();
  }

  void requireAvailable() {
    if (!isAvailable()) {
      throw new TensorException(
          ("Device %s is not available: it needs a GPU, its driver and the build with the gpu"
                  + " profile; use cpu.")
              .formatted(this));
    }
  }

  org.bytedeco.pytorch.Device toNative() {
    return kind == Kind.CPU
        ? new org.bytedeco.pytorch.Device(DeviceType.CPU)
        : new org.bytedeco.pytorch.Device(DeviceType.CUDA, (byte) index);
  }

  @Override
  public String toString() {
    return kind == Kind.CPU ? "cpu" : "cuda:" + index;
  }
}
