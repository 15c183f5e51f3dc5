package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.tensor.ParameterStore.Initializer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdamWTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static final int MATRIX = 37 * 21;
  private static final int VECTOR = 19;

  private static ParameterStore store() {
    ParameterStore store = new ParameterStore(3);
    store.declare("matrix", Initializer.normal(1), 37, 21);
    store.declare("vector", Initializer.normal(1), VECTOR);
    return store.build();
  }

  private static float[] gradient(long seed, int count) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (random.nextDouble() - 0.5);
    }
    return values;
  }

  private static void setGradients(ParameterStore store, int step) {
    try (Scope scope = Scope.open()) {
      store.get("matrix").grad().copyFrom(Tensor.of(gradient(step, MATRIX), 37, 21));
      store.get("vector").grad().copyFrom(Tensor.of(gradient(100 + step, VECTOR)));
    }
  }

  @Test
  void theFusedKernelAgreesWithThePaper() {
    var options = new AdamW.Options(0.9, 0.95, 1e-8, 0.1);
    try (ParameterStore store = store();
        AdamW adamW = new AdamW(store, options)) {
      double[] matrix = store.get("matrix").toDoubles();
      double[] vector = store.get("vector").toDoubles();
      double[][] state = new double[4][];
      state[0] = new double[MATRIX];
      state[1] = new double[MATRIX];
      state[2] = new double[VECTOR];
      state[3] = new double[VECTOR];
      for (int step = 1; step <= 20; step++) {
        double rate = 0.01 / step;
        setGradients(store, step);
        adamW.step(rate);
        reference(matrix, gradient(step, MATRIX), state[0], state[1], step, rate, options, 0.1);
        reference(vector, gradient(100 + step, VECTOR), state[2], state[3], step, rate, options, 0);
      }
      assertThat(adamW.steps()).isEqualTo(20);
      assertClose(store.get("matrix").toDoubles(), matrix);
      assertClose(store.get("vector").toDoubles(), vector);
    }
  }

  private static void reference(
      double[] p,
      float[] g,
      double[] m,
      double[] v,
      int step,
      double rate,
      AdamW.Options o,
      double decay) {
    for (int i = 0; i < p.length; i++) {
      p[i] -= rate * decay * p[i];
      m[i] = o.beta1() * m[i] + (1 - o.beta1()) * g[i];
      v[i] = o.beta2() * v[i] + (1 - o.beta2()) * g[i] * g[i];
      double mHat = m[i] / (1 - Math.pow(o.beta1(), step));
      double vHat = v[i] / (1 - Math.pow(o.beta2(), step));
      p[i] -= rate * mHat / (Math.sqrt(vHat) + o.epsilon());
    }
  }

  private static void assertClose(double[] actual, double[] expected) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-6));
    }
  }

  @Test
  void aRestoredOptimiserContinuesBitForBit(@TempDir Path folder) {
    Path file = folder.resolve("checkpoint.safetensors");
    float[] unbroken;
    try (ParameterStore store = store();
        AdamW adamW = new AdamW(store, AdamW.Options.DEFAULT)) {
      for (int step = 1; step <= 5; step++) {
        setGradients(store, step);
        adamW.step(0.01);
        if (step == 2) {
          Map<String, Tensor> checkpoint = new LinkedHashMap<>();
          store.saveTo("model.", checkpoint);
          adamW.saveTo("adamw.", checkpoint);
          SafetensorsWriter.write(file, checkpoint, Map.of());
        }
      }
      unbroken = store.values().toFloats();
    }
    try (ParameterStore store = store();
        AdamW adamW = new AdamW(store, AdamW.Options.DEFAULT);
        Safetensors checkpoint = Safetensors.open(file)) {
      store.restoreFrom("model.", checkpoint);
      adamW.restoreFrom("adamw.", checkpoint);
      assertThat(adamW.steps()).isEqualTo(2);
      for (int step = 3; step <= 5; step++) {
        setGradients(store, step);
        adamW.step(0.01);
      }
      assertThat(store.values().toFloats()).isEqualTo(unbroken);
    }
  }

  @Test
  void impossibleOptionsAreRefused() {
    assertThatThrownBy(() -> new AdamW.Options(1, 0.9, 1e-8, 0)).hasMessageContaining("betas");
    assertThatThrownBy(() -> new AdamW.Options(0.9, 0.9, 0, 0)).hasMessageContaining("epsilon");
    assertThatThrownBy(() -> new AdamW.Options(0.9, 0.9, 1e-8, Double.NaN))
        .isInstanceOf(TensorException.class);
  }
}
