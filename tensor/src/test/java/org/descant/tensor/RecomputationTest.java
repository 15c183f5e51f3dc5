package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RecomputationTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void gradientsAreThoseOfTheWholeGraph(Precision precision) {
    try (ParameterStore store = new ParameterStore(2)) {
      Parameter first = store.declare("first", Initializer.fanIn(16), 16, 16);
      List<Parameter> weights = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        weights.add(store.declare("w" + i, Initializer.fanIn(16), 16, 16));
      }
      store.build();
      List<UnaryOperator<Tensor>> blocks =
          weights.stream()
              .<UnaryOperator<Tensor>>map(
                  w -> x -> x.add(x.rmsNorm(null, 1e-6).linear(w.tensor()).silu()))
              .toList();
      float[] whole;
      try (SeededRandom random = new SeededRandom(3);
          Scope scope = Scope.open()) {
        Tensor input = random.normal(8, 16);
        store.zeroGradients();
        Tensor loss;
        try (Autocast autocast = Autocast.open(precision)) {
          Tensor x = input.linear(first.tensor()).to(DType.F32);
          for (UnaryOperator<Tensor> block : blocks) {
            x = block.apply(x);
          }
          loss = x.square().mean();
        }
        loss.backward();
        whole = store.gradients().toFloats();
      }
      try (SeededRandom random = new SeededRandom(3);
          Scope scope = Scope.open()) {
        Tensor input = random.normal(8, 16);
        store.zeroGradients();
        Tensor x;
        try (Autocast autocast = Autocast.open(precision)) {
          x = input.linear(first.tensor()).to(DType.F32);
        }
        var recomputation = new Recomputation(blocks, precision);
        Tensor top = recomputation.forward(x);
        top.square().mean().backward();
        x.backward(recomputation.backward(top.grad()));
      }
      float[] parts = store.gradients().toFloats();
      float largest = 0;
      float difference = 0;
      for (int i = 0; i < whole.length; i++) {
        largest = Math.max(largest, Math.abs(whole[i]));
        difference = Math.max(difference, Math.abs(whole[i] - parts[i]));
      }
      assertThat(largest).isPositive();
      assertThat(difference).isLessThanOrEqualTo(1e-6f * largest);
    }
  }
}
