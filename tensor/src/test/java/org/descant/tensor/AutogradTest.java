package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.Stream;
import org.descant.tensor.ParameterStore.Initializer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class AutogradTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private record Net(String name, List<long[]> shapes, Function<List<Tensor>, Tensor> loss) {}

  private static List<long[]> shapes(long[]... shapes) {
    return List.of(shapes);
  }

  /**
   * Central differences in fp64 against backward, for nets that use the operators of the models.
   */
  @TestFactory
  Stream<DynamicTest> gradientsAgreeWithFiniteDifferences() {
    Tensor.Conv depthwise = Tensor.Conv.depthwise(3, 4);
    return Stream.of(
            new Net(
                "perceptron",
                shapes(new long[] {3, 4}, new long[] {5, 4}, new long[] {5}, new long[] {2, 5}),
                p ->
                    p.get(0)
                        .linear(p.get(1), p.get(2))
                        .gelu()
                        .linear(p.get(3))
                        .crossEntropy(Tensor.of(new long[] {0, 1, 1}))),
            new Net(
                "ConvNeXt block",
                shapes(new long[] {2, 4, 6}, new long[] {4, 1, 3}, new long[] {4}, new long[] {4}),
                p ->
                    p.get(0)
                        .conv1d(p.get(1), p.get(2), depthwise)
                        .transpose(1, 2)
                        .layerNorm(p.get(3), null, 1e-5)
                        .silu()
                        .square()
                        .mean()),
            new Net(
                "attention",
                shapes(new long[] {1, 2, 5, 3}, new long[] {1, 2, 5, 3}, new long[] {1, 2, 5, 3}),
                p ->
                    Attention.causal(
                            p.get(0).rmsNorm(null, 1e-6), p.get(1).rmsNorm(null, 1e-6), p.get(2), 2)
                        .sin()
                        .sum()),
            new Net(
                "spectral loss",
                shapes(new long[] {32}),
                p ->
                    p.get(0)
                        .stft(Tensor.hannWindow(8).to(DType.F64), 2)
                        .abs()
                        .add(0.1)
                        .log()
                        .l1Loss(Tensor.zeros(DType.F64, 5, 17))))
        .map(net -> DynamicTest.dynamicTest(net.name, () -> check(net)));
  }

  private static void check(Net net) {
    try (SeededRandom random = new SeededRandom(11);
        Scope scope = Scope.open()) {
      List<Tensor> leaves =
          net.shapes.stream().map(s -> random.normal(s).to(DType.F64).requiresGrad(true)).toList();
      net.loss.apply(leaves).backward();
      for (Tensor leaf : leaves) {
        double[] gradient = leaf.grad().toDoubles();
        double[] values = leaf.toDoubles();
        for (int i = 0; i < values.length; i++) {
          double step = 1e-6;
          double before = values[i];
          double[] side = new double[2];
          for (int s = 0; s < 2; s++) {
            values[i] = before + (s == 0 ? -step : step);
            try (NoGrad noGrad = NoGrad.open()) {
              leaf.copyFrom(Tensor.of(values, leaf.shape()));
              side[s] = net.loss.apply(leaves).item();
            }
          }
          values[i] = before;
          try (NoGrad noGrad = NoGrad.open()) {
            leaf.copyFrom(Tensor.of(values, leaf.shape()));
          }
          assertThat(gradient[i]).isCloseTo((side[1] - side[0]) / (2 * step), offset(1e-6));
        }
      }
    }
  }

  @Test
  void gradModeIsPerRegionAndThread() throws Exception {
    try (Scope scope = Scope.open()) {
      Tensor w = Tensor.ones(2).requiresGrad(true);
      assertThat(w.hasGrad()).isFalse();
      assertThatThrownBy(w::grad).hasMessageContaining("No gradient");
      try (NoGrad outer = NoGrad.open();
          NoGrad inner = NoGrad.open()) {
        assertThat(w.mul(2).requiresGrad()).isFalse();
        boolean[] seen = new boolean[1];
        Thread other =
            Thread.ofPlatform()
                .start(() -> {
                  try (Scope own = Scope.open()) {
                    seen[0] = Tensor.ones(1).requiresGrad(true).mul(2).requiresGrad();
                  }
                });
        other.join();
        assertThat(seen[0]).isTrue();
      }
      Tensor y = w.mul(3);
      assertThat(y.requiresGrad()).isTrue();
      y.backward(Tensor.of(new float[] {1, 10}));
      assertThat(w.grad().toFloats()).containsExactly(3, 30);
      assertThatThrownBy(() -> Tensor.ones(1).backward())
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("does not require grad");
    }
  }

  @Test
  void theSameSeedGivesTheSameBits() {
    float[] first = train(42);
    assertThat(train(42)).isEqualTo(first);
    assertThat(train(43)).isNotEqualTo(first);
  }

  @Test
  void workersDoNotDisturbEachOther() throws Exception {
    float[] alone = train(42);
    float[] quantised = decode();
    try (ExecutorService workers = Executors.newFixedThreadPool(4)) {
      List<Future<float[]>> trained = new ArrayList<>();
      List<Future<float[]>> decoded = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        trained.add(workers.submit(() -> train(42)));
        decoded.add(workers.submit(AutogradTest::decode));
      }
      for (int i = 0; i < 8; i++) {
        assertThat(trained.get(i).get()).isEqualTo(alone);
        assertThat(decoded.get(i).get()).isEqualTo(quantised);
      }
    }
  }

  private static float[] decode() {
    try (SeededRandom random = new SeededRandom(5);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        QuantizedLinear layer = new QuantizedLinear(random.normal(64, 64), null)) {
      Tensor x = random.normal(3, 64);
      for (int step = 0; step < 20; step++) {
        x = layer.apply(x).rmsNorm(null, 1e-6);
      }
      return x.toFloats();
    }
  }

  @Test
  void virtualThreadsAreRefused() throws Exception {
    List<String> messages = Collections.synchronizedList(new ArrayList<>());
    Thread.ofVirtual()
        .start(() -> {
          try {
            NoGrad.open().close();
          } catch (TensorException e) {
            messages.add(e.getMessage());
          }
          try {
            Scope.open().close();
          } catch (TensorException e) {
            messages.add(e.getMessage());
          }
        })
        .join();
    assertThat(messages).hasSize(2).allMatch(m -> m.contains("platform thread"));
  }

  private static float[] train(long seed) {
    try (ParameterStore store = new ParameterStore(seed)) {
      var in = store.declare("in", Initializer.fanIn(8), 32, 8);
      var out = store.declare("out", Initializer.fanIn(32), 4, 32);
      store.build();
      try (AdamW adamW = new AdamW(store, AdamW.Options.DEFAULT);
          SeededRandom random = new SeededRandom(seed)) {
        for (int step = 0; step < 10; step++) {
          try (Scope scope = Scope.open()) {
            Tensor x = random.normal(16, 8);
            Tensor y = random.integers(0, 4, 16);
            Tensor hidden = random.dropout(x.linear(in.tensor()).gelu(), 0.1);
            store.zeroGradients();
            hidden.linear(out.tensor()).crossEntropy(y).backward();
            store.clipGradNorm(1);
            adamW.step(0.01);
          }
        }
        return store.values().toFloats();
      }
    }
  }

  @Test
  void aBf16RegionSeesNewWeightsEveryTime() {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.ones(1, 4);
      Tensor w = Tensor.ones(1, 4).requiresGrad(true);
      for (double value : new double[] {1, 10}) {
        try (NoGrad noGrad = NoGrad.open()) {
          w.fill(value);
        }
        Tensor y;
        try (Autocast autocast = Autocast.open(Precision.BF16)) {
          y = x.linear(w);
        }
        assertThat(y.dtype()).isEqualTo(DType.BF16);
        assertThat(y.to(DType.F32).item()).isEqualTo(4 * value);
        y.to(DType.F32).sum().backward();
      }
      assertThat(w.grad().dtype()).isEqualTo(DType.F32);
      assertThat(w.grad().toFloats()).containsOnly(2f);
      try (Autocast autocast = Autocast.open(Precision.FP32)) {
        assertThat(x.linear(w).dtype()).isEqualTo(DType.F32);
      }
      try (Autocast autocast = Autocast.open(Precision.BF16)) {
        assertThatThrownBy(() -> Autocast.open(Precision.BF16)).hasMessageContaining("nest");
      }
      assertThat(x.linear(w).dtype()).isEqualTo(DType.F32);
    }
  }

  @Test
  void theRaceAnswersAndTheDescriptionIsComplete() {
    assertThat(Precision.auto()).isIn(Arrays.asList(Precision.values()));
    NativeRuntime.Description description = NativeRuntime.describe();
    assertThat(description.libtorch()).startsWith("2.");
    assertThat(description.cpu()).isNotBlank();
    assertThat(description.vectorInstructions()).isNotBlank();
    assertThat(description.threads()).isEqualTo(1);
    assertThat(description.fp32MatmulError()).isBetween(0.0, 1e-5);
    assertThat(description.physicalBytesCheckOff()).isTrue();
    assertThatThrownBy(() -> NativeRuntime.init(0)).hasMessageContaining("was 0");
  }
}
