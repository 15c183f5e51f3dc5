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
      int time = 40;
      Tensor q = random.normal(2, 3, time, 16);
      Tensor k = random.normal(2, 3, time, 16);
      Tensor v = random.normal(2, 3, time, 16);
      Tensor whole = Attention.causal(q, k, v, 16);
      List<Tensor> parts = new ArrayList<>();
      for (int t = 0; t < time; t++) {
        parts.add(Attention.step(q.narrow(2, t, 1), k, v, t + 1));
      }
      assertThat(worst(Tensor.cat(parts, 2), whole)).isLessThan(2e-6);
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

  @Test
  void joinedStepsGiveWhatTrainingSees() {
    try (SeededRandom random = new SeededRandom(3);
        Scope scope = Scope.open();
        NoGrad noGrad = NoGrad.open()) {
      int time = 21;
      Tensor joined = random.normal(2, time, 3, 4, 16); // batch, time, q k v, heads, width
      Tensor each = joined.permute(2, 0, 3, 1, 4);
      Tensor expected = Attention.causal(each.select(0, 0), each.select(0, 1), each.select(0, 2));
      try (StepAttention steps = new StepAttention(2, 2, 4, time, 16)) {
        for (int t = 0; t < time; t++) {
          Tensor column = joined.select(1, t).contiguous().view(2, 3 * 64);
          // Another layer's past is its own.
          Tensor other = steps.attend(1, column.mul(-1.0));
          assertThat(other.allFinite()).isTrue();
          Tensor out = steps.attend(0, column);
          assertThat(worst(out.view(2, 4, 16), expected.select(2, t))).isLessThan(2e-6);
          steps.advance(1);
          assertThat(steps.length()).isEqualTo(t + 1L);
        }
        assertThatThrownBy(() -> steps.attend(0, Tensor.zeros(2, 192)))
            .isInstanceOf(TensorException.class)
            .hasMessageContaining("21 positions");
      }
      try (StepAttention steps = new StepAttention(1, 2, 4, time, 16)) {
        assertThatThrownBy(() -> steps.attend(0, Tensor.zeros(2, 64)))
            .isInstanceOf(TensorException.class)
            .hasMessageContaining("[2, 192]");
      }
    }
  }

  @Test
  void aFilledPastIsThatOfItsSteps() {
    try (SeededRandom random = new SeededRandom(3);
        Scope scope = Scope.open();
        NoGrad noGrad = NoGrad.open();
        StepAttention steps = new StepAttention(2, 2, 4, 20, 16)) {
      Tensor joined = random.normal(2, 20, 3, 4, 16); // batch, time, q k v, heads, width
      Tensor each = joined.permute(2, 0, 3, 1, 4);
      Tensor expected = Attention.causal(each.select(0, 0), each.select(0, 1), each.select(0, 2));
      for (int layer = 1; layer >= 0; layer--) {
        Tensor begun = joined.narrow(1, 0, 19).mul(layer == 0 ? 1.0 : -1.0).reshape(2 * 19, 192);
        Tensor all = steps.attendAll(layer, begun, 19);
        if (layer == 0) {
          assertThat(
                  worst(
                      all.view(2, 19, 4, 16),
                      expected.narrow(2, 0, 19).transpose(1, 2).contiguous()))
              .isLessThan(2e-6);
        }
      }
      steps.advance(19);
      Tensor last = steps.attend(0, joined.select(1, 19).contiguous().view(2, 192));
      assertThat(worst(last.view(2, 4, 16), expected.select(2, 19))).isLessThan(2e-6);
      assertThatThrownBy(() -> steps.attendAll(0, Tensor.zeros(2, 192), 1))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("19 are, of 20");
    }
  }

  @Test
  void crossAttentionKeepsToItsMask() {
    try (SeededRandom random = new SeededRandom(4);
        Scope scope = Scope.open()) {
      Tensor q = random.normal(2, 3, 1, 8);
      Tensor k = random.normal(2, 3, 5, 8);
      Tensor v = random.normal(2, 3, 5, 8);
      Tensor mask = Tensor.zeros(2, 1, 1, 5);
      mask.select(0, 1).narrow(2, 3, 2).fill(-1e9);
      Tensor expected = Attention.cross(q, k, v, mask);
      // The first of the batch sees all five, the second three.
      Tensor short2 =
          Attention.cross(
              q.narrow(0, 1, 1),
              k.narrow(2, 0, 3).narrow(0, 1, 1),
              v.narrow(2, 0, 3).narrow(0, 1, 1),
              null);
      assertThat(worst(expected.narrow(0, 1, 1), short2)).isLessThan(1e-6);
      Tensor flat = q.reshape(2, 24);
      List<Tensor> keys = List.of(v, k);
      List<Tensor> values = List.of(k, v);
      try (StepMemory masked = new StepMemory(keys, values, mask);
          StepMemory open = new StepMemory(keys, values, null);
          StepMemory shut = new StepMemory(keys, values, Tensor.full(-1e9, 2, 1, 1, 5))) {
        for (int repeat = 0; repeat < 2; repeat++) {
          assertThat(worst(masked.read(1, flat).view(2, 3, 1, 8), expected)).isLessThan(1e-6);
          assertThat(worst(open.read(0, flat).view(2, 3, 1, 8), Attention.cross(q, v, k, null)))
              .isLessThan(1e-6);
        }
        // Where nothing may be looked at, everything is looked at alike.
        assertThat(worst(shut.read(1, flat).view(2, 3, 1, 8), v.mean(2, true))).isLessThan(1e-6);
        assertThatThrownBy(() -> open.read(0, Tensor.zeros(2, 8)))
            .isInstanceOf(TensorException.class)
            .hasMessageContaining("[2, 24]");
      }
    }
  }
}
