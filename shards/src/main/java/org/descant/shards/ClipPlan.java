package org.descant.shards;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * A dataset cut into clips of one length: every recording has one slot for each whole clip it
 * holds, at least one, and the slots of all recordings are the samples that an order shuffles.
 * Withdrawn recordings keep their slots, so that samples have the same numbers for ever. Immutable.
 */
public final class ClipPlan {
  private final int clipFrames;
  private final int[] frames;
  private final long[] firstSlot;

  private ClipPlan(int clipFrames, int[] frames) {
    this.clipFrames = clipFrames;
    this.frames = frames;
    this.firstSlot = new long[frames.length + 1];
    for (int i = 0; i < frames.length; i++) {
      firstSlot[i + 1] = firstSlot[i] + Math.max(1, frames[i] / clipFrames);
    }
  }

  /**
   * @param clipFrames length of a clip; a shorter recording is one clip of its own length
   */
  public static ClipPlan of(Dataset dataset, int clipFrames) {
    return new ClipPlan(
        requireFrames(clipFrames),
        IntStream.range(0, dataset.size()).map(dataset::frames).toArray());
  }

  private static int requireFrames(int clipFrames) {
    if (clipFrames < 1) {
      throw new ShardException("a clip has at least one frame, was " + clipFrames);
    }
    return clipFrames;
  }

  public int clipFrames() {
    return clipFrames;
  }

  /** Slots of all recordings, the withdrawn ones too. */
  public long samples() {
    return firstSlot[frames.length];
  }

  /** The samples of the recordings that a test picks, rising. */
  public LongStream samplesOf(IntPredicate recordings) {
    return IntStream.range(0, frames.length)
        .filter(recordings)
        .mapToObj(i -> LongStream.range(firstSlot[i], firstSlot[i + 1]))
        .flatMapToLong(slots -> slots);
  }

  /** The recording that a sample is of. */
  public int recording(long sample) {
    int low = 0;
    int high = frames.length - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firstSlot[middle] <= sample) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Frames of a sample's clip. */
  public int length(long sample) {
    return Math.min(clipFrames, frames[recording(sample)]);
  }

  /** Where a sample's clip begins in an epoch: anywhere within its slot. */
  public int from(long seed, long epoch, long sample) {
    int recording = recording(sample);
    int room = frames[recording] - clipFrames;
    if (room <= 0) {
      return 0;
    }
    int slot = (int) ((sample - firstSlot[recording]) * clipFrames);
    int jitter = draws(seed, "clip start", epoch, sample).nextInt(clipFrames);
    return Math.min(slot + jitter, room);
  }

  /**
   * The random generator for whatever is drawn for a sample in an epoch. It is a function of these
   * four alone: not of workers, threads, batches or withdrawals.
   *
   * @param purpose of the draws; other purposes draw independently
   */
  public static SplittableRandom draws(long seed, String purpose, long epoch, long sample) {
    long key = SampleOrder.mix(seed + 0x9e3779b97f4a7c15L);
    for (byte letter : purpose.getBytes(StandardCharsets.UTF_8)) {
      key = SampleOrder.mix(key + letter + 0x9e3779b97f4a7c15L);
    }
    key = SampleOrder.mix(key ^ SampleOrder.mix(epoch + 0x9e3779b97f4a7c15L));
    return new SplittableRandom(SampleOrder.mix(key ^ SampleOrder.mix(sample + 1)));
  }
}
