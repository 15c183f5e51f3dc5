package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MuonTest {
  private static final Muon.Options OPTIONS = new Muon.Options(0.95, 5, 1);
  private static final AdamW.Options REST = new AdamW.Options(0.9, 0.95, 1e-8, 0.1);

  @TempDir Path home;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  /** A stacked matrix, a tall one, a head that AdamW keeps, a table and a vector. */
  private static ParameterStore store() {
    var store = new ParameterStore(1);
    store.declare("in", Initializer.normal(0.3), 12, 8);
    store.declare("head", Initializer.normal(0.3), 5, 8);
    store.declare("out", Initializer.normal(0.3), 20, 4);
    store.declare("bias", Initializer.zeros(), 5);
    store.declareUndecayed("table", Initializer.normal(0.1), 7, 3);
    return store.build();
  }

  private static long[] blocks(Parameter parameter) {
    return switch (parameter.name()) {
      case "in" -> new long[] {4, 8};
      case "out" -> new long[] {20};
      default -> new long[0];
    };
  }

  private static void gradients(ParameterStore store, long seed) {
    try (SeededRandom random = new SeededRandom(seed);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      store.gradients().copyFrom(random.normal(store.gradients().count()));
    }
  }

  @Test
  void singularValuesArePulledTowardsOne() {
    try (SeededRandom random = new SeededRandom(3);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      for (long[] shape : new long[][] {{6, 40}, {40, 6}, {16, 16}}) {
        Tensor matrix = random.normal(shape);
        Tensor made = Muon.orthogonalised(matrix, 5);
        assertThat(made.shape()).isEqualTo(shape);
        Tensor small = shape[0] <= shape[1] ? made : made.transpose(0, 1);
        Tensor gram = small.matmul(small.transpose(0, 1));
        double trace = gram.mul(Tensor.eye(gram.size(0))).sum().item();
        assertThat(trace / gram.size(0)).isCloseTo(0.8, offset(0.35));
        // The move still points where the gradient does.
        assertThat(made.mul(matrix).sum().item()).isPositive();
      }
      assertThat(Muon.orthogonalised(Tensor.zeros(3, 4), 5).toFloats()).containsOnly(0);
    }
  }

  /** The same iteration and update written out in double precision, block by block. */
  @Test
  void matricesMoveAsThePaperSaysAndTheRestAsAdamW() {
    try (ParameterStore store = store();
        ParameterStore twin = store();
        Muon muon = new Muon(store, OPTIONS, REST, MuonTest::blocks);
        AdamW adamW = new AdamW(twin, REST)) {
      double[][] momentum = {new double[4 * 8], new double[8 * 8], new double[20 * 4]};
      for (int step = 1; step <= 3; step++) {
        gradients(store, step);
        gradients(twin, step);
        double[] in = doubles(store.get("in"));
        double[] out = doubles(store.get("out"));
        double[] inGradient = gradient(store.get("in"));
        double[] outGradient = gradient(store.get("out"));
        muon.step(0.02);
        adamW.step(0.02);
        for (String same : new String[] {"head", "bias", "table"}) {
          assertThat(floats(store.get(same))).as(same).isEqualTo(floats(twin.get(same)));
        }
        check(store.get("in"), 0, in, inGradient, momentum[0], 4, 8);
        check(store.get("in"), 32, in, inGradient, momentum[1], 8, 8);
        check(store.get("out"), 0, out, outGradient, momentum[2], 20, 4);
      }
    }
  }

  private static void check(
      Tensor moved, int at, double[] before, double[] gradient, double[] momentum, int r, int c) {
    double[] ahead = new double[r * c];
    double square = 0;
    for (int i = 0; i < ahead.length; i++) {
      momentum[i] = 0.95 * momentum[i] + gradient[at + i];
      ahead[i] = gradient[at + i] + 0.95 * momentum[i];
      square += ahead[i] * ahead[i];
    }
    boolean tall = r > c;
    int n = Math.min(r, c);
    int m = Math.max(r, c);
    double[][] x = new double[n][m];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < m; j++) {
        x[i][j] = ahead[tall ? j * c + i : i * c + j] / Math.sqrt(square);
      }
    }
    for (int round = 0; round < 5; round++) {
      double[][] gram = product(x, x, true);
      double[][] twice = product(gram, gram, false);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          gram[i][j] = -4.7750 * gram[i][j] + 2.0315 * twice[i][j];
        }
      }
      double[][] more = product(gram, x, false);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < m; j++) {
          x[i][j] = 3.4445 * x[i][j] + more[i][j];
        }
      }
    }
    double[] after = doubles(moved);
    double scale = 0.02 * 0.2 * Math.sqrt(m);
    for (int i = 0; i < r; i++) {
      for (int j = 0; j < c; j++) {
        double expected =
            before[at + i * c + j] * (1 - 0.02 * 0.1) - scale * (tall ? x[j][i] : x[i][j]);
        assertThat(after[at + i * c + j]).isCloseTo(expected, offset(2e-5));
      }
    }
  }

  private static double[][] product(double[][] a, double[][] b, boolean transposed) {
    int columns = transposed ? b.length : b[0].length;
    double[][] out = new double[a.length][columns];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < columns; j++) {
        for (int k = 0; k < a[0].length; k++) {
          out[i][j] += a[i][k] * (transposed ? b[j][k] : b[k][j]);
        }
      }
    }
    return out;
  }

  private static double[] doubles(Tensor tensor) {
    float[] floats = floats(tensor);
    double[] doubles = new double[floats.length];
    for (int i = 0; i < floats.length; i++) {
      doubles[i] = floats[i];
    }
    return doubles;
  }

  private static double[] gradient(Tensor tensor) {
    try (Scope scope = Scope.open()) {
      return doubles(tensor.grad());
    }
  }

  private static float[] floats(Tensor tensor) {
    try (Scope scope = Scope.open()) {
      return tensor.detach().contiguous().toFloats();
    }
  }

  @Test
  void aCheckpointGoesOnToTheSameBits() {
    Path file = home.resolve("state.safetensors");
    try (ParameterStore store = store();
        ParameterStore other = store();
        Muon muon = new Muon(store, OPTIONS, REST, MuonTest::blocks);
        Muon resumed = new Muon(other, OPTIONS, REST, MuonTest::blocks)) {
      gradients(store, 1);
      muon.step(0.01);
      Map<String, Tensor> saved = new LinkedHashMap<>();
      muon.saveTo("o.", saved);
      store.saveTo("m.", saved);
      SafetensorsWriter.write(file, saved, Map.of());
      try (Safetensors opened = Safetensors.open(file)) {
        resumed.restoreFrom("o.", opened);
        other.restoreFrom("m.", opened);
      }
      for (long step = 2; step < 5; step++) {
        gradients(store, step);
        gradients(other, step);
        muon.step(0.01);
        resumed.step(0.01);
      }
      for (Parameter parameter : store.parameters()) {
        float[] expected = floats(parameter.tensor());
        assertThat(Arrays.equals(floats(other.get(parameter.name())), expected))
            .as(parameter.name())
            .isTrue();
      }
      // Matrices keep one number each, the rest two; blocks of 16 are padded.
      assertThat(muon.stateBytes()).isEqualTo(4L * (96 + 80 + 2 * (48 + 16 + 32) + 1));
    }
  }

  @Test
  void whatIsNoMatrixIsRefused() {
    for (Function<Parameter, long[]> wrong :
        List.<Function<Parameter, long[]>>of(
            p -> p.name().equals("table") ? new long[] {7} : new long[0],
            p -> p.name().equals("in") ? new long[] {4, 4} : new long[0])) {
      try (ParameterStore store = store()) {
        assertThatThrownBy(() -> new Muon(store, OPTIONS, REST, wrong))
            .isInstanceOf(TensorException.class)
            .hasMessageContaining("take");
      }
    }
    assertThatThrownBy(() -> new Muon.Options(1, 5, 1)).isInstanceOf(TensorException.class);
  }
}
