package org.descant.training.stage;

import java.util.SplittableRandom;
import org.descant.shards.SampleOrder;

/**
 * Random excerpts in an order that is a pure function of (seed, purpose, position): every source is
 * cut into slots of one excerpt's length, a keyed permutation orders all slots of all sources, and
 * an excerpt starts at random within its slot. Immutable.
 */
public final class Windows {
  private final long seed;
  private final String purpose;
  private final int length;
  private final int[] lengths;
  private final long[] firstSlot;

  /** An excerpt of a source. */
  public record Window(int source, int from) {}

  /**
   * @param lengths of the sources; one that is shorter than an excerpt has one slot and starts at 0
   * @param length of an excerpt
   */
  Windows(long seed, String purpose, int[] lengths, int length) {
    this.seed = seed;
    this.purpose = purpose;
    this.length = length;
    this.lengths = lengths.clone();
    this.firstSlot = new long[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      firstSlot[i + 1] = firstSlot[i] + Math.max(1, lengths[i] / length);
    }
  }

  /** Slots in an epoch. */
  public long slots() {
    return firstSlot[lengths.length];
  }

  /** The excerpt at a position, which runs on over epochs. */
  Window at(long position) {
    long slot = SampleOrder.sample(Draws.key(seed, purpose + " order", 0), slots(), position);
    int source = sourceOf(slot);
    SplittableRandom random = Draws.of(seed, purpose + " start", position);
    int room = lengths[source] - length;
    if (room <= 0) {
      return new Window(source, 0);
    }
    int from = (int) (slot - firstSlot[source]) * length + random.nextInt(length);
    return new Window(source, Math.min(from, room));
  }

  /** The random generator of whatever else is drawn for the excerpt at a position. */
  SplittableRandom draws(long position) {
    return Draws.of(seed, purpose + " draws", position);
  }

  private int sourceOf(long slot) {
    int low = 0;
    int high = lengths.length - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firstSlot[middle] <= slot) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
