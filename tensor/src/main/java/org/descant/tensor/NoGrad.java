package org.descant.tensor;

import org.bytedeco.pytorch.GradMode;

/**
 * Turns off gradient recording on this thread until closed; nests. Grad mode is per thread, so a
 * worker opens its own.
 */
public final class NoGrad implements AutoCloseable {
  private final boolean before;

  private NoGrad() {
    NativeRuntime.requirePlatformThread();
    NativeRuntime.prepare();
    before = GradMode.is_enabled();
    GradMode.set_enabled(false);
  }

  /** Opens the region. Close it with try-with-resources. */
  public static NoGrad open() {
    return new NoGrad();
  }

  /** Restores the mode found when it was opened. */
  @Override
  public void close() {
    GradMode.set_enabled(before);
  }
}
