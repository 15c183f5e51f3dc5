package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SelfAttentionTest {
  private static final int WIDTH = 8;

  /** What the operation is, in operators that autograd differentiates. */
  private static Tensor plain(
      Tensor projected, int heads, int shared, SelfAttention.@Nullable Rotation rotation) {
    long batch = projected.size(0);
    long time = projected.size(1);
    List<Tensor> parts =
        projected
            .view(batch, time, heads + 2L * shared, WIDTH)
            .transpose(1, 2)
            .splitSizes(1, heads, shared, shared);
    Tensor q = turned(parts.get(0), rotation);
    Tensor k = turned(parts.get(1), rotation).repeatInterleave(heads / shared, 1);
    Tensor v = parts.get(2).repeatInterleave(heads / shared, 1);
    Tensor mask = Tensor.full(-1e9, time, time).triu(1).to(projected.dtype());
    Tensor scores = q.matmul(k.transpose(2, 3)).mul(1 / Math.sqrt(WIDTH)).add(mask);
    return scores.softmax(-1).matmul(v).transpose(1, 2).reshape(batch, time, (long) heads * WIDTH);
  }

  private static Tensor turned(Tensor x, SelfAttention.@Nullable Rotation rotation) {
    if (rotation == null) {
      return x;
    }
    List<Tensor> halves = x.chunk(2, 3);
    Tensor a = halves.get(0);
    Tensor b = halves.get(1);
    return Tensor.cat(
        List.of(
            a.mul(rotation.cosine()).sub(b.mul(rotation.sine())),
            b.mul(rotation.cosine()).add(a.mul(rotation.sine()))),
        3);
  }

  private static SelfAttention.Rotation rotation(long time) {
    Tensor angles = new SeededRandom(3).normal(time, WIDTH / 2);
    return new SelfAttention.Rotation(angles.cos(), angles.sin());
  }

  /** More rows than a chunk, a chunk exactly, and fewer; keys of their own and shared ones. */
  @ParameterizedTest
  @CsvSource({
    "2,300,4,4,true",
    "3,256,4,2,true",
    "1,520,2,1,false",
    "2,7,2,2,false",
    "2,1,2,2,true"
  })
  void isWhatItsOperatorsAreAndSoIsItsGradient(
      int batch, int time, int heads, int shared, boolean turning) {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(5);
      long rows = (heads + 2L * shared) * WIDTH;
      Tensor data = random.normal(batch, time, rows);
      Tensor weight = random.normal(batch, time, (long) heads * WIDTH);
      SelfAttention.Rotation rotation = turning ? rotation(time) : null;

      Tensor a = data.copy().requiresGrad(true);
      Tensor expected = plain(a.mul(1.5), heads, shared, rotation);
      expected.mul(weight).sum().backward();
      Tensor b = data.copy().requiresGrad(true);
      Tensor actual = SelfAttention.causal(b.mul(1.5), heads, shared, rotation);
      actual.mul(weight).sum().backward();

      assertThat(difference(actual.detach(), expected.detach())).isLessThan(2e-6);
      assertThat(difference(b.grad(), a.grad())).isLessThan(2e-6);
    }
  }

  @Test
  void everyRowMayHavePositionsOfItsOwn() {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(6);
      Tensor data = random.normal(3, 9, 6 * WIDTH);
      Tensor angles = random.normal(3, 9, WIDTH / 2);
      Tensor all =
          SelfAttention.causal(data, 2, 2, new SelfAttention.Rotation(angles.cos(), angles.sin()));
      for (int row = 0; row < 3; row++) {
        Tensor own = angles.select(0, row);
        Tensor alone =
            SelfAttention.causal(
                data.narrow(0, row, 1), 2, 2, new SelfAttention.Rotation(own.cos(), own.sin()));
        assertThat(difference(all.narrow(0, row, 1), alone)).isLessThan(1e-6);
      }
    }
  }

  @Test
  void needsNoGradient() {
    try (Scope scope = Scope.open()) {
      Tensor data = new SeededRandom(5).normal(2, 9, 6 * WIDTH);
      Tensor expected = plain(data, 2, 2, null);
      assertThat(difference(SelfAttention.causal(data, 2, 2, null), expected)).isLessThan(2e-6);
    }
  }

  @Test
  void inBf16ItIsAsNearAsOperatorsInBf16() {
    try (Scope scope = Scope.open()) {
      var random = new SeededRandom(8);
      Tensor data = random.normal(2, 300, 6 * WIDTH);
      Tensor weight = random.normal(2, 300, 2 * WIDTH);
      Tensor exact = data.copy().requiresGrad(true);
      plain(exact, 2, 2, rotation(300)).mul(weight).sum().backward();
      Tensor rounded = data.copy().requiresGrad(true);
      SelfAttention.causal(rounded.to(DType.BF16), 2, 2, rotation(300))
          .to(DType.F32)
          .mul(weight)
          .sum()
          .backward();
      Tensor composed = data.copy().requiresGrad(true);
      plain(composed.to(DType.BF16), 2, 2, rounded(rotation(300)))
          .to(DType.F32)
          .mul(weight)
          .sum()
          .backward();
      assertThat(difference(rounded.grad(), exact.grad()))
          .isLessThan(0.02)
          .isLessThan(2 * difference(composed.grad(), exact.grad()));
    }
  }

  @Test
  void refusesShapesThatAreNoHeads() {
    try (Scope scope = Scope.open()) {
      Tensor data = Tensor.zeros(2, 9, 50);
      assertThatThrownBy(() -> SelfAttention.causal(data, 4, 3, null))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("4 heads over 3");
    }
  }

  private static SelfAttention.Rotation rounded(SelfAttention.Rotation rotation) {
    return new SelfAttention.Rotation(
        rotation.cosine().to(DType.BF16), rotation.sine().to(DType.BF16));
  }

  /** Of the largest number. */
  private static double difference(Tensor a, Tensor b) {
    return largest(a.sub(b)) / largest(b);
  }

  private static double largest(Tensor tensor) {
    double largest = 0;
    for (float value : tensor.toFloats()) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }
}
