package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ClipPlanTest {
  /** Against the plain way: the plan with nothing withdrawn, walked place by place. */
  @Test
  void aWithdrawalPassesOverItsRecordingsAndMovesNothingElse() {
    var random = new SplittableRandom(8);
    for (int trial = 0; trial < 60; trial++) {
      int[] frames = random.ints(random.nextInt(2, 8), 1, 60).toArray();
      long seed = random.nextLong();
      ClipPlan whole = ClipPlan.of(seed, "test", frames, 10);
      ClipPlan plan = whole;
      var gone = new BitSet();
      List<ClipPlan.Excerpt> expected = new ArrayList<>();
      long place = 0;
      int positions = 6 * (int) whole.samples();
      for (int position = 0; position < positions; position++) {
        if (random.nextInt(positions) < 4 && gone.cardinality() < frames.length - 1) {
          int out = random.nextInt(frames.length);
          if (gone.cardinality() + 1 < frames.length || gone.get(out)) {
            gone.set(out);
            plan = plan.without(position, i -> i == out);
          }
        }
        while (gone.get(whole.at(place).recording())) {
          place++;
        }
        expected.add(whole.at(place));
        place++;
      }
      for (int position = 0; position < positions; position++) {
        ClipPlan.Excerpt is = plan.at(position);
        ClipPlan.Excerpt should = expected.get(position);
        assertThat(List.of(is.place(), is.sample(), is.recording(), is.from(), is.frames()))
            .as("trial %d, position %d", trial, position)
            .isEqualTo(
                List.<Object>of(
                    should.place(),
                    should.sample(),
                    should.recording(),
                    should.from(),
                    should.frames()));
        assertThat(is.draws("gain").nextLong()).isEqualTo(should.draws("gain").nextLong());
      }
    }
  }

  /** The state of whoever reads is one number, so each of these is a run that was resumed. */
  @Test
  void aHundredMillionSamplesAreGoneOnWithAtAnyPosition() {
    int[] frames = new int[1_000];
    Arrays.fill(frames, 100_000 * 10);
    ClipPlan whole = ClipPlan.of(4, "test", frames, 10);
    assertThat(whole.samples()).isEqualTo(100_000_000);
    var random = new SplittableRandom(4);
    for (int trial = 0; trial < 50; trial++) {
      long position = random.nextLong(1_000_000_000);
      int gone = random.nextInt(frames.length);
      ClipPlan plan = whole.without(position, i -> i == gone);
      long place = position;
      for (int i = 0; i < 20; i++) {
        while (whole.at(place).recording() == gone) {
          place++;
        }
        assertThat(plan.place(position + i)).isEqualTo(place);
        place++;
      }
      if (position > 0) {
        assertThat(plan.place(position - 1)).isEqualTo(position - 1);
      }
    }
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThatThrownBy(() -> ClipPlan.of(1, "test", new int[0], 10))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> ClipPlan.of(1, "test", new int[] {5}, 0))
        .isInstanceOf(ShardException.class);
    ClipPlan plan = ClipPlan.of(1, "test", new int[] {50, 20}, 10);
    assertThatThrownBy(() -> plan.without(3, i -> true))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("nothing is left");
    assertThatThrownBy(() -> plan.without(9, i -> i == 0).without(8, i -> i == 1))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> plan.at(-1)).isInstanceOf(ShardException.class);
  }
}
