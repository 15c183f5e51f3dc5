package org.descant.shards;

/**
 * A shuffled order of {@code n} samples that needs no memory: {@link #at} is a bijection of {@code
 * [0, n)} that is a pure function of (seed, epoch, index). Any position can be asked at any time,
 * so a loader's whole state is its position, and workers share one global order by taking different
 * positions. Immutable and thread-safe.
 *
 * <p>A keyed Feistel network of {@value #ROUNDS} rounds permutes the smallest even power of two
 * that holds n; a value outside {@code [0, n)} is permuted again until it falls inside ("cycle
 * walking", Black and Rogaway 2002, Ciphers with Arbitrary Finite Domains). The domain is less than
 * 4 n, so a walk has fewer than 4 expected steps. This shuffles; it keeps no secrets.
 */
public final class SampleOrder {
  /** Largest n: 2^40. */
  public static final long SAMPLES_MAX = 1L << 40;

  private static final int ROUNDS = 6;

  private final long n;
  private final int halfBits;
  private final long halfMask;
  private final long[] keys = new long[ROUNDS];

  /**
   * @param seed of the whole run
   * @param epoch which pass over the samples, from 0
   * @param n number of samples, 1 to 2^40
   */
  public SampleOrder(long seed, long epoch, long n) {
    if (n < 1 || n > SAMPLES_MAX) {
      throw new ShardException(
          "a sample order needs 1 to %d samples, was %d".formatted(SAMPLES_MAX, n));
    }
    if (epoch < 0) {
      throw new ShardException("epoch must not be negative, was " + epoch);
    }
    this.n = n;
    int bits = Math.max(2, 64 - Long.numberOfLeadingZeros(n - 1));
    halfBits = (bits + 1) / 2;
    halfMask = (1L << halfBits) - 1;
    long state = mix(seed ^ mix(epoch + 0x9e3779b97f4a7c15L));
    for (int round = 0; round < ROUNDS; round++) {
      state += 0x9e3779b97f4a7c15L;
      keys[round] = mix(state);
    }
  }

  /**
   * The sample at a position that runs on over epochs without end: position {@code p} is index
   * {@code p mod n} of epoch {@code p / n}. A step of a global batch of B takes the positions
   * {@code step * B} to {@code step * B + B - 1}, however many workers share them.
   */
  public static long sample(long seed, long n, long position) {
    if (position < 0) {
      throw new ShardException("position must not be negative, was " + position);
    }
    return new SampleOrder(seed, position / n, n).at(position % n);
  }

  public long size() {
    return n;
  }

  /** The sample at an index of this epoch. */
  public long at(long index) {
    check(index);
    long value = index;
    do {
      value = forward(value);
    } while (value >= n);
    return value;
  }

  /** The index at which a sample comes: the inverse of {@link #at}. */
  public long indexOf(long sample) {
    check(sample);
    long value = sample;
    do {
      value = backward(value);
    } while (value >= n);
    return value;
  }

  private void check(long value) {
    if (value < 0 || value >= n) {
      throw new ShardException("index must be 0 to %d, was %d".formatted(n - 1, value));
    }
  }

  private long forward(long value) {
    long left = value >>> halfBits;
    long right = value & halfMask;
    for (int round = 0; round < ROUNDS; round++) {
      long next = left ^ mix(right + keys[round]) & halfMask;
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }

  private long backward(long value) {
    long left = value >>> halfBits;
    long right = value & halfMask;
    for (int round = ROUNDS - 1; round >= 0; round--) {
      long before = right ^ mix(left + keys[round]) & halfMask;
      right = left;
      left = before;
    }
    return left << halfBits | right;
  }

  /** The finalizer of SplitMix64 (Steele, Lea, Flood 2014, variant 13 of Stafford). */
  static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
