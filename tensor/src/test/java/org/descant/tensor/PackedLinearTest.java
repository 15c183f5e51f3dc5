package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PackedLinearTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @Test
  void givesTheProductForAnyNumberOfRows() {
    try (SeededRandom random = new SeededRandom(1);
        Scope scope = Scope.open()) {
      Tensor weight = random.normal(33, 17);
      Tensor bias = random.normal(33);
      try (PackedLinear plain = new PackedLinear(weight, null);
          PackedLinear shifted =
              new PackedLinear(weight.transpose(0, 1).contiguous().transpose(0, 1), bias)) {
        for (int rows : new int[] {1, 2, 7, 16, 40}) {
          Tensor x = random.normal(rows, 17);
          Tensor expected = x.linear(weight);
          double scale = expected.abs().amax().item();
          assertThat(plain.apply(x).sub(expected).abs().amax().item() / scale).isLessThan(1e-6);
          assertThat(shifted.apply(x).sub(expected.add(bias)).abs().amax().item() / scale)
              .isLessThan(1e-6);
        }
        assertThat(plain.apply(random.normal(2, 3, 17)).shape()).containsExactly(2, 3, 33);
        assertThat(plain.apply(random.normal(17, 2).transpose(0, 1)).shape())
            .containsExactly(2, 33);
      }
    }
  }

  /** XNNPACK's operators are not made for it: without the lock, wrong numbers or a crash. */
  @Test
  void threadsMayShareALayer() throws Exception {
    try (SeededRandom random = new SeededRandom(2);
        Scope scope = Scope.open();
        PackedLinear layer = new PackedLinear(random.normal(1024, 512), null);
        var pool = Executors.newFixedThreadPool(3)) {
      List<Future<Boolean>> same = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        Tensor x = random.normal(t + 1, 512).retain();
        float[] expected = layer.apply(x).toFloats();
        same.add(
            pool.submit(() -> {
              boolean all = true;
              for (int i = 0; i < 200; i++) {
                try (Scope inner = Scope.open()) {
                  all &= Arrays.equals(layer.apply(x).toFloats(), expected);
                }
              }
              x.close();
              return all;
            }));
      }
      for (Future<Boolean> each : same) {
        assertThat(each.get()).isTrue();
      }
    }
  }

  @Test
  void outlivesItsWeightAndRefusesOtherInputs() {
    PackedLinear layer;
    try (Scope scope = Scope.open()) {
      layer = new PackedLinear(Tensor.eye(6).mul(2.0), null);
    }
    try (layer;
        Scope scope = Scope.open()) {
      assertThat(layer.apply(Tensor.ones(1, 6)).toFloats()).containsOnly(2f);
      assertThatThrownBy(() -> layer.apply(Tensor.ones(1, 5)))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("[..., 6]");
      assertThatThrownBy(() -> layer.apply(Tensor.ones(DType.F64, 1, 6)))
          .isInstanceOf(TensorException.class);
      assertThatThrownBy(() -> new PackedLinear(Tensor.ones(6), null))
          .isInstanceOf(TensorException.class);
    }
  }
}
