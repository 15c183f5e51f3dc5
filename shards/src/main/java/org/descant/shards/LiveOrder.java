package org.descant.shards;

import java.util.Arrays;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;

/**
 * A {@link SampleOrder} without the samples that are withdrawn: the same order with gaps closed, so
 * the samples that are left keep their order among themselves, whatever is withdrawn and whenever.
 * Random access costs a binary search over the withdrawn. Immutable and thread-safe.
 *
 * <p>A <em>place</em> is an index of the order with nothing withdrawn. It is what a loader keeps
 * across a withdrawal: from the same place on, an older and a newer list of withdrawals give the
 * same samples but for the ones that fell in between.
 */
public final class LiveOrder {
  private final long samples;
  private final LongUnaryOperator at;

  /** Places of the withdrawn, rising. */
  private final long[] gaps;

  /**
   * Takes one evaluation of the order for each withdrawn sample, none for the others.
   *
   * @param withdrawn samples, each once
   */
  public LiveOrder(SampleOrder order, LongStream withdrawn) {
    this(order.size(), order::at, order::indexOf, withdrawn);
  }

  LiveOrder(long samples, LongUnaryOperator at, LongUnaryOperator indexOf, LongStream withdrawn) {
    this.samples = samples;
    this.at = at;
    this.gaps = withdrawn.map(indexOf).sorted().toArray();
    if (gaps.length != Arrays.stream(gaps).distinct().count()) {
      throw new ShardException("a sample is withdrawn twice; name each once");
    }
  }

  /** Samples that are left. */
  public long size() {
    return samples - gaps.length;
  }

  /** The sample at a live index, {@code 0 <= index < size()}. */
  public long at(long index) {
    return at.applyAsLong(place(index));
  }

  /** Where a live index lies in the order with nothing withdrawn. */
  public long place(long index) {
    if (index < 0 || index >= size()) {
      throw new ShardException("index must be 0 to %d, was %d".formatted(size() - 1, index));
    }
    // gaps[i] - i live samples lie before gap i: the first gap with more than index of them stops.
    int low = 0;
    int high = gaps.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (gaps[middle] - middle > index) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return index + low;
  }

  /** How many live samples lie before a place: the live index of the first at or after it. */
  public long index(long place) {
    if (place < 0 || place > samples) {
      throw new ShardException("place must be 0 to %d, was %d".formatted(samples, place));
    }
    int found = Arrays.binarySearch(gaps, place);
    return place - (found >= 0 ? found : -found - 1);
  }
}
