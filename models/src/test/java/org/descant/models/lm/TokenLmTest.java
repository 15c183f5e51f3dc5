package org.descant.models.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.ConditionEncoder;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.Conditioning.Group;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Guidance;
import org.descant.models.condition.Planner;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.Test;

class TokenLmTest {
  private static final int FRAMES = 40;
  private static final TokenLmConfig SMALL = new TokenLmConfig(32, 2, 4, 2, 64, 3, 20, 8, 64);

  private static Conditioning conditioning(double tempo, boolean minor, int frames, long seed) {
    FrameConditions plan =
        Planner.plan(43, tempo, 2, minor, List.of("lofi"), (frames + 0.1) / 43, seed);
    return new Conditioning(
        plan,
        new GlobalConditions(2, minor, List.of("lofi", "Ada"), "slow warm keys", new float[8]));
  }

  private static int[][] randomCodes(int frames, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[][] codes = new int[SMALL.codebooks()][frames];
    for (int[] book : codes) {
      Arrays.setAll(book, t -> random.nextInt(SMALL.codebookSize()));
    }
    return codes;
  }

  @Test
  void delayPatternRoundTrips() {
    int[][] codes = randomCodes(17, 3);
    int[][] tokens = DelayPattern.delay(codes, 20);
    assertThat(tokens[0]).hasSize(19);
    assertThat(tokens[2][1]).isEqualTo(20);
    assertThat(tokens[2][2]).isEqualTo(codes[2][0]);
    assertThat(DelayPattern.undelay(tokens)).isDeepEqualTo(codes);
  }

  @Test
  void stepwiseLogitsAreThoseOfTraining() {
    int[][] codes = randomCodes(FRAMES, 5);
    Conditioning clip = conditioning(120, true, FRAMES, 1);
    try (TokenLm model = TokenLm.create(SMALL, 3)) {
      float[] training;
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        TokenLm.Batch batch = new TokenLm.Batch(new int[][][] {codes}, List.of(clip));
        training = model.logits(model.outputs(batch, TokenLm.Noise.NONE, 0), false).toFloats();
      }
      int[][] tokens = DelayPattern.delay(codes, SMALL.codebookSize());
      int row = SMALL.codebooks() * SMALL.codebookSize();
      try (Decoder decoder =
          model.decoder(List.of(clip), Guidance.NONE, List.of(Sampling.GREEDY), new long[] {1})) {
        for (int s = 0; !decoder.done(); s++) {
          int[] forced = new int[SMALL.codebooks()];
          for (int k = 0; k < forced.length; k++) {
            forced[k] = tokens[k][s];
          }
          decoder.step(new int[][] {forced});
          float[] logits = decoder.lastLogits();
          for (int v = 0; v < row; v++) {
            assertThat(logits[v]).as("step %d", s).isCloseTo(training[s * row + v], within(1e-4f));
          }
        }
        assertThat(decoder.codes(0, 0, FRAMES)).isDeepEqualTo(codes);
      }
    }
  }

  @Test
  void packedWeightsDecodeAlmostTheSameLogits() {
    Conditioning clip = conditioning(120, true, FRAMES, 1);
    try (TokenLm model = TokenLm.create(SMALL, 3)) {
      float[] plain = firstLogits(model, clip);
      model.pack();
      float[] packed = firstLogits(model, clip);
      double scale = distance(plain, new float[plain.length]);
      assertThat(distance(plain, packed) / scale).isBetween(1e-6, 0.05);
    }
  }

  private static float[] firstLogits(TokenLm model, Conditioning clip) {
    try (Decoder decoder =
        model.decoder(List.of(clip), Guidance.NONE, List.of(Sampling.GREEDY), new long[] {1})) {
      decoder.step();
      return decoder.lastLogits().clone();
    }
  }

  @Test
  void aSmallPatternIsLearned() {
    int[][] codes = new int[SMALL.codebooks()][FRAMES];
    for (int k = 0; k < codes.length; k++) {
      for (int t = 0; t < FRAMES; t++) {
        codes[k][t] = (t * (k + 2) + k) % 11;
      }
    }
    Conditioning clip = conditioning(100, false, FRAMES, 2);
    TokenLm.Batch batch = new TokenLm.Batch(new int[][][] {codes}, List.of(clip));
    try (TokenLm model = TokenLm.create(SMALL, 3)) {
      double first = 0;
      double last = 0;
      try (AdamW optimiser =
          new AdamW(model.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01))) {
        for (int step = 0; step < 120; step++) {
          try (Scope scope = Scope.open()) {
            model.parameters().zeroGradients();
            TokenLm.Loss loss = model.loss(batch, TokenLm.Noise.NONE, step);
            loss.total().backward();
            model.parameters().clipGradNorm(1);
            optimiser.step(5e-3);
            last = loss.total().item();
            first = step == 0 ? last : first;
          }
        }
      }
      System.out.printf("LM loss %.3f -> %.3f (uniform %.3f)%n", first, last, Math.log(20));
      assertThat(first).isCloseTo(Math.log(20), within(0.5));
      assertThat(last).isLessThan(0.1);
      try (Decoder decoder =
          model.decoder(List.of(clip), Guidance.NONE, List.of(Sampling.GREEDY), new long[] {1})) {
        while (!decoder.done()) {
          decoder.step();
        }
        assertThat(decoder.codes(0, 0, FRAMES)).isDeepEqualTo(codes);
      }
    }
  }

  @Test
  void everyGroupOfConditionsChangesTheOutput() {
    int[][] codes = randomCodes(FRAMES, 5);
    Conditioning base = conditioning(120, true, FRAMES, 1);
    GlobalConditions g = base.global();
    float[] other = new float[8];
    other[3] = 1;
    List<Conditioning> changed =
        List.of(
            conditioning(90, true, FRAMES, 1),
            new Conditioning(
                base.frames(), new GlobalConditions(7, true, g.tags(), g.text(), g.style())),
            new Conditioning(
                base.frames(),
                new GlobalConditions(2, true, List.of("techno"), g.text(), g.style())),
            new Conditioning(
                base.frames(), new GlobalConditions(2, true, g.tags(), "fast", g.style())),
            new Conditioning(base.frames(), g.withStyle(other)),
            new Conditioning(base.frames(), g.withStyle(null)));
    try (TokenLm model = TokenLm.create(SMALL, 3);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      float[] reference = outputs(model, codes, base);
      for (Conditioning condition : changed) {
        assertThat(distance(outputs(model, codes, condition), reference)).isGreaterThan(1e-3);
      }
    }
  }

  @Test
  void aRowWithoutAGroupDoesNotSeeIt() {
    try (TokenLm model = TokenLm.create(SMALL, 3);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Guidance guidance =
          new Guidance(List.of(new Guidance.Term(EnumSet.of(Group.RHYTHM, Group.HARMONY), 2)));
      boolean[][] keep = ConditionEncoder.guided(guidance);
      Conditioning a = conditioning(120, true, FRAMES, 1);
      Conditioning b = conditioning(85, true, FRAMES, 1);
      Tensor seenA = model.encode(List.of(a, a), keep);
      Tensor seenB = model.encode(List.of(b, b), keep);
      assertThat(seenA.select(0, 0).sub(seenB.select(0, 0)).norm().item()).isGreaterThan(0.1);
      assertThat(seenA.select(0, 1).sub(seenB.select(0, 1)).norm().item()).isLessThan(1e-5);
    }
  }

  @Test
  void guidanceIsTheStatedSum() {
    float[][] rows = {{1, 2}, {0, 3}, {1, 1}};
    Guidance guidance =
        new Guidance(
            List.of(
                new Guidance.Term(EnumSet.of(Group.RHYTHM), 3),
                new Guidance.Term(EnumSet.of(Group.STYLE), 1.5f)));
    float[] out = new float[2];
    guidance.combine(rows, out);
    assertThat(out).containsExactly(1 + 2 * 1 + 0.5f * 0, 2 + 2 * -1 + 0.5f * 1);
    assertThat(Guidance.all(1)).isEqualTo(Guidance.NONE);
  }

  @Test
  void sessionsAreRepeatableAndClipsIndependent() {
    Conditioning a = conditioning(120, true, FRAMES, 1);
    Conditioning b = conditioning(95, false, FRAMES, 2);
    try (TokenLm model = TokenLm.create(SMALL, 3)) {
      int[][] alone = generate(model, List.of(b), new long[] {9})[0];
      int[][][] both = generate(model, List.of(a, b), new long[] {4, 9});
      assertThat(both[1]).isDeepEqualTo(alone);
      assertThat(generate(model, List.of(a, b), new long[] {4, 9})).isDeepEqualTo(both);
    }
  }

  @Test
  void aSessionRunsBeyondTheContext() {
    int frames = 3 * SMALL.context();
    try (TokenLm model = TokenLm.create(SMALL, 3);
        Decoder decoder =
            model.decoder(
                List.of(conditioning(120, true, frames, 1)),
                Guidance.all(2),
                List.of(Sampling.DEFAULT),
                new long[] {1})) {
      while (!decoder.done()) {
        decoder.step();
      }
      assertThat(decoder.codes(0, frames - 1, frames)[0][0]).isBetween(0, 19);
    }
  }

  @Test
  void samplingKeepsToItsCandidates() {
    float[] logits = {0, 5, 4, -1, 4.5f};
    SplittableRandom random = new SplittableRandom(1);
    int[] hits = new int[5];
    for (int i = 0; i < 2000; i++) {
      hits[new Sampling(1, 2, 1).draw(logits, 0, 5, random)]++;
    }
    assertThat(hits[0] + hits[2] + hits[3]).isZero();
    assertThat(hits[1] / 2000.0).isCloseTo(1 / (1 + Math.exp(-0.5)), within(0.05));
    assertThat(new Sampling(1, 0, 0.1f).draw(logits, 0, 5, random)).isEqualTo(1);
    assertThat(Sampling.GREEDY.draw(logits, 0, 5, random)).isEqualTo(1);
  }

  @Test
  void wrongShapesAreRefused() {
    try (TokenLm model = TokenLm.create(SMALL, 3)) {
      Conditioning clip = conditioning(120, true, FRAMES, 1);
      TokenLm.Batch tooLong = new TokenLm.Batch(new int[][][] {randomCodes(63, 1)}, List.of(clip));
      assertThatThrownBy(() -> model.loss(tooLong, TokenLm.Noise.NONE, 1))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("context");
    }
    assertThatThrownBy(() -> new TokenLmConfig(30, 2, 4, 2, 64, 3, 20, 8, 64))
        .hasMessageContaining("heads");
  }

  @Test
  void sharesOfABatchHaveTheNoiseAndTogetherTheLossOfTheWhole() {
    try (TokenLm model = TokenLm.create(SMALL, 7)) {
      int[][][] codes = new int[4][][];
      List<Conditioning> clips = new ArrayList<>();
      for (int i = 0; i < codes.length; i++) {
        codes[i] = randomCodes(FRAMES, 30 + i);
        clips.add(conditioning(100 + 10 * i, i % 2 == 0, FRAMES, i));
      }
      double[] weights = new double[SMALL.codebooks()];
      Arrays.fill(weights, 1);
      var noise = new TokenLm.Noise(0.5, 0.3);
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        double whole =
            model.loss(new TokenLm.Batch(codes, clips), noise, 9, weights).total().item();
        double quiet =
            model
                .loss(new TokenLm.Batch(codes, clips), TokenLm.Noise.NONE, 9, weights)
                .total()
                .item();
        assertThat(whole).isNotCloseTo(quiet, within(1e-3));
        double sum = 0;
        var input = model.input(new TokenLm.Batch(codes, clips), noise, 9);
        for (int from = 0; from < 4; from += 2) {
          sum += model.loss(input.rows(from, from + 2), weights).total().item();
        }
        assertThat(sum / 2).isCloseTo(whole, within(1e-6));
      }
    }
  }

  private static int[][][] generate(TokenLm model, List<Conditioning> clips, long[] seeds) {
    try (Decoder decoder =
        model.decoder(clips, Guidance.all(2), List.of(Sampling.DEFAULT), seeds)) {
      while (!decoder.done()) {
        decoder.step();
      }
      int[][][] codes = new int[clips.size()][][];
      Arrays.setAll(codes, c -> decoder.codes(c, 0, FRAMES));
      return codes;
    }
  }

  private static float[] outputs(TokenLm model, int[][] codes, Conditioning clip) {
    TokenLm.Batch batch = new TokenLm.Batch(new int[][][] {codes}, List.of(clip));
    return model.outputs(batch, TokenLm.Noise.NONE, 0).toFloats();
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] - b[i]);
    }
    return sum / a.length;
  }
}
