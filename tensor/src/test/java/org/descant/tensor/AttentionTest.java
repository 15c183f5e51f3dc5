package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class AttentionTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static Tensor reference(Tensor q, Tensor k, Tensor v) {
    long time = q.size(2);
    Tensor scores = q.matmul(k.transpose(2, 3)).div(Math.sqrt(q.size(3)));
    Tensor future = Tensor.ones(time, time).triu(1).gt(0.5);
    return scores.maskedFill(future, Double.NEGATIVE_INFINITY).softmax(-1).matmul(v);
  }

  private static double worst(Tensor a, Tensor b) {
    return a.to(DType.F32).sub(b).abs().amax().item();
  }

  @Test
  void chunksOfAnySizeGiveTheDefinition() {
    try (SeededRandom random = new SeededRandom(1);
        Scope scope = Scope.open()) {
      Tensor q = random.normal(2, 3, 37, 8);
      Tensor k = random.normal(2, 3, 37, 8);
      Tensor v = random.normal(2, 3, 37, 8);
      Tensor expected = reference(q, k, v);
      for (int chunk : new int[] {1, 5, 36, 37, 256}) {
        assertThat(worst(Attention.causal(q, k, v, chunk), expected)).isLessThan(2e-6);
      }
      Tensor half = Attention.causal(q.to(DType.BF16), k.to(DType.BF16), v.to(DType.BF16), 16);
      assertThat(half.dtype()).isEqualTo(DType.BF16);
      assertThat(worst(half, expected)).isLessThan(0.05);
      try (Autocast autocast = Autocast.open(Precision.BF16)) {
        assertThat(worst(Attention.causal(q, k, v, 16), expected)).isLessThan(0.05);
      }
    }
  }

  @Test
  void decodingStepByStepGivesWhatTrainingSees() {
    try (SeededRandom random = new SeededRandom(2);
        Scope scope = Scope.open();
        NoGrad noGrad = NoGrad.open()) {
      int prompt = 9;
      int time = 40;
      Tensor q = random.normal(2, 3, time, 16);
      Tensor k = random.normal(2, 3, time, 16);
      Tensor v = random.normal(2, 3, time, 16);
      Tensor whole = Attention.causal(q, k, v, 16);
      try (KvCache cache = new KvCache(2, 3, time, 16)) {
        List<Tensor> parts = new ArrayList<>();
        parts.add(
            cache.attend(q.narrow(2, 0, prompt), k.narrow(2, 0, prompt), v.narrow(2, 0, prompt)));
        for (int t = prompt; t < time; t++) {
          parts.add(cache.attend(q.narrow(2, t, 1), k.narrow(2, t, 1), v.narrow(2, t, 1)));
        }
        assertThat(worst(Tensor.cat(parts, 2), whole)).isLessThan(2e-6);
        assertThat(cache.length()).isEqualTo(time);
        Tensor one = q.narrow(2, 0, 1);
        assertThatThrownBy(() -> cache.attend(one, one, one)).hasMessageContaining("40 are filled");
        cache.truncate(prompt);
        Tensor again =
            cache.attend(q.narrow(2, prompt, 1), k.narrow(2, prompt, 1), v.narrow(2, prompt, 1));
        assertThat(worst(again, whole.narrow(2, prompt, 1))).isLessThan(2e-6);
        assertThatThrownBy(() -> cache.truncate(100)).isInstanceOf(TensorException.class);
      }
    }
  }

  @Test
  void decodingRefusesBf16AndWrongShapes() {
    try (Scope scope = Scope.open()) {
      Tensor half = Tensor.zeros(DType.BF16, 1, 1, 1, 8);
      assertThatThrownBy(() -> Attention.step(half, half, half, 1)).hasMessageContaining("fp32");
      Tensor two = Tensor.zeros(1, 1, 2, 8);
      assertThatThrownBy(() -> Attention.step(two, two, two, 1)).hasMessageContaining("one query");
      assertThatThrownBy(() -> Attention.causal(Tensor.ones(2), two, two))
          .hasMessageContaining("[batch, heads, time, width]");
    }
  }

  @Test
  void int8LayersStayWithinTwoPercent() {
    try (SeededRandom random = new SeededRandom(3);
        Scope scope = Scope.open()) {
      Tensor weight = random.normal(384, 256).mulInPlace(0.05);
      weight.select(0, 5).zero();
      Tensor bias = random.normal(384);
      Tensor x = random.normal(2, 7, 256);
      Tensor exact = x.linear(weight, bias);
      try (QuantizedLinear layer = new QuantizedLinear(weight, bias);
          QuantizedLinear plain = new QuantizedLinear(weight, null)) {
        Tensor y = layer.apply(x);
        assertThat(y.shape()).containsExactly(2, 7, 384);
        double error = y.sub(exact).norm().item() / exact.sub(bias).norm().item();
        assertThat(error).isLessThan(0.02);
        assertThat(worst(plain.apply(x).add(bias), y)).isZero();
        assertThat(y.select(2, 5).sub(bias.select(0, 5)).abs().amax().item())
            .isCloseTo(0, offset(1e-6));
      }
      Int8Weight rounded = Int8Weight.of(weight);
      double error = rounded.dequantized().sub(weight).norm().item() / weight.norm().item();
      assertThat(error).isLessThan(0.01);
      assertThatThrownBy(() -> new Int8Weight(weight, bias)).isInstanceOf(TensorException.class);
      assertThatThrownBy(() -> new QuantizedLinear(bias, null)).hasMessageContaining("[out, in]");
    }
  }
}
