package org.descant.tensor;

/**
 * The arithmetic of products in training. bf16 doubles the speed on CPUs whose bf16 units libtorch
 * uses (Zen 4) and halves it on others, so {@link #auto} measures; the caller records the answer,
 * and a replay uses the recorded one.
 */
public enum Precision {
  FP32,
  BF16;

  /** Rows, inner and outer size of the raced product: a linear layer of a small decoder. */
  private static final long ROWS = 1024;

  private static final long WIDTH = 256;
  private static final long RACE_NANOS_MAX = 25_000_000;
  private static final int ROUNDS_MAX = 50;

  /**
   * Races the same product in both precisions for about 50 ms at the current thread count and
   * returns the faster; bf16 must win by a tenth, because it costs accuracy.
   */
  public static Precision auto() {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor a = Tensor.ones(ROWS, WIDTH);
      Tensor b = Tensor.ones(WIDTH, WIDTH);
      long fp32 = bestNanos(a, b);
      long bf16 = bestNanos(a.to(DType.BF16), b.to(DType.BF16));
      return bf16 * 1.1 < fp32 ? BF16 : FP32;
    }
  }

  private static long bestNanos(Tensor a, Tensor b) {
    long best = Long.MAX_VALUE;
    long begin = System.nanoTime();
    for (int round = 0; round < ROUNDS_MAX; round++) {
      try (Scope scope = Scope.open()) {
        long from = System.nanoTime();
        a.matmul(b);
        long to = System.nanoTime();
        best = Math.min(best, to - from);
        if (to - begin > RACE_NANOS_MAX) {
          break;
        }
      }
    }
    return best;
  }
}
