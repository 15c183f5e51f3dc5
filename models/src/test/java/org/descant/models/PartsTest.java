package org.descant.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.CodecLoss;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Planner;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.tensor.SeededRandom;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A batch in parts, and layers that run twice, have the gradients of the joined batch. */
class PartsTest {
  private static final int ROWS = 6;
  private static final int FRAMES = 30;
  private static final TokenLmConfig LM = new TokenLmConfig(32, 3, 4, 2, 64, 3, 20, 8, 64);
  private static final double[] WEIGHTS = {1, 0.9, 0.81};

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static TokenLm.Input input(TokenLm model) {
    var random = new SplittableRandom(4);
    int[][][] codes = new int[ROWS][LM.codebooks()][FRAMES];
    List<Conditioning> conditions = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      for (int[] book : codes[row]) {
        Arrays.setAll(book, t -> random.nextInt(LM.codebookSize()));
      }
      conditions.add(
          new Conditioning(
              Planner.plan(43, 100, 2, false, List.of("lofi"), (FRAMES + 0.1) / 43, row),
              new GlobalConditions(row, row % 2 == 0, List.of("lofi"), "keys", new float[8])));
    }
    return model.input(new TokenLm.Batch(codes, conditions), new TokenLm.Noise(0.2, 0.1), 5);
  }

  private static double learn(
      TokenLm model, int parts, Precision precision, boolean recompute, float[] gradients) {
    TokenLm.Input input = input(model);
    double total = 0;
    model.parameters().zeroGradients();
    for (int part = 0; part < parts; part++) {
      try (Scope scope = Scope.open()) {
        TokenLm.Input rows = input.rows(part * ROWS / parts, (part + 1) * ROWS / parts);
        TokenLm.Loss loss = model.learn(rows, WEIGHTS, 1.0 / parts, precision, recompute);
        assertThat(loss.total().requiresGrad()).isFalse();
        assertThat(loss.perCodebook()).hasSize(LM.codebooks());
        total += loss.total().item() / parts;
      }
    }
    model.parameters().gradients().copyTo(gradients);
    return total;
  }

  private static void assertSame(float[] some, float[] others, double share) {
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < some.length; i++) {
      largest = Math.max(largest, Math.abs(some[i]));
      difference = Math.max(difference, Math.abs(some[i] - others[i]));
    }
    assertThat(largest).isPositive();
    assertThat(difference).isLessThanOrEqualTo(share * largest);
  }

  @Test
  void partsOfALanguageModelsBatchHaveTheGradientOfTheWhole() {
    try (TokenLm model = TokenLm.create(LM, 3)) {
      int count = (int) model.parameters().values().count();
      float[] joined = new float[count];
      float[] inParts = new float[count];
      double loss = learn(model, 1, Precision.FP32, false, joined);
      for (int parts : new int[] {2, 3, 6}) {
        assertThat(learn(model, parts, Precision.FP32, false, inParts))
            .isCloseTo(loss, within(1e-6));
        assertSame(joined, inParts, 1e-6);
      }
    }
  }

  @Test
  void layersThatRunTwiceHaveTheSameGradients() {
    try (TokenLm model = TokenLm.create(LM, 3)) {
      int count = (int) model.parameters().values().count();
      float[] once = new float[count];
      float[] twice = new float[count];
      for (Precision precision : Precision.values()) {
        double loss = learn(model, 1, precision, false, once);
        assertThat(learn(model, 1, precision, true, twice)).isEqualTo(loss);
        assertSame(once, twice, 1e-6);
      }
    }
  }

  @Test
  void partsOfACodecsBatchHaveTheGradientAndMoveTheCodebooksOfTheWhole() {
    var config = new CodecConfig(24, 1, 1, 2, 8, 3, 32, 12, 2);
    float[][] results = new float[4][];
    for (int run = 0; run < 2; run++) {
      int parts = run == 0 ? 1 : 3;
      try (MagnitudeCodec codec = MagnitudeCodec.create(config, 1);
          CodecLoss loss = new CodecLoss();
          SeededRandom random = new SeededRandom(2);
          Scope scope = Scope.open()) {
        Tensor rows = random.normal(ROWS, 16, codec.featureSize());
        codec.startAt(rows);
        codec.train(rows, loss, 1); // places the entries
        ParameterStore store = codec.parameters();
        store.zeroGradients();
        try (MagnitudeCodec.Step step = codec.step(ROWS, parts, 2)) {
          int size = ROWS / parts;
          for (int part = 0; part < parts; part++) {
            try (Scope inner = Scope.open()) {
              step.part(rows.narrow(0, (long) part * size, size), loss)
                  .total()
                  .mul(1.0 / parts)
                  .backward();
            }
          }
        }
        results[run] = store.gradients().toFloats();
        results[2 + run] = store.state().toFloats();
      }
    }
    assertSame(results[0], results[1], 1e-6);
    assertSame(results[2], results[3], 1e-6);
  }

  /** Adds up tensors of two threads, as two processes do. */
  private static final class Sums {
    private final CyclicBarrier barrier = new CyclicBarrier(2);
    private final float[][] brought = new float[2][];

    void sum(int who, Tensor tensor) {
      brought[who] = tensor.toFloats();
      meet();
      float[] sum = brought[0].clone();
      for (int i = 0; i < sum.length; i++) {
        sum[i] += brought[1][i];
      }
      meet();
      tensor.copyFrom(Tensor.of(sum, tensor.shape()));
    }

    private void meet() {
      try {
        barrier.await(1, TimeUnit.MINUTES); // the other may have failed
      } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** Two steps from the very first on: gradients of the second, then all state. */
  private static float[][] codecSteps(BatchShare share, int parts) {
    var config = new CodecConfig(24, 1, 1, 2, 8, 3, 32, 12, 2);
    try (MagnitudeCodec codec = MagnitudeCodec.create(config, 1);
        CodecLoss loss = new CodecLoss();
        SeededRandom random = new SeededRandom(2);
        Scope scope = Scope.open()) {
      Tensor rows = random.normal(share.of() * parts, 16, codec.featureSize());
      codec.startAt(rows);
      for (long number = 1; number <= 2; number++) {
        codec.parameters().zeroGradients();
        try (MagnitudeCodec.Step step = codec.step(share, parts, number)) {
          for (int part = 0; part < parts; part++) {
            try (Scope inner = Scope.open()) {
              long from = (long) part * share.of() + share.from();
              step.part(rows.narrow(0, from, share.rows()), loss)
                  .total()
                  .mul(1.0 / parts)
                  .backward();
            }
          }
        }
      }
      ParameterStore store = codec.parameters();
      return new float[][] {store.gradients().toFloats(), store.state().toFloats()};
    }
  }

  @Test
  void sharesOfACodecsPartsHaveTheMeanGradientAndMoveTheCodebooksOfTheWholeAlike()
      throws Exception {
    int parts = 3;
    float[][] whole = codecSteps(BatchShare.whole(4), parts);
    var sums = new Sums();
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      var shares = new ArrayList<Future<float[][]>>();
      for (int who = 0; who < 2; who++) {
        int own = who;
        var share = new BatchShare(2 * who, 2, 4, tensor -> sums.sum(own, tensor));
        shares.add(threads.submit(() -> codecSteps(share, parts)));
      }
      float[][] first = shares.getFirst().get();
      float[][] second = shares.getLast().get();
      assertThat(second[1]).isEqualTo(first[1]);
      assertSame(first[1], whole[1], 1e-6);
      float[] mean = first[0].clone();
      for (int i = 0; i < mean.length; i++) {
        mean[i] = (mean[i] + second[0][i]) / 2;
      }
      assertSame(mean, whole[0], 1e-6);
    }
  }
}
