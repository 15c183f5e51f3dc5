package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Operations with a gradient of their own against autograd's for the same in plain operators. */
class HandGradientTest {
  private static final double EPSILON = 1e-5;

  private record Gradients(float[] value, float[] ofInput) {}

  private static Gradients of(UnaryOperator<Tensor> operation, Tensor data, Tensor weight) {
    Tensor leaf = data.copy().requiresGrad(true);
    Tensor value = operation.apply(leaf.mul(2));
    value.mul(weight).sum().backward();
    return new Gradients(value.detach().toFloats(), leaf.grad().toFloats());
  }

  private static void assertNear(float[] actual, float[] expected, double tolerance) {
    double largest = 0;
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
    }
    assertThat(worst / largest).isLessThan(tolerance);
  }

  @Test
  void gatedLinearUnit() {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(1);
      Tensor data = random.normal(3, 5, 14);
      Tensor weight = random.normal(3, 5, 7);
      Gradients expected = of(x -> x.narrow(2, 0, 7).silu().mul(x.narrow(2, 7, 7)), data, weight);
      Gradients actual = of(GatedLinearUnit::swiGlu, data, weight);
      assertNear(actual.value, expected.value, 1e-6);
      assertNear(actual.ofInput, expected.ofInput, 1e-6);
    }
  }

  @Test
  void rootMeanSquareNorm() {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(2);
      Tensor data = random.normal(4, 6, 10);
      Tensor weight = random.normal(4, 6, 10);
      Tensor a = random.normal(10).requiresGrad(true);
      Tensor b = a.detach().copy().requiresGrad(true);
      Gradients expected =
          of(x -> x.mul(x.square().mean(-1, true).add(EPSILON).rsqrt()).mul(a), data, weight);
      Gradients actual = of(x -> x.rmsNorm(b, EPSILON), data, weight);
      assertNear(actual.value, expected.value, 1e-6);
      assertNear(actual.ofInput, expected.ofInput, 2e-6);
      assertNear(b.grad().toFloats(), a.grad().toFloats(), 2e-6);
    }
  }

  /** A result used twice, and chained operations: gradients meet and pass on. */
  @Test
  void gradientsAddUpAndPassThrough() {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(3);
      Tensor data = random.normal(2, 12);
      Tensor weight = random.normal(2, 6);
      Tensor norm = random.normal(6);
      UnaryOperator<Tensor> chained =
          x -> {
            Tensor y = GatedLinearUnit.swiGlu(x).rmsNorm(norm, EPSILON);
            return y.mul(y).add(y);
          };
      UnaryOperator<Tensor> plain =
          x -> {
            Tensor g = x.narrow(1, 0, 6).silu().mul(x.narrow(1, 6, 6));
            Tensor y = g.mul(g.square().mean(-1, true).add(EPSILON).rsqrt()).mul(norm);
            return y.mul(y).add(y);
          };
      assertNear(of(chained, data, weight).ofInput, of(plain, data, weight).ofInput, 5e-6);
    }
  }

  /** Each pass makes some 20 MB; the process would grow by a gigabyte if they stayed. */
  @Test
  void leavesNoNativeMemoryBehind() throws IOException {
    Runnable pass =
        () -> {
          try (Scope scope = Scope.open()) {
            Tensor x = Tensor.full(0.5, 64, 2, 4096).requiresGrad(true);
            SelfAttention.causal(GatedLinearUnit.swiGlu(x), 4, 2, null).sum().backward();
          }
        };
    for (int i = 0; i < 5; i++) {
      pass.run();
    }
    long before = residentBytes();
    for (int i = 0; i < 50; i++) {
      pass.run();
    }
    assertThat(residentBytes() - before).isLessThan(100L << 20);
  }

  private static long residentBytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void needsAnInputThatLearns() {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.ones(2);
      assertThatThrownBy(() -> HandGradient.attach(x, List.of(x), List::of))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("No input");
    }
  }
}
