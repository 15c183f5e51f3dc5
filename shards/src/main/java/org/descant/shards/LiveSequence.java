package org.descant.shards;

import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * The samples of one epoch after another from some place on, without those that are withdrawn. A
 * place counts on over the epochs of the order with nothing withdrawn: place p is index {@code p
 * mod n} of epoch {@code p / n}. Random access; thread-safe.
 */
final class LiveSequence {
  private final long seed;
  private final long samples;
  private final long start;
  private final Supplier<LongStream> withdrawn;
  private final long live;

  /** The order of the epoch that was asked for last. */
  private volatile @Nullable Epoch cached;

  private record Epoch(long number, LiveOrder order) {}

  /**
   * @param seed of the order
   * @param samples of an epoch, the withdrawn too
   * @param start place of the first sample, or of the withdrawn ones before it
   * @param withdrawn samples, each once
   */
  LiveSequence(long seed, long samples, long start, Supplier<LongStream> withdrawn) {
    this.seed = seed;
    this.samples = samples;
    this.start = start;
    this.withdrawn = withdrawn;
    this.live = samples - withdrawn.get().count();
    if (live < 1) {
      throw new ShardException(
          "all recordings are withdrawn and nothing is left to learn from; build a new dataset");
    }
  }

  /** The place of the n-th sample, from 0. */
  long place(long n) {
    if (live == samples) {
      return start + n;
    }
    long epoch = start / samples;
    LiveOrder first = order(epoch);
    long index = first.index(start % samples) + n;
    if (index >= live) {
      epoch += index / live;
      index %= live;
    }
    return epoch * samples + order(epoch).place(index);
  }

  /** The sample at a place. */
  long sample(long place) {
    return SampleOrder.sample(seed, samples, place);
  }

  private LiveOrder order(long epoch) {
    Epoch known = cached;
    if (known == null || known.number != epoch) {
      known =
          new Epoch(epoch, new LiveOrder(new SampleOrder(seed, epoch, samples), withdrawn.get()));
      cached = known;
    }
    return known.order;
  }
}
