package org.descant.models.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.descant.models.ModelException;
import org.descant.models.condition.ConditionEncoder;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Guidance;
import org.descant.models.condition.Melody;
import org.descant.models.condition.Planner;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.junit.jupiter.api.Test;

class SpanLayoutTest {
  private static final int FRAMES = 40;
  private static final int BOOKS = 3;
  private static final int SIZE = 20;
  private static final TokenLmConfig PLAIN = new TokenLmConfig(32, 2, 4, 2, 64, BOOKS, SIZE, 8, 64);
  private static final TokenLmConfig SPANS = PLAIN.with(true, true);
  private static final SpanLayout LAYOUT = new SpanLayout(9, 21, 10);

  private static Conditioning conditioning(int frames, long seed) {
    FrameConditions plan =
        Planner.plan(43, 120, 2, true, List.of("lofi"), (frames + 0.1) / 43, seed)
            .withMelody(43, Melody.parse("D4 F4 - A4").spans(240));
    return new Conditioning(
        plan, new GlobalConditions(2, true, List.of("lofi"), "slow", new float[8]));
  }

  private static int[][] codes(int frames, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[][] codes = new int[BOOKS][frames];
    for (int[] book : codes) {
      Arrays.setAll(book, t -> random.nextInt(SIZE));
    }
    return codes;
  }

  private static int[][] slice(int[][] codes, int from, int to) {
    return Arrays.stream(codes)
        .map(book -> Arrays.copyOfRange(book, from, to))
        .toArray(int[][]::new);
  }

  @Test
  void everyLayoutIsAPermutationThatEndsWithItsMiddle() {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 2_000; i++) {
      int frames = random.nextInt(16, 200);
      SpanLayout layout = SpanLayout.draw(frames, random);
      assertThat(layout.frames()).isEqualTo(frames);
      assertThat(layout.after()).isGreaterThanOrEqualTo(frames / 8);
      assertThat(layout.middle()).isBetween(frames / 8, SpanLayout.longestMiddle(frames));
      int[] order = IntStream.range(0, frames).map(layout::frameAt).toArray();
      assertThat(Arrays.stream(order).sorted().toArray())
          .isEqualTo(IntStream.range(0, frames).toArray());
      for (int place = 0; place < frames; place++) {
        boolean inside =
            order[place] >= layout.before() && order[place] < layout.before() + layout.middle();
        assertThat(layout.part(place) == SpanLayout.MIDDLE).isEqualTo(inside);
        assertThat(place >= layout.given()).isEqualTo(inside);
        assertThat(layout.position(place)).isEqualTo(order[place]);
      }
      assertThat(layout.position(frames)).isEqualTo(order[frames - 1] + 1);
      int[][] once = codes(frames, i);
      int[][] arranged = layout.arrange(once);
      assertThat(arranged[1][frames - 1]).isEqualTo(once[1][order[frames - 1]]);
    }
    assertThat(SpanLayout.plain(12).arrange(codes(12, 3))).isDeepEqualTo(codes(12, 3));
  }

  @Test
  void plainLayoutsAreTheBitsOfAModelThatNeverHeardOfSpans() {
    int[][][] codes = {codes(FRAMES, 5), codes(FRAMES, 6)};
    List<Conditioning> clips = List.of(conditioning(FRAMES, 1), conditioning(FRAMES, 2));
    var noise = new TokenLm.Noise(0.5, 0.2);
    try (TokenLm plain = TokenLm.create(PLAIN, 3);
        TokenLm spans = TokenLm.create(PLAIN, 3);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<SpanLayout> goingOn =
          List.of(new SpanLayout(7, FRAMES - 7, 0), SpanLayout.plain(FRAMES));
      assertThat(spans.loss(new TokenLm.Batch(codes, clips, goingOn), noise, 9).total().item())
          .isEqualTo(plain.loss(new TokenLm.Batch(codes, clips), noise, 9).total().item());
      assertThatThrownBy(
              () -> plain.loss(new TokenLm.Batch(codes, clips, List.of(LAYOUT, LAYOUT)), noise, 9))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("lm.model.spans");
    }
  }

  @Test
  void stepwiseLogitsOfASpanAreThoseOfTraining() {
    int[][] codes = codes(FRAMES, 5);
    Conditioning clip = conditioning(FRAMES, 1);
    try (TokenLm model = TokenLm.create(SPANS, 3)) {
      assertStepwiseIsTraining(model, codes, clip, LAYOUT);
      assertStepwiseIsTraining(model, codes, clip, new SpanLayout(0, 30, 10));
      assertStepwiseIsTraining(model, codes, clip, new SpanLayout(25, 15, 0));
      assertStepwiseIsTraining(model, codes, clip, new SpanLayout(1, 39, 0));
    }
  }

  private static void assertStepwiseIsTraining(
      TokenLm model, int[][] codes, Conditioning clip, SpanLayout layout) {
    float[] training;
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      var batch = new TokenLm.Batch(new int[][][] {codes}, List.of(clip), List.of(layout));
      training = model.logits(model.outputs(batch, TokenLm.Noise.NONE, 0), false).toFloats();
    }
    int end = layout.before() + layout.middle();
    var given =
        new Decoder.Given(slice(codes, 0, layout.before()), slice(codes, end, layout.frames()));
    int[][] tokens = DelayPattern.delay(layout.arrange(codes), SIZE);
    int row = BOOKS * SIZE;
    try (Decoder decoder =
        model.decoder(
            List.of(clip),
            Guidance.NONE,
            List.of(Sampling.GREEDY),
            new long[] {1},
            List.of(given))) {
      assertThat(decoder.framesReady()).isEqualTo(layout.given());
      for (int s = layout.given(); !decoder.done(); s++) {
        int[] forced = new int[BOOKS];
        for (int k = 0; k < BOOKS; k++) {
          forced[k] = tokens[k][s];
        }
        decoder.step(new int[][] {forced});
        float[] logits = decoder.lastLogits();
        for (int v = 0; v < row; v++) {
          assertThat(logits[v]).as("step %d", s).isCloseTo(training[s * row + v], within(1e-4f));
        }
      }
      assertThat(decoder.codes(0, 0, layout.frames())).isDeepEqualTo(layout.arrange(codes));
    }
  }

  @Test
  void whatIsGivenStaysAndTheMiddleSeesWhatComesAfter() {
    Conditioning clip = conditioning(FRAMES, 1);
    try (TokenLm model = TokenLm.create(SPANS, 3)) {
      int[][] before = codes(LAYOUT.before(), 1);
      int[][] after = codes(LAYOUT.after(), 2);
      int[][] made = fill(model, clip, before, after);
      assertThat(slice(made, 0, LAYOUT.after())).isDeepEqualTo(after);
      assertThat(slice(made, LAYOUT.after(), LAYOUT.given())).isDeepEqualTo(before);
      assertThat(fill(model, clip, before, after)).isDeepEqualTo(made);
      int[][] other = fill(model, clip, before, codes(LAYOUT.after(), 3));
      assertThat(slice(other, LAYOUT.given(), FRAMES))
          .isNotEqualTo(slice(made, LAYOUT.given(), FRAMES));
    }
  }

  private static int[][] fill(TokenLm model, Conditioning clip, int[][] before, int[][] after) {
    try (Decoder decoder =
        model.decoder(
            List.of(clip),
            Guidance.all(2),
            List.of(Sampling.DEFAULT),
            new long[] {4},
            List.of(new Decoder.Given(before, after)))) {
      while (!decoder.done()) {
        decoder.step();
      }
      return decoder.codes(0, 0, decoder.frames());
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (TokenLm spans = TokenLm.create(SPANS, 3);
        TokenLm plain = TokenLm.create(PLAIN, 3)) {
      assertThatThrownBy(() -> fill(spans, conditioning(70, 1), codes(30, 1), codes(10, 2)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("looks back 64");
      assertThatThrownBy(() -> fill(plain, conditioning(FRAMES, 1), codes(9, 1), codes(10, 2)))
          .hasMessageContaining("lm.model.spans");
      assertThat(fill(plain, conditioning(90, 1), codes(60, 1), codes(0, 2))[0]).hasSize(90);
    }
  }

  @Test
  void theLossOfMiddlesLeavesOutWhatIsGivenAndRecomputationChangesNothing() {
    int[][][] codes = {codes(FRAMES, 5), codes(FRAMES, 6)};
    List<Conditioning> clips = List.of(conditioning(FRAMES, 1), conditioning(FRAMES, 2));
    double[] weights = {1, 1, 1};
    try (TokenLm model = TokenLm.create(SPANS, 3)) {
      var batch = new TokenLm.Batch(codes, clips, List.of(LAYOUT, new SpanLayout(0, FRAMES, 0)));
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        double all = model.loss(batch, TokenLm.Noise.NONE, 0).total().item();
        double middle = model.middleLoss(batch).total().item();
        assertThat(middle).isNotEqualTo(all);
        var plain = new TokenLm.Batch(codes, clips);
        assertThat(model.middleLoss(plain).total().item())
            .isEqualTo(model.loss(plain, TokenLm.Noise.NONE, 0).total().item());
      }
      double[] norms = new double[2];
      for (int i = 0; i < 2; i++) {
        try (Scope scope = Scope.open()) {
          model.parameters().zeroGradients();
          var input = model.input(batch, TokenLm.Noise.DEFAULT, 7);
          model.learn(input, weights, 1, Precision.FP32, i == 1);
          norms[i] = model.parameters().gradients().norm().item();
        }
      }
      assertThat(norms[0]).isPositive().isCloseTo(norms[1], within(1e-5));
    }
  }

  @Test
  void aMelodyIsSeenAndCanBeDroppedAndAModelWithoutOneDoesNotLook() {
    Conditioning told = conditioning(FRAMES, 1);
    Conditioning untold = new Conditioning(told.frames().withoutMelody(), told.global());
    int[][] codes = codes(FRAMES, 5);
    try (TokenLm model = TokenLm.create(SPANS, 3);
        TokenLm deaf = TokenLm.create(PLAIN, 3);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      assertThat(loss(model, codes, told)).isNotEqualTo(loss(model, codes, untold));
      assertThat(loss(deaf, codes, told)).isEqualTo(loss(deaf, codes, untold));
      boolean[][] keep = ConditionEncoder.guided(Guidance.parse("melody=3"));
      var seen = model.encode(List.of(told, told), keep);
      var without = model.encode(List.of(untold, untold), keep);
      assertThat(seen.select(0, 0).sub(without.select(0, 0)).norm().item()).isGreaterThan(0.1);
      assertThat(seen.select(0, 1).sub(without.select(0, 1)).norm().item()).isZero();
    }
  }

  /** Eight silent frames, eight random ones, and the same eight again: only "after" tells them. */
  @Test
  void whatOnlyComesAfterTellsIsLearned() {
    TokenLmConfig shape = new TokenLmConfig(32, 2, 2, 2, 64, 1, 8, 8, 64).with(true, false);
    SpanLayout layout = new SpanLayout(8, 8, 8);
    Conditioning clip = conditioning(24, 1);
    int rows = 16;
    double[] weights = {1};
    try (TokenLm model = TokenLm.create(shape, 3);
        AdamW optimiser = new AdamW(model.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01))) {
      double with = Double.NaN;
      for (int step = 0; step < 300; step++) {
        try (Scope scope = Scope.open()) {
          var batch = echoes(rows, step, clip, layout);
          if (step == 299) {
            try (NoGrad noGrad = NoGrad.open()) {
              with = model.middleLoss(batch).total().item();
            }
          }
          model.parameters().zeroGradients();
          model.learn(
              model.input(batch, TokenLm.Noise.NONE, step), weights, 1, Precision.FP32, false);
          model.parameters().clipGradNorm(1);
          optimiser.step(5e-3);
        }
      }
      System.out.printf(
          "span told by what comes after: %.3f nats (untold %.3f)%n", with, Math.log(8));
      assertThat(with).isLessThan(0.5 * Math.log(8));
    }
  }

  private static TokenLm.Batch echoes(int rows, long seed, Conditioning clip, SpanLayout layout) {
    SplittableRandom random = new SplittableRandom(seed);
    int[][][] codes = new int[rows][1][24];
    for (int[][] row : codes) {
      for (int t = 0; t < 8; t++) {
        row[0][8 + t] = random.nextInt(8);
        row[0][16 + t] = row[0][8 + t];
      }
    }
    return new TokenLm.Batch(
        codes, Collections.nCopies(rows, clip), Collections.nCopies(rows, layout));
  }

  private static double loss(TokenLm model, int[][] codes, Conditioning clip) {
    return model
        .loss(new TokenLm.Batch(new int[][][] {codes}, List.of(clip)), TokenLm.Noise.NONE, 0)
        .total()
        .item();
  }
}
