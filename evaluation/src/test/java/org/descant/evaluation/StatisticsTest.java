package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class StatisticsTest {

  @Test
  void equalValuesShareTheMeanOfTheirRanks() {
    assertThat(Statistics.ranks(new double[] {5, 6, 7, 8, 7})).containsExactly(1, 2, 3.5, 5, 3.5);
  }

  @Test
  void spearmanIsWhatOthersCompute() {
    // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
    assertThat(Statistics.spearman(new double[] {1, 2, 3, 4, 5}, new double[] {5, 6, 7, 8, 7}))
        .isCloseTo(0.8207826816681233, within(1e-12));
    assertThat(Statistics.spearman(new double[] {1, 2, 3}, new double[] {9, 4, 1})).isEqualTo(-1);
    assertThat(Statistics.spearman(new double[] {1, 2, 3}, new double[] {7, 7, 7})).isZero();
  }

  @Test
  void spearmanOnlySeesTheOrder() {
    SplittableRandom random = new SplittableRandom(1);
    for (int trial = 0; trial < 100; trial++) {
      double[] a = random.doubles(20).toArray();
      double[] b = random.doubles(20).toArray();
      double[] bent = Arrays.stream(b).map(x -> Math.exp(5 * x)).toArray();
      assertThat(Statistics.spearman(a, bent))
          .isCloseTo(Statistics.spearman(a, b), within(1e-12))
          .isBetween(-1.0, 1.0);
    }
  }

  @Test
  void theBootstrapIntervalOfAMeanIsThatOfTheNormalApproximation() {
    SplittableRandom random = new SplittableRandom(2);
    double[] values = new double[400];
    Arrays.setAll(values, i -> random.nextDouble() + random.nextDouble() + random.nextDouble());
    double half = 1.96 * Math.sqrt(0.25 / values.length);
    Statistics.Interval interval = Statistics.bootstrap(values, 2000, 3);
    assertThat(interval.low()).isCloseTo(Statistics.mean(values) - half, within(0.01));
    assertThat(interval.high()).isCloseTo(Statistics.mean(values) + half, within(0.01));
    assertThat(Statistics.bootstrap(values, 2000, 3)).isEqualTo(interval);
  }
}
