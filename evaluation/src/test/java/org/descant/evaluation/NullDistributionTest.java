package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class NullDistributionTest {

  @Test
  void theProbabilityOfAValueFallsFromOneAndNeverReachesZero() {
    SplittableRandom random = new SplittableRandom(3);
    for (int round = 0; round < 50; round++) {
      List<Double> values = random.doubles(1 + random.nextInt(40), 0, 5).boxed().toList();
      NullDistribution none = new NullDistribution(values);
      double before = 1;
      for (double value = 0; value <= 6; value += 0.25) {
        double probability = none.probabilityOf(value);
        assertThat(probability).isLessThanOrEqualTo(before).isGreaterThan(0);
        before = probability;
      }
      assertThat(none.probabilityOf(0)).isEqualTo(1);
      assertThat(none.probabilityOf(6)).isCloseTo(1.0 / (values.size() + 1), within(1e-12));
    }
  }

  @Test
  void valuesOfTheNullItselfAreFoundUnlikelyAsOftenAsStated() {
    SplittableRandom random = new SplittableRandom(4);
    int rounds = 4000;
    int unlikely = 0;
    for (int round = 0; round < rounds; round++) {
      NullDistribution none = new NullDistribution(random.doubles(19, 0, 1).boxed().toList());
      unlikely += none.probabilityOf(random.nextDouble()) <= 0.1 ? 1 : 0;
    }
    // Exactly 0.1 for 19 values; four standard deviations are 0.019.
    assertThat((double) unlikely / rounds).isCloseTo(0.1, within(0.02));
  }

  @Test
  void quantilesAreValuesAndAThresholdCountsThoseAboveIt() {
    NullDistribution none = new NullDistribution(List.of(4.0, 1.0, 3.0, 2.0));
    assertThat(none.quantile(0)).isEqualTo(1);
    assertThat(none.quantile(0.5)).isEqualTo(2);
    assertThat(none.quantile(0.51)).isEqualTo(3);
    assertThat(none.quantile(1)).isEqualTo(none.largest()).isEqualTo(4);
    assertThat(none.above(3)).isEqualTo(1);
    assertThat(none.above(0)).isEqualTo(4);
  }

  @Test
  void nothingIsNoNull() {
    assertThatThrownBy(() -> new NullDistribution(List.of()))
        .isInstanceOf(EvaluationException.class)
        .hasMessageContaining("at least one");
    assertThatThrownBy(() -> new NullDistribution(List.of(1.0, Double.NaN)))
        .isInstanceOf(EvaluationException.class);
  }
}
