package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SampleOrderTest {
  @Test
  void everySmallOrderIsABijectionWithItsInverse() {
    for (int n = 1; n <= 300; n++) {
      var order = new SampleOrder(42, n % 3, n);
      var seen = new BitSet();
      for (int i = 0; i < n; i++) {
        long sample = order.at(i);
        assertThat(sample).isBetween(0L, n - 1L);
        assertThat(order.indexOf(sample)).isEqualTo(i);
        seen.set((int) sample);
      }
      assertThat(seen.cardinality()).isEqualTo(n);
    }
  }

  @Test
  void aMillionSamplesComeOnceEach() {
    int n = 1_000_003;
    var order = new SampleOrder(7, 0, n);
    var seen = new BitSet(n);
    for (int i = 0; i < n; i++) {
      seen.set((int) order.at(i));
    }
    assertThat(seen.cardinality()).isEqualTo(n);
  }

  @Test
  void theLargestOrdersInvertAtRandomPlaces() {
    var random = new SplittableRandom(1);
    for (long n :
        new long[] {SampleOrder.SAMPLES_MAX, SampleOrder.SAMPLES_MAX - 12_345, 1L << 33}) {
      var order = new SampleOrder(random.nextLong(), 5, n);
      for (int trial = 0; trial < 2_000; trial++) {
        long index = random.nextLong(n);
        assertThat(order.indexOf(order.at(index))).isEqualTo(index);
      }
    }
  }

  /** The orders on disk depend on these numbers: a change here changes every recorded run. */
  @Test
  void theOrderNeverChanges() {
    var order = new SampleOrder(2026, 3, 10);
    List<Long> samples = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      samples.add(order.at(i));
    }
    assertThat(samples).containsExactly(3L, 2L, 7L, 5L, 0L, 1L, 4L, 9L, 8L, 6L);
  }

  @Test
  void seedAndEpochChangeTheOrder() {
    int n = 1_000;
    int sameAsSeed = 0;
    int sameAsEpoch = 0;
    var order = new SampleOrder(1, 0, n);
    var otherSeed = new SampleOrder(2, 0, n);
    var otherEpoch = new SampleOrder(1, 1, n);
    for (int i = 0; i < n; i++) {
      sameAsSeed += order.at(i) == otherSeed.at(i) ? 1 : 0;
      sameAsEpoch += order.at(i) == otherEpoch.at(i) ? 1 : 0;
    }
    assertThat(sameAsSeed).isLessThan(12);
    assertThat(sameAsEpoch).isLessThan(12);
  }

  /** Chi-squared over where the first of 16 samples lands; 37.7 is the one-in-a-thousand bound. */
  @Test
  void everyPlaceIsAboutEquallyLikely() {
    int n = 16;
    int trials = 16_000;
    int[] hits = new int[n];
    for (int seed = 0; seed < trials; seed++) {
      hits[(int) new SampleOrder(seed, 0, n).at(0)]++;
    }
    double expected = trials / (double) n;
    double chi = 0;
    for (int hit : hits) {
      chi += (hit - expected) * (hit - expected) / expected;
    }
    assertThat(chi).isLessThan(37.7);
  }

  @Test
  void anyNumberOfWorkersShareOneGlobalOrder() {
    int n = 1_000;
    int batch = 16;
    List<Long> one = positions(n, batch, 1);
    for (int workers : new int[] {2, 4, 8}) {
      assertThat(positions(n, batch, workers)).isEqualTo(one);
    }
  }

  /** Each worker takes its slice of every global batch; together, over 100 steps. */
  private static List<Long> positions(long n, int batch, int workers) {
    var samples = new ArrayList<Long>();
    for (int step = 0; step < 100; step++) {
      for (int worker = 0; worker < workers; worker++) {
        int share = batch / workers;
        for (int i = 0; i < share; i++) {
          samples.add(SampleOrder.sample(9, n, (long) step * batch + worker * share + i));
        }
      }
    }
    return samples;
  }

  @Test
  void impossibleOrdersAreRefused() {
    assertThatThrownBy(() -> new SampleOrder(1, 0, 0)).isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new SampleOrder(1, 0, SampleOrder.SAMPLES_MAX + 1))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new SampleOrder(1, -1, 5)).isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new SampleOrder(1, 0, 5).at(5)).isInstanceOf(ShardException.class);
  }
}
