package org.descant.tensor;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * The fastest square matrix product that this machine's libtorch makes: what all shares of a peak
 * are measured against. With one thread an operation, speeds come from the thread's processor time,
 * so that other work on the machine does not make the peak look low; with more, from the clock.
 *
 * @param flops operations a second, a multiply-add counted as two
 * @param size of the square matrices it was reached with
 */
public record MatrixPeak(double flops, int size) {
  private static final int SIZE_MIN = 256;
  private static final int SIZE_MAX = 2048;

  /** The first product of a size makes its kernel. */
  private static final int ROUNDS_MIN = 3;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /**
   * Races sizes 256, 512, 1024 and 2048.
   *
   * @param secondsPerSize how long each is repeated, three times at least
   */
  public static MatrixPeak measure(Precision precision, double secondsPerSize) {
    DType type = precision == Precision.BF16 ? DType.BF16 : DType.F32;
    MatrixPeak peak = new MatrixPeak(0, 0);
    for (int size = SIZE_MIN; size <= SIZE_MAX; size *= 2) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        Tensor a = Tensor.full(0.5, type, size, size);
        Tensor b = Tensor.full(0.5, type, size, size);
        double flops = 2.0 * size * size * size / (bestNanos(a, b, secondsPerSize) / 1e9);
        if (flops > peak.flops) {
          peak = new MatrixPeak(flops, size);
        }
      }
    }
    return peak;
  }

  /** The better of two measurements. */
  public MatrixPeak or(MatrixPeak other) {
    return flops >= other.flops ? this : other;
  }

  private static long bestNanos(Tensor a, Tensor b, double seconds) {
    boolean alone = NativeRuntime.threads() == 1;
    long end = System.nanoTime() + Math.round(seconds * 1e9);
    long best = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS_MIN || System.nanoTime() < end; round++) {
      try (Scope scope = Scope.open()) {
        long begin = alone ? THREADS.getCurrentThreadCpuTime() : System.nanoTime();
        a.matmul(b);
        long now = alone ? THREADS.getCurrentThreadCpuTime() : System.nanoTime();
        best = Math.min(best, Math.max(1, now - begin));
      }
    }
    return best;
  }
}
