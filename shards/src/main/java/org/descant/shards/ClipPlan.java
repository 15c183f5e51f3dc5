package org.descant.shards;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Recordings cut into clips of one length, in an endless shuffled order: every recording has one
 * slot for each whole clip it holds, at least one; the slots are the samples that a {@link
 * SampleOrder} permutes anew in each epoch; a clip starts at random within its slot.
 *
 * <p>Two numbers say where one is. A <em>position</em> counts the clips that are taken. A
 * <em>place</em> counts the samples of the order with nothing withdrawn. Withdrawn recordings keep
 * their slots and are passed over, so a sample has the same number for ever, and where its clip
 * begins and whatever else is drawn for it depends on seed, name and place alone: taking one
 * recording out changes neither the order nor the clips of the others. As long as nothing is
 * withdrawn, positions are places. Immutable and thread-safe.
 */
public final class ClipPlan {
  private static final String CLIPS = "clips";

  private final long seed;
  private final String name;
  private final int clipFrames;
  private final int[] frames;
  private final long[] firstSlot;

  /** By rising position; the first begins at position 0. */
  private final List<Stretch> stretches;

  /** From a position on these recordings are passed over. */
  private record Stretch(long position, BitSet withdrawn, LiveSequence sequence) {}

  /**
   * A clip of the plan.
   *
   * @param plan that it is of
   * @param place over all epochs
   * @param sample its number in every epoch
   * @param recording index of the recording
   * @param from first frame in the recording
   * @param frames of the clip
   */
  public record Excerpt(
      ClipPlan plan, long place, long sample, int recording, int from, int frames) {
    /** Which pass over the samples, from 0. */
    public long epoch() {
      return place / plan.samples();
    }

    /** The random generator for a purpose, such as pitch: a function of seed, name and place. */
    public SplittableRandom draws(String purpose) {
      return plan.draws(purpose, place);
    }
  }

  private ClipPlan(
      long seed,
      String name,
      int clipFrames,
      int[] frames,
      long[] firstSlot,
      List<Stretch> stretches) {
    this.seed = seed;
    this.name = name;
    this.clipFrames = clipFrames;
    this.frames = frames;
    this.firstSlot = firstSlot;
    this.stretches = List.copyOf(stretches);
  }

  /**
   * Nothing withdrawn yet.
   *
   * @param seed of order and draws
   * @param name that keeps this plan's draws apart from those of others with the same seed
   * @param frames of the recordings, in any unit
   * @param clipFrames length of a clip; a shorter recording is one clip of its own length
   */
  public static ClipPlan of(long seed, String name, int[] frames, int clipFrames) {
    if (clipFrames < 1 || frames.length < 1) {
      throw new ShardException(
          "a clip has at least one frame and a plan one recording, was %d and %d"
              .formatted(clipFrames, frames.length));
    }
    long[] firstSlot = new long[frames.length + 1];
    for (int i = 0; i < frames.length; i++) {
      firstSlot[i + 1] = firstSlot[i] + Math.max(1, frames[i] / clipFrames);
    }
    var none = new ClipPlan(seed, name, clipFrames, frames.clone(), firstSlot, List.of());
    return none.with(List.of(), 0, 0, new BitSet());
  }

  /** A dataset's recordings as they are, without those that are withdrawn by now. */
  public static ClipPlan of(Dataset dataset, long seed, int clipFrames) {
    int[] frames = IntStream.range(0, dataset.size()).map(dataset::frames).toArray();
    return of(seed, CLIPS, frames, clipFrames).without(0, dataset::withdrawn);
  }

  private ClipPlan with(List<Stretch> before, long position, long place, BitSet withdrawn) {
    var all = new ArrayList<>(before);
    all.add(
        new Stretch(
            position,
            withdrawn,
            new LiveSequence(
                Draws.key(seed, name + " order", 0),
                samples(),
                place,
                () -> samplesOf(withdrawn::get))));
    return new ClipPlan(seed, name, clipFrames, frames, firstSlot, all);
  }

  /**
   * The same plan up to a position, and from there on without some recordings, beside those that it
   * does without already.
   *
   * @param position of the first clip that cannot be of them; not before an earlier one's
   * @throws ShardException when nothing would be left
   */
  public ClipPlan without(long position, IntPredicate withdrawn) {
    Stretch last = stretches.getLast();
    if (position < last.position) {
      throw new ShardException(
          "withdrawals come one after the other: at %d, then at %d"
              .formatted(last.position, position));
    }
    BitSet all = (BitSet) last.withdrawn.clone();
    IntStream.range(0, frames.length).filter(withdrawn).forEach(all::set);
    if (all.equals(last.withdrawn)) {
      return this;
    }
    // Right after the clip before, so that what falls away makes room for what comes next.
    long place = position == 0 ? 0 : place(position - 1) + 1;
    List<Stretch> before =
        position == last.position ? stretches.subList(0, stretches.size() - 1) : stretches;
    return with(before, position, place, all);
  }

  /** Slots of all recordings, the withdrawn ones too: samples of an epoch. */
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
    if (sample < 0 || sample >= samples()) {
      throw new ShardException("sample must be 0 to %d, was %d".formatted(samples() - 1, sample));
    }
    int found = Arrays.binarySearch(firstSlot, sample);
    return found >= 0 ? found : -found - 2;
  }

  /** The place of the clip at a position, from 0. */
  public long place(long position) {
    if (position < 0) {
      throw new ShardException("position must not be negative, was " + position);
    }
    int i = stretches.size() - 1;
    while (stretches.get(i).position > position) {
      i--;
    }
    Stretch stretch = stretches.get(i);
    return stretch.sequence.place(position - stretch.position);
  }

  /** The clip at a position, from 0; positions run on over epochs. */
  public Excerpt at(long position) {
    long place = place(position);
    long sample = stretches.getLast().sequence.sample(place);
    int recording = recording(sample);
    int length = Math.min(clipFrames, frames[recording]);
    return new Excerpt(this, place, sample, recording, from(recording, sample, place), length);
  }

  private int from(int recording, long sample, long place) {
    int room = frames[recording] - clipFrames;
    if (room <= 0) {
      return 0;
    }
    int slot = (int) ((sample - firstSlot[recording]) * clipFrames);
    return Math.min(slot + draws("start", place).nextInt(clipFrames), room);
  }

  /**
   * The random generator for whatever is drawn for the sample at a place: not a function of
   * workers, threads, batches or withdrawals.
   *
   * @param purpose of the draws; other purposes draw independently
   */
  public SplittableRandom draws(String purpose, long place) {
    return Draws.of(seed, name + " " + purpose, place);
  }
}
