package org.descant.shards;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;

/**
 * Random generators by counter: one for each (seed, purpose, number), so that any draw can be made
 * again without the draws before it. Stateless.
 */
public final class Draws {
  private Draws() {}

  /** A generator whose stream depends on the three arguments alone. */
  public static SplittableRandom of(long seed, String purpose, long number) {
    return new SplittableRandom(key(seed, purpose, number));
  }

  /** The seed of {@link #of}, for whom has a generator of his own. */
  public static long key(long seed, String purpose, long number) {
    long key = SampleOrder.mix(seed + 0x9e3779b97f4a7c15L);
    for (byte b : purpose.getBytes(StandardCharsets.UTF_8)) {
      key = SampleOrder.mix(key ^ b & 0xff);
    }
    return SampleOrder.mix(key + number * 0x9e3779b97f4a7c15L);
  }
}
