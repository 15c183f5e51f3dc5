package org.descant.tensor;

/**
 * The arithmetic of products in training. bf16 doubles the speed on CPUs whose bf16 units libtorch
 * uses (Zen 4 and 5, Intel with AMX) and halves it on others, so {@link #auto} measures; the caller
 * records the answer, and a replay uses the recorded one.
 */
public enum Precision {
  FP32,
  BF16;

  private static final long BATCH = 2;
  private static final long TIME = 256;
  private static final long HEADS = 4;
  private static final long WIDTH = 256;

  /** The first round of each makes the kernels; the best of the others counts. */
  private static final int ROUNDS = 6;

  private static final long RACE_NANOS_MAX = 400_000_000;

  /** bf16 costs accuracy, so it must be faster by a tenth. */
  private static final double MARGIN = 1.1;

  /**
   * Races forward and backward of one small transformer layer in both precisions, round by round at
   * the current thread count, and returns the faster. It has the kinds of product that training
   * has: flat ones, those of weight gradients, batches of small ones in attention, and the casts
   * between; square products alone flatter whichever is best at them. Takes 0.1 to 0.5 s. Not
   * inside an {@link Autocast} region.
   */
  public static Precision auto() {
    long fp32 = Long.MAX_VALUE;
    long bf16 = Long.MAX_VALUE;
    try (Scope scope = Scope.open()) {
      var layer = new Layer();
      long begin = System.nanoTime();
      for (int round = 0; round < ROUNDS; round++) {
        fp32 = Math.min(fp32, layer.nanos(FP32));
        bf16 = Math.min(bf16, layer.nanos(BF16));
        if (round > 1 && System.nanoTime() - begin > RACE_NANOS_MAX) {
          break;
        }
      }
    }
    return bf16 * MARGIN < fp32 ? BF16 : FP32;
  }

  /** Weights and input of the raced layer; needs an open scope. */
  private static final class Layer {
    private final Tensor x = Tensor.full(0.5, BATCH, TIME, WIDTH);
    private final Tensor queryKeyValue = weight(3 * WIDTH, WIDTH);
    private final Tensor up = weight(4 * WIDTH, WIDTH);
    private final Tensor down = weight(WIDTH, 4 * WIDTH);

    private static Tensor weight(long to, long from) {
      return Tensor.full(0.01, to, from).requiresGrad(true);
    }

    long nanos(Precision precision) {
      try (Scope scope = Scope.open()) {
        long begin = System.nanoTime();
        Tensor loss;
        try (Autocast autocast = Autocast.open(precision)) {
          Tensor qkv =
              x.linear(queryKeyValue)
                  .view(BATCH, TIME, 3, HEADS, WIDTH / HEADS)
                  .permute(2, 0, 3, 1, 4);
          Tensor seen =
              Attention.causal(qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2))
                  .transpose(1, 2)
                  .reshape(BATCH, TIME, WIDTH);
          loss = x.add(seen).linear(up).gelu().linear(down).sum();
        }
        loss.backward();
        return System.nanoTime() - begin;
      }
    }
  }
}
