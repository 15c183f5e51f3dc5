package org.descant.training.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.codec.CodecLatents;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.tensor.AdamW;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.training.TrainingException;
import org.junit.jupiter.api.Test;

class FlowStageTest {
  private static final int LATENT = 4;
  private static final int FRAMES = 300;
  private static final FlowStage.Settings SETTINGS =
      new FlowStage.Settings(
          new FlowConfig(32, 2, 2, 64, LATENT, 2 * LATENT, 64),
          4,
          24,
          FlowModel.Noise.DEFAULT,
          0.75);

  /** Three recordings whose latents are slow waves of their own shape, the last held out. */
  private static Tokens tokens() {
    var coded = new ArrayList<Tokens.Coded>();
    var latents = new ArrayList<CodecLatents>();
    for (int recording = 0; recording < 3; recording++) {
      SplittableRandom random = new SplittableRandom(recording);
      float[] rows = new float[FRAMES * LATENT];
      double shift = random.nextDouble();
      for (int i = 0; i < rows.length; i++) {
        rows[i] = (float) (1.4 * Math.sin(2 * Math.PI * (i / LATENT / 16.0 + shift) + i % LATENT));
      }
      latents.add(new CodecLatents(rows, LATENT));
      int[] energy = new int[FRAMES];
      Arrays.setAll(energy, t -> t / 16 % 4);
      coded.add(
          new Tokens.Coded(
              recording,
              new Copy(0, 0, 1),
              new int[1][FRAMES],
              FrameConditions.from(43, List.of(), List.of(), List.of(), energy),
              new GlobalConditions(2, true, List.of("a", "b"), "waves", null)));
    }
    var trained = new ArrayList<>(coded.subList(0, 2));
    trained.add(
        new Tokens.Coded(
            0,
            new Copy(1, 2, 1.1),
            new int[1][270],
            coded.getFirst().frames().slice(0, 270),
            coded.getFirst().global()));
    return new Tokens(trained, coded.subList(2, 3), latents);
  }

  @Test
  void batchesAreFunctionsOfTheStepOverRecordingsAsTheyAre() {
    try (FlowStage stage = new FlowStage(SETTINGS, 7, tokens());
        FlowStage again = new FlowStage(SETTINGS, 7, tokens());
        FlowStage other = new FlowStage(SETTINGS, 8, tokens())) {
      FlowStage.Batch batch = stage.batch(3);
      assertThat(batch.windows().latents()).isDeepEqualTo(again.batch(3).windows().latents());
      assertThat(batch.windows().latents()[0]).hasSize(24 * LATENT);
      assertThat(batch.windows().latents()[0]).isNotEqualTo(other.batch(3).windows().latents()[0]);
      for (int step = 1; step < 20; step++) {
        assertThat(stage.batch(step).recordings()).isSubsetOf(0, 1);
      }
    }
  }

  @Test
  void learningLowersTheHeldOutLossAndIsTheSameTwice() {
    double[] first = learned();
    System.out.printf("flow: held-out loss %.3f -> %.3f%n", first[0], first[1]);
    assertThat(first[1]).isLessThan(0.5 * first[0]);
    assertThat(learned()).isEqualTo(first);
  }

  private static double[] learned() {
    try (FlowStage stage = new FlowStage(SETTINGS, 7, tokens());
        AdamW optimiser =
            new AdamW(stage.model().parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01))) {
      double before = stage.heldOutLoss();
      for (int step = 1; step <= 200; step++) {
        try (Scope scope = Scope.open()) {
          stage.model().parameters().zeroGradients();
          stage.learn(stage.batch(step), step, Precision.FP32);
          stage.model().parameters().clipGradNorm(1);
          optimiser.step(3e-3);
        }
      }
      return new double[] {before, stage.heldOutLoss()};
    }
  }

  @Test
  void nothingToLearnFromIsRefused() {
    assertThatThrownBy(
            () -> new FlowStage(SETTINGS, 1, new Tokens(List.of(), List.of(), List.of())))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("no recording");
    assertThatThrownBy(
            () -> new FlowStage.Settings(SETTINGS.model(), 0, 1, FlowModel.Noise.NONE, 1))
        .isInstanceOf(TrainingException.class);
  }
}
