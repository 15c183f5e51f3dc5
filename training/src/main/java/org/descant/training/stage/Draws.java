package org.descant.training.stage;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;

/**
 * Random generators by counter: one for each (seed, purpose, number), so that any draw of a run can
 * be made again without the draws before it. Stateless.
 */
public final class Draws {
  private Draws() {}

  /** A generator whose stream depends on the three arguments alone. */
  public static SplittableRandom of(long seed, String purpose, long number) {
    return new SplittableRandom(key(seed, purpose, number));
  }

  /** The seed of {@link #of}, for whom has a generator of his own. */
  static long key(long seed, String purpose, long number) {
    long key = mix(seed + 0x9e3779b97f4a7c15L);
    for (byte b : purpose.getBytes(StandardCharsets.UTF_8)) {
      key = mix(key ^ b & 0xff);
    }
    return mix(key + number * 0x9e3779b97f4a7c15L);
  }

  /** The finalizer of SplitMix64 (Steele, Lea, Flood 2014, variant 13 of Stafford). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
