package org.descant.training.loop;

import java.util.Map;

/**
 * A running 64-bit hash of the order in which data was taken: two runs with the same fingerprint
 * saw the same excerpts in the same steps. It finds mistakes; it keeps nobody honest.
 */
public final class Fingerprint {
  private static final String HIGH = "order.high";
  private static final String LOW = "order.low";

  private long value;

  /** Takes in one more number. */
  public void add(long number) {
    value = mix(value * 31 + number + 0x9e3779b97f4a7c15L);
  }

  public long value() {
    return value;
  }

  /** Sixteen hex digits. */
  @Override
  public String toString() {
    return "%016x".formatted(value);
  }

  /** Puts the halves, which a double holds exactly, among a checkpoint's numbers. */
  public void saveTo(Map<String, Double> numbers) {
    numbers.put(HIGH, (double) (value >>> 32));
    numbers.put(LOW, (double) (value & 0xffffffffL));
  }

  /** Goes on from {@link #saveTo}; from numbers without a fingerprint it begins anew. */
  public void restore(Map<String, Double> numbers) {
    long high = numbers.getOrDefault(HIGH, 0.0).longValue();
    value = high << 32 | numbers.getOrDefault(LOW, 0.0).longValue();
  }

  /** The finalizer of SplitMix64 (Steele, Lea, Flood 2014, variant 13 of Stafford). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
