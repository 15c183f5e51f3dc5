package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class HeadLossTest {
  /** More rows than one chunk has at 4,096 classes, and not a multiple of it. */
  private static final int ROWS = 301;

  private static final int CLASSES = 4096;
  private static final int WIDTH = 12;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private record Result(double loss, List<Tensor> gradients) {}

  private static Result result(boolean fused, Precision precision, boolean withBias) {
    try (SeededRandom random = new SeededRandom(5)) {
      Tensor x = random.normal(ROWS, WIDTH).requiresGrad(true);
      Tensor w = random.normal(CLASSES, WIDTH).requiresGrad(true);
      Tensor b = withBias ? random.normal(CLASSES).requiresGrad(true) : null;
      Tensor target = target();
      Tensor loss;
      try (Autocast autocast = Autocast.open(precision)) {
        loss = fused ? HeadLoss.crossEntropy(x, w, b, target) : x.linear(w, b).crossEntropy(target);
      }
      loss.mul(3).add(x.square().mean()).backward();
      var gradients = new ArrayList<Tensor>(List.of(x.grad(), w.grad()));
      if (b != null) {
        gradients.add(b.grad());
      }
      return new Result(loss.item(), gradients);
    }
  }

  private static Tensor target() {
    long[] target = new SplittableRandom(3).longs(ROWS, 0, CLASSES).toArray();
    for (int i = 0; i < ROWS; i += 7) {
      target[i] = Tensor.IGNORE;
    }
    return Tensor.of(target, ROWS);
  }

  private static void agree(Precision precision, boolean withBias, double tolerance) {
    try (Scope scope = Scope.open()) {
      Result plain = result(false, precision, withBias);
      Result fused = result(true, precision, withBias);
      assertThat(fused.loss).isCloseTo(plain.loss, offset(tolerance * plain.loss));
      for (int i = 0; i < plain.gradients.size(); i++) {
        Tensor expected = plain.gradients.get(i);
        double error = fused.gradients.get(i).sub(expected).norm().item();
        assertThat(error / expected.norm().item()).as("gradient " + i).isLessThan(tolerance);
      }
    }
  }

  @Test
  void lossAndGradientsAreThoseOfTheTwoOperators() {
    agree(Precision.FP32, true, 2e-6);
    agree(Precision.FP32, false, 2e-6);
    agree(Precision.BF16, true, 2e-2);
  }

  @Test
  void withoutGradientsThereIsOnlyTheLoss() {
    try (Scope scope = Scope.open();
        SeededRandom random = new SeededRandom(6)) {
      Tensor x = random.normal(ROWS, WIDTH);
      Tensor w = random.normal(CLASSES, WIDTH).requiresGrad(true);
      Tensor expected;
      Tensor loss;
      try (NoGrad noGrad = NoGrad.open()) {
        expected = x.linear(w).crossEntropy(target());
        loss = HeadLoss.crossEntropy(x, w, null, target());
      }
      assertThat(loss.requiresGrad()).isFalse();
      assertThat(loss.item()).isCloseTo(expected.item(), offset(1e-5));
      Tensor none = Tensor.full(Tensor.IGNORE, DType.I64, ROWS);
      assertThat(HeadLoss.crossEntropy(x, w, null, none).item()).isNaN();
      assertThatThrownBy(() -> HeadLoss.crossEntropy(x, w, null, none.narrow(0, 1, 3)))
          .hasMessageContaining("n targets");
    }
  }
}
