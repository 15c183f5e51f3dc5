package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.evaluation.FrechetDistance.Normal;
import org.junit.jupiter.api.Test;

class FrechetDistanceTest {

  @Test
  void alongTheAxesItIsTheClosedForm() {
    Normal a = new Normal(new double[] {1, -2, 0}, diagonal(4, 1, 0.25));
    Normal b = new Normal(new double[] {0, -2, 3}, diagonal(9, 1, 0));
    // |m − n|² + Σ (√a − √b)²
    assertThat(FrechetDistance.between(a, b)).isCloseTo(10 + 1 + 0 + 0.25, within(1e-9));
  }

  @Test
  void aRotationOfBothChangesNothing() {
    double c = Math.cos(0.7);
    double s = Math.sin(0.7);
    Normal a = new Normal(new double[] {3, 1}, diagonal(4, 1));
    Normal b = new Normal(new double[] {0, 0}, diagonal(1, 9));
    assertThat(FrechetDistance.between(turned(a, c, s), turned(b, c, s)))
        .isCloseTo(FrechetDistance.between(a, b), within(1e-9));
  }

  @Test
  void equalSetsAreNotApartAndShiftedOnesByTheSquareOfTheShift() {
    SplittableRandom random = new SplittableRandom(1);
    List<float[]> rows = new ArrayList<>();
    List<float[]> shifted = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      float[] row = new float[64];
      float[] other = new float[64];
      for (int j = 0; j < row.length; j++) {
        row[j] = (float) random.nextDouble();
        other[j] = row[j] + 0.5f;
      }
      rows.add(row);
      shifted.add(other);
    }
    assertThat(FrechetDistance.between(rows, rows)).isCloseTo(0, within(1e-6));
    assertThat(FrechetDistance.between(rows, shifted)).isCloseTo(64 * 0.25, within(1e-4));
    assertThatThrownBy(() -> FrechetDistance.between(rows, rows.subList(0, 1)))
        .isInstanceOf(EvaluationException.class);
  }

  private static double[][] diagonal(double... values) {
    double[][] matrix = new double[values.length][values.length];
    for (int i = 0; i < values.length; i++) {
      matrix[i][i] = values[i];
    }
    return matrix;
  }

  private static Normal turned(Normal n, double c, double s) {
    double[] m = n.mean();
    double x = n.covariance()[0][0];
    double y = n.covariance()[1][1];
    return new Normal(
        new double[] {c * m[0] - s * m[1], s * m[0] + c * m[1]},
        new double[][] {
          {c * c * x + s * s * y, c * s * (x - y)}, {c * s * (x - y), s * s * x + c * c * y}
        });
  }
}
