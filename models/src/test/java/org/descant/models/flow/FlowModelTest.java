package org.descant.models.flow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Guidance;
import org.descant.models.condition.Planner;
import org.descant.models.flow.FlowModel.Clip;
import org.descant.models.flow.FlowModel.Inpainting;
import org.descant.models.flow.FlowModel.Sampler;
import org.descant.models.flow.FlowModel.Variation;
import org.descant.models.flow.FlowModel.Walk;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class FlowModelTest {
  private static final int FRAMES = 24;
  private static final int LATENT = 4;
  private static final int STEPS = 800;
  private static final FlowConfig SMALL = new FlowConfig(48, 2, 4, 96, LATENT, 8, 64);
  private static final List<Conditioning> TOLD =
      List.of(conditioning(90, List.of("lofi")), conditioning(150, List.of("techno")));
  private static final float[][] DATA = {wave(3), wave(5)};
  private static FlowModel trained;
  private static double before;
  private static double after;

  /** Two songs that are told apart by their conditions. */
  private static Conditioning conditioning(double tempo, List<String> tags) {
    FrameConditions plan =
        Planner.plan(43, tempo, 2, false, tags, (FRAMES + 0.1) / 43, Math.round(tempo));
    return new Conditioning(plan, new GlobalConditions(2, false, tags, "", new float[8]));
  }

  private static float[] wave(int period) {
    float[] latents = new float[FRAMES * LATENT];
    for (int t = 0; t < FRAMES; t++) {
      for (int d = 0; d < LATENT; d++) {
        latents[t * LATENT + d] =
            (float) (Math.sqrt(2) * Math.sin(2 * Math.PI * (t + d) / period + d));
      }
    }
    return latents;
  }

  @BeforeAll
  static void train() {
    trained = FlowModel.create(SMALL, 1);
    before = heldLoss();
    try (AdamW optimiser =
        new AdamW(trained.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.0))) {
      for (int step = 0; step < STEPS; step++) {
        double rate = 3e-3 * Math.min(1, 3.0 * (STEPS - step) / STEPS);
        learn(trained, optimiser, FlowModel.Noise.DEFAULT, step, rate);
      }
    }
    after = heldLoss();
  }

  private static void learn(
      FlowModel model, AdamW optimiser, FlowModel.Noise noise, int step, double rate) {
    try (Scope scope = Scope.open()) {
      model.parameters().zeroGradients();
      List<float[]> latents = new ArrayList<>();
      List<Conditioning> told = new ArrayList<>();
      for (int row = 0; row < 8; row++) {
        latents.add(DATA[row % 2]);
        told.add(TOLD.get(row % 2));
      }
      FlowModel.Batch batch = new FlowModel.Batch(latents.toArray(new float[0][]), told);
      model.loss(batch, noise, step).backward();
      model.parameters().clipGradNorm(1);
      optimiser.step(rate);
    }
  }

  private static double heldLoss() {
    double sum = 0;
    try (NoGrad noGrad = NoGrad.open()) {
      for (int i = 0; i < 20; i++) {
        try (Scope scope = Scope.open()) {
          FlowModel.Batch batch = new FlowModel.Batch(DATA, TOLD);
          sum += trained.loss(batch, FlowModel.Noise.NONE, 10_000 + i).item() / 20;
        }
      }
    }
    return sum;
  }

  @AfterAll
  static void close() {
    trained.close();
  }

  @Test
  void aFreshModelPredictsNothingAndATrainedOneKnowsItsBatch() {
    System.out.printf("flow loss %.3f -> %.3f%n", before, after);
    // Noise of variance 1 less data of mean square 1.
    assertThat(before).isCloseTo(2, within(0.2));
    assertThat(after).isLessThan(0.1 * before);
  }

  @Test
  void velocitiesHaveTheShapeOfLatentsAndGradientsReachEveryWeight() {
    try (FlowModel model = FlowModel.create(SMALL, 2);
        AdamW optimiser = new AdamW(model.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.0))) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        Tensor x = Tensor.zeros(2, FRAMES, LATENT);
        Tensor told = Tensor.zeros(2, FRAMES, SMALL.width());
        Tensor mask = Tensor.zeros(2, FRAMES, 1);
        Tensor v = model.velocity(x, new float[] {0.1f, 0.9f}, x, mask, told);
        assertThat(v.shape()).containsExactly(2, FRAMES, LATENT);
      }
      // Weights that start at zero hold gradients back for the first steps.
      for (int step = 0; step < 4; step++) {
        learn(model, optimiser, new FlowModel.Noise(0.3, 1), step, 1e-2);
      }
      for (Parameter parameter : model.parameters().parameters()) {
        try (Scope scope = Scope.open()) {
          assertThat(parameter.tensor().hasGrad()).as(parameter.name()).isTrue();
          if (!parameter.name().equals("conditions.text") // nothing was said
              && !parameter.name().equals("conditions.style")) { // references are zeros
            assertThat(parameter.tensor().grad().abs().sum().item())
                .as(parameter.name())
                .isPositive();
          }
        }
      }
    }
  }

  @Test
  void theMeanOverEqualSharesOfABatchIsTheBatchs() {
    var latents = new float[][] {DATA[0], DATA[1], DATA[1], DATA[0]};
    var told = List.of(TOLD.get(0), TOLD.get(1), TOLD.get(1), TOLD.get(0));
    FlowModel.Input whole =
        trained.input(new FlowModel.Batch(latents, told), new FlowModel.Noise(0.3, 1), 5);
    double joined;
    double sum = 0;
    float[] gradient;
    try (Scope scope = Scope.open()) {
      trained.parameters().zeroGradients();
      joined = trained.learn(whole, 1, Precision.FP32).item();
      gradient = trained.parameters().gradients().toFloats();
      trained.parameters().zeroGradients();
      for (int part = 0; part < 2; part++) {
        sum += trained.learn(whole.rows(2 * part, 2 * part + 2), 0.5, Precision.FP32).item() / 2;
      }
      float[] shared = trained.parameters().gradients().toFloats();
      double largest = 0;
      for (float value : gradient) {
        largest = Math.max(largest, Math.abs(value));
      }
      for (int i = 0; i < shared.length; i++) {
        assertThat((double) shared[i]).isCloseTo(gradient[i], within(1e-5 * largest));
      }
    }
    assertThat(sum).isCloseTo(joined, within(1e-6));
    float[] times = whole.times().clone();
    Arrays.sort(times);
    for (int part = 0; part < 4; part++) {
      assertThat(times[part]).isBetween(part / 4f, (part + 1) / 4f);
    }
  }

  @Test
  void aVariationCanKeepAPart() {
    boolean[] keep = new boolean[FRAMES];
    Arrays.fill(keep, 0, 6, true);
    float[] made =
        trained
            .sample(
                List.of(new Clip(TOLD.get(0), new Variation(DATA[1], 0.5f, keep), 5)),
                Guidance.NONE,
                Sampler.FINE)[0];
    assertThat(slice(made, 0, 6)).isEqualTo(slice(DATA[1], 0, 6));
    assertThat(slice(made, 6, FRAMES)).isNotEqualTo(slice(DATA[1], 6, FRAMES));
  }

  @Test
  void samplingEndsBeforeTheStepThatIsNotWanted() {
    var steps = new int[1];
    assertThatThrownBy(() ->
            trained.sample(
                List.of(new Clip(TOLD.get(0), null, 7)),
                Guidance.NONE,
                Sampler.FINE,
                () -> {
                  if (++steps[0] == 4) {
                    throw new IllegalStateException("enough");
                  }
                }))
        .hasMessage("enough");
    assertThat(steps[0]).isEqualTo(4);
  }

  @Test
  void samplesAreTheDataTheirConditionsBelongTo() {
    for (Sampler sampler : List.of(Sampler.FINE, Sampler.FAST)) {
      float[][] made =
          trained.sample(
              List.of(new Clip(TOLD.get(0), null, 7), new Clip(TOLD.get(1), null, 8)),
              Guidance.NONE,
              sampler);
      for (int c = 0; c < 2; c++) {
        double own = distance(made[c], DATA[c]);
        double other = distance(made[c], DATA[1 - c]);
        System.out.printf("%s: own %.3f, other %.3f%n", sampler.walk(), own, other);
        // Ping-pong asks much of the model at all times; ours learned for seconds.
        assertThat(own).isLessThan(sampler.walk() == Walk.EULER ? 0.1 : 0.6);
        assertThat(other).isGreaterThan(1);
      }
    }
  }

  @Test
  void guidancePullsAlike() {
    float[][] made =
        trained.sample(
            List.of(new Clip(TOLD.get(0), null, 7)), Guidance.of(1.5f, 1.5f), Sampler.FINE);
    assertThat(distance(made[0], DATA[0])).isLessThan(0.3);
  }

  @Test
  void inpaintingKeepsWhatIsKeptBitForBitAndFillsTheRest() {
    boolean[] keep = new boolean[FRAMES];
    for (int t = 0; t < FRAMES; t++) {
      keep[t] = t < 8 || t >= 16;
    }
    // Something that the model never saw is kept too.
    float[] known = DATA[0].clone();
    known[0] = 17;
    for (Sampler sampler : List.of(Sampler.FINE, Sampler.FAST)) {
      float[] made =
          trained
              .sample(
                  List.of(new Clip(TOLD.get(0), new Inpainting(known, keep), 3)),
                  Guidance.NONE,
                  sampler)[0];
      for (int i = 0; i < made.length; i++) {
        if (keep[i / LATENT]) {
          assertThat(made[i]).isEqualTo(known[i]);
        }
      }
      assertThat(distance(slice(made, 8, 16), slice(DATA[0], 8, 16))).isLessThan(0.1);
    }
  }

  @Test
  void aVariationWithLittleNoiseStaysNearAndOneWithAllForgets() {
    float[] other = wave(7);
    double near = distance(vary(other, 0.1f), other);
    double far = distance(vary(other, 1f), other);
    System.out.printf("variations: %.3f with noise 0.1, %.3f with noise 1%n", near, far);
    assertThat(near).isLessThan(0.2);
    assertThat(far).isGreaterThan(1);
  }

  private static float[] vary(float[] latents, float noise) {
    return trained
        .sample(
            List.of(new Clip(TOLD.get(0), new Variation(latents, noise), 5)),
            Guidance.NONE,
            Sampler.FINE)[0];
  }

  @Test
  void theSeedDecidesWhateverIsMadeBeside() {
    Clip clip = new Clip(TOLD.get(0), null, 21);
    Clip beside = new Clip(TOLD.get(1), null, 22);
    for (Sampler sampler : List.of(Sampler.FAST, new Sampler(Walk.EULER, 4))) {
      float[] once = trained.sample(List.of(clip), Guidance.NONE, sampler)[0];
      float[] again = trained.sample(List.of(clip), Guidance.NONE, sampler)[0];
      float[] withOther = trained.sample(List.of(beside, clip), Guidance.NONE, sampler)[1];
      float[] otherSeed =
          trained.sample(List.of(new Clip(TOLD.get(0), null, 23)), Guidance.NONE, sampler)[0];
      assertThat(again).isEqualTo(once);
      assertThat(distance(withOther, once)).isLessThan(1e-6);
      assertThat(otherSeed).isNotEqualTo(once);
    }
  }

  @Test
  void timesGoDownFromTheFirstToZero() {
    for (Walk walk : Walk.values()) {
      for (int steps : new int[] {1, 2, 8, 50}) {
        float[] times = new Sampler(walk, steps).times(0.8f);
        assertThat(times).hasSize(steps + 1);
        assertThat(times[0]).isEqualTo(0.8f);
        assertThat(times[steps]).isZero();
        for (int i = 1; i <= steps; i++) {
          assertThat(times[i]).isLessThan(times[i - 1]);
        }
      }
    }
  }

  @Test
  void wrongInputIsRefusedInOneSentence() {
    assertThatThrownBy(() -> trained.sample(List.of(), Guidance.NONE, Sampler.FAST))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("nothing to sample");
    assertThatThrownBy(() -> vary(new float[3], 0.5f))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("96 numbers, got 3");
    assertThatThrownBy(() -> new Variation(DATA[0], 0)).hasMessageContaining("over 0 to 1");
    assertThatThrownBy(() ->
            trained.sample(
                List.of(new Clip(TOLD.get(0), new Inpainting(DATA[0], new boolean[2]), 1)),
                Guidance.NONE,
                Sampler.FAST))
        .hasMessageContaining("got 2");
    assertThatThrownBy(() -> new FlowConfig(32, 2, 3, 64, 4, 8, 64)).hasMessageContaining("heads");
    assertThatThrownBy(() -> new Sampler(Walk.EULER, 0)).hasMessageContaining("steps");
  }

  private static float[] slice(float[] latents, int from, int to) {
    return Arrays.copyOfRange(latents, from * LATENT, to * LATENT);
  }

  /** Mean squared difference; the data's own mean square is 1. */
  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum / a.length;
  }
}
