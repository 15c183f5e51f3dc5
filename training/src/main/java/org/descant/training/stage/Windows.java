package org.descant.training.stage;

import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import org.descant.shards.ClipPlan;

/**
 * Random excerpts of what a stage learns from, by the position in its endless sequence: a {@link
 * ClipPlan} over sources of any unit. Sources that are withdrawn keep their numbers and are passed
 * over. Immutable.
 */
public final class Windows {
  /** Purpose of whatever is drawn for an excerpt beside its beginning. */
  static final String DRAWS = "draws";

  private final ClipPlan plan;

  /** An excerpt of a source. */
  public record Window(int source, int from) {}

  /**
   * @param lengths of the sources; one that is shorter than an excerpt has one slot and starts at 0
   * @param length of an excerpt
   */
  Windows(long seed, String purpose, int[] lengths, int length) {
    this(ClipPlan.of(seed, purpose, lengths, length));
  }

  private Windows(ClipPlan plan) {
    this.plan = plan;
  }

  /** The same without some sources from a position on, beside those that are out already. */
  Windows without(long position, IntPredicate sources) {
    return new Windows(plan.without(position, sources));
  }

  /** Who reads a dataset's recordings by these windows reads by this plan. */
  ClipPlan plan() {
    return plan;
  }

  /** Slots in an epoch, the withdrawn too. */
  public long slots() {
    return plan.samples();
  }

  /** The excerpt at a position, which runs on over epochs. */
  Window at(long position) {
    ClipPlan.Excerpt excerpt = plan.at(position);
    return new Window(excerpt.recording(), excerpt.from());
  }

  /** The random generator of whatever else is drawn for the excerpt at a position. */
  SplittableRandom draws(long position) {
    return plan.draws(DRAWS, plan.place(position));
  }
}
