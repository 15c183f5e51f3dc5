package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SeededRandomTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @Test
  void aSourceIsItsSeedAndNothingElse() {
    try (SeededRandom one = new SeededRandom(9);
        SeededRandom other = new SeededRandom(9);
        SeededRandom third = new SeededRandom(10);
        Scope scope = Scope.open()) {
      float[] first = one.normal(100).toFloats();
      assertThat(other.normal(100).toFloats()).isEqualTo(first);
      assertThat(third.normal(100).toFloats()).isNotEqualTo(first);
    }
  }

  @Test
  void aCheckpointContinuesTheSequence(@TempDir Path folder) {
    Path file = folder.resolve("random.safetensors");
    try (SeededRandom one = new SeededRandom(9);
        SeededRandom other = new SeededRandom(0);
        Scope scope = Scope.open()) {
      one.normal(3); // an odd count leaves half a Box-Muller pair in the state
      Map<String, Tensor> checkpoint = new LinkedHashMap<>();
      one.saveTo("random", checkpoint);
      SafetensorsWriter.write(file, checkpoint, Map.of());
      try (Safetensors opened = Safetensors.open(file)) {
        other.restoreFrom("random", opened);
      }
      assertThat(other.normal(5).toFloats()).isEqualTo(one.normal(5).toFloats());
      assertThat(other.integers(0, 1000, 9).toLongs())
          .isEqualTo(one.integers(0, 1000, 9).toLongs());
      assertThat(other.permutation(50).toLongs()).isEqualTo(one.permutation(50).toLongs());
      Tensor weights = Tensor.ones(4, 6);
      assertThat(other.multinomial(weights, 2, false).toLongs())
          .isEqualTo(one.multinomial(weights, 2, false).toLongs());
      assertThatThrownBy(() -> other.restore(Tensor.zeros(DType.U8, 3)))
          .isInstanceOf(TensorException.class);
      assertThatThrownBy(() -> other.integers(5, 5, 1)).isInstanceOf(TensorException.class);
      assertThatThrownBy(() -> other.restore(Tensor.zeros(3))).hasMessageContaining("U8");
    }
  }

  @Test
  void drawsHaveTheirDistribution() {
    try (SeededRandom random = new SeededRandom(4);
        Scope scope = Scope.open()) {
      Tensor normal = random.fillNormal(Tensor.zeros(100_000), 2, 3);
      assertThat(normal.mean().item()).isCloseTo(2, offset(0.05));
      assertThat(normal.var(0, true, false).item()).isCloseTo(9, offset(0.2));
      Tensor uniform = random.fillUniform(Tensor.zeros(100_000), -1, 3);
      assertThat(uniform.mean().item()).isCloseTo(1, offset(0.02));
      assertThat(uniform.amin().item()).isGreaterThanOrEqualTo(-1);
      assertThat(uniform.amax().item()).isLessThan(3);
      Tensor whole = random.integers(3, 6, 30_000);
      assertThat(whole.bincount(6).toFloats())
          .containsExactly(
              0,
              0,
              0,
              (float) whole.eq(3.0).to(DType.I64).sum().itemLong(),
              (float) whole.eq(4.0).to(DType.I64).sum().itemLong(),
              (float) whole.eq(5.0).to(DType.I64).sum().itemLong());
      assertThat(random.permutation(100).sort(0, false).values().toLongs())
          .isEqualTo(Tensor.arange(100).toLongs());
      assertThat(random.bernoulli(0.3, 100_000).to(DType.F32).mean().item())
          .isCloseTo(0.3, offset(0.01));
      Tensor drawn =
          random.multinomial(Tensor.of(new float[] {1, 0, 3}, 1, 3), 40_000, true).reshape(40_000);
      long[] counts = drawn.bincount(3).toLongs();
      assertThat(counts[1]).isZero();
      assertThat(counts[2] / (double) counts[0]).isCloseTo(3, offset(0.15));
    }
  }

  @Test
  void dropoutKeepsTheMeanAndItsGradient() {
    try (SeededRandom random = new SeededRandom(4);
        Scope scope = Scope.open()) {
      Tensor x = Tensor.ones(100_000).requiresGrad(true);
      Tensor y = random.dropout(x, 0.25);
      assertThat(y.detach().mean().item()).isCloseTo(1, offset(0.01));
      assertThat(y.detach().eq(0.0).to(DType.F32).mean().item()).isCloseTo(0.25, offset(0.01));
      y.sum().backward();
      assertThat(x.grad().toFloats()).isEqualTo(y.toFloats());
      assertThat(random.dropout(x, 0)).isSameAs(x);
      assertThatThrownBy(() -> random.dropout(x, 1)).hasMessageContaining("below 1");
    }
  }
}
