package org.descant.training.stage;

import java.util.SplittableRandom;

/** The stages' name for {@link org.descant.shards.Draws}. Stateless. */
public final class Draws {
  private Draws() {}

  /** A generator whose stream depends on the three arguments alone. */
  public static SplittableRandom of(long seed, String purpose, long number) {
    return org.descant.shards.Draws.of(seed, purpose, number);
  }

  /** The seed of {@link #of}, for whom has a generator of his own. */
  static long key(long seed, String purpose, long number) {
    return org.descant.shards.Draws.key(seed, purpose, number);
  }
}
