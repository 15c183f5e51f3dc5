package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.Scope;
import org.junit.jupiter.api.Test;

class LossGradientsTest {
  private static final int SIZE = 4096;

  private static float[] gradient(TokenLm lm, int[][] codes) {
    try (Scope scope = Scope.open()) {
      lm.parameters().zeroGradients();
      lm.loss(TinyLm.unconditional(List.<int[][]>of(codes)), TinyLm.UNCONDITIONAL, 0)
          .total()
          .backward();
      return lm.parameters().gradients().toFloats();
    }
  }

  /** Gradients in the metric in which all weights count the same. */
  private static LossGradients plain(TokenLm lm) {
    float[] ones = new float[LossGradients.blocks(lm)];
    Arrays.fill(ones, 1);
    return new LossGradients(lm, SIZE, ones);
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  @Test
  void productsOfSketchesAreProductsOfTheTrueGradients() {
    try (TokenLm lm = TokenLm.create(Small.LM, 5)) {
      LossGradients gradients = plain(lm);
      int[][] one = Small.codes(1, 40);
      int[][] two = Small.codes(2, 40);
      float[] a = gradient(lm, one);
      float[] b = gradient(lm, two);
      double norms = Math.sqrt(dot(a, a) * dot(b, b));
      double error = 4 / Math.sqrt(SIZE) * norms;
      float[] sketchA = gradients.of(one);
      float[] sketchB = gradients.of(two);
      assertThat(dot(sketchA, sketchB)).isCloseTo(dot(a, b), within(error));
      assertThat(dot(sketchA, sketchA))
          .isCloseTo(dot(a, a), within(4 / Math.sqrt(SIZE) * dot(a, a)));
    }
  }

  @Test
  void sketchesOfRandomVectorsKeepTheirProductsOnAverage() {
    SplittableRandom random = new SplittableRandom(1);
    double squares = 0;
    int trials = 60;
    for (int trial = 0; trial < trials; trial++) {
      float[] a = new float[20_000];
      float[] b = new float[20_000];
      for (int i = 0; i < a.length; i++) {
        a[i] = (float) (random.nextDouble() - 0.5);
        b[i] = (float) (random.nextDouble() - 0.5);
      }
      double norms = Math.sqrt(dot(a, a) * dot(b, b));
      double error =
          (dot(LossGradients.sketch(a, 256), LossGradients.sketch(b, 256)) - dot(a, b)) / norms;
      squares += error * error / trials;
    }
    assertThat(Math.sqrt(squares)).isCloseTo(1 / Math.sqrt(256), within(0.02));
  }

  @Test
  void codesLongerThanTheContextAreReadInWindowsThatWeighTheSame() {
    try (TokenLm lm = TokenLm.create(Small.LM, 5)) {
      LossGradients gradients = plain(lm);
      int window = Small.LM.context() - Small.BOOKS + 1;
      int[][] codes = Small.codes(1, 2 * window);
      float[] first = gradients.of(part(codes, 0, window));
      float[] second = gradients.of(part(codes, window, 2 * window));
      float[] both = gradients.of(codes);
      for (int i = 0; i < both.length; i++) {
        assertThat(both[i]).isCloseTo((first[i] + second[i]) / 2, within(1e-5f));
      }
      // Three more frames are too few to be asked.
      assertThat(gradients.of(longer(codes, 3))).isEqualTo(both);
    }
  }

  @Test
  void weightsThatEveryRecordingPullsAtCountLess() {
    try (TokenLm lm = TokenLm.create(Small.LM, 5)) {
      int[][] codes = Small.codes(1, 40);
      float[] gradient = gradient(lm, codes);
      float[] roots =
          LossGradients.measured(lm, SIZE, Collections.singletonList(codes)).inverseRoots();
      double[] squares = new double[roots.length];
      for (int i = 0; i < gradient.length; i++) {
        squares[i / LossGradients.BLOCK] += (double) gradient[i] * gradient[i];
      }
      double mean = Arrays.stream(squares).average().orElseThrow();
      for (int i = 0; i < roots.length; i++) {
        assertThat((double) roots[i])
            .isCloseTo(1 / Math.sqrt(squares[i] / mean + 1e-3), within(1e-3 * roots[i]));
      }
    }
  }

  private static int[][] part(int[][] codes, int from, int to) {
    return Arrays.stream(codes)
        .map(book -> Arrays.copyOfRange(book, from, to))
        .toArray(int[][]::new);
  }

  private static int[][] longer(int[][] codes, int more) {
    return Arrays.stream(codes)
        .map(book -> Arrays.copyOf(book, book.length + more))
        .toArray(int[][]::new);
  }
}
