package org.descant.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An untrained flow model that makes 40 frames at once; two seconds are 87. */
class FlowEngineTest {
  private static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, 2, 16, 4, 2);
  private static final FlowConfig FLOW = new FlowConfig(32, 1, 2, 48, 8, 16, 40);
  private static final BooleanSupplier GO_ON = () -> false;

  @TempDir static Path folder;
  private static Engine engine;

  @BeforeAll
  static void open() {
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        FlowModel flow = FlowModel.create(FLOW, 1);
        TokenLm lm = TokenLm.create(new TokenLmConfig(32, 1, 2, 2, 48, 2, 16, 16, 72), 1)) {
      EngineTest.startFromATune(codec);
      HouseModel.save(folder.resolve("flow"), codec, flow, card(null, FLOW));
      HouseModel.save(folder.resolve("lm"), codec, lm, card(lm.config(), null));
    }
    engine = Engine.open(folder.resolve("flow"), 1);
  }

  private static ModelCard card(@Nullable TokenLmConfig lm, @Nullable FlowConfig flow) {
    return new ModelCard(
        "",
        "small",
        "none",
        "small",
        "",
        "root",
        List.of(
            EngineTest.trained("ZZTST2600001", "Ada", List.of("lofi"), 84, "D minor", false),
            EngineTest.trained("ZZTST2600003", "Cy", List.of("ambient"), 0, "", true)),
        new TreeMap<>(),
        new TreeMap<>(),
        null,
        CODEC,
        lm,
        flow);
  }

  @AfterAll
  static void close() {
    engine.close();
  }

  private static GenerationRequest request(
      double seconds, long seed, @Nullable Integer steps, @Nullable Source source) {
    return new GenerationRequest(
            "", seconds, 100.0, MusicalKey.parse("D minor"), List.of(), null, seed, 2)
        .withFlow(steps, source);
  }

  private static Generation generate(GenerationRequest request) {
    return engine.generate(request, chunk -> {}, GO_ON);
  }

  @Test
  void theSameRequestGivesTheSameSamplesAndSeedAndStepsDecide() {
    Generation first = generate(request(2, 7, 3, null));
    assertThat(generate(request(2, 7, 3, null)).audio().hash()).isEqualTo(first.audio().hash());
    assertThat(generate(request(2, 8, 3, null)).audio().hash()).isNotEqualTo(first.audio().hash());
    assertThat(generate(request(2, 7, null, null)).request().steps())
        .isEqualTo(GenerationRequest.STEPS_DEFAULT);
    assertThat(first.codes()).hasNumberOfRows(2);
    assertThat(first.codes()[0]).hasSize(87);
    List<Generation> both =
        engine.generateAll(List.of(request(2, 7, 3, null), request(2, 8, 3, null)));
    assertThat(both.getFirst().audio().frames()).isEqualTo(88_200);
    assertThatThrownBy(
            () -> engine.generateAll(List.of(request(2, 7, 3, null), request(2, 8, 4, null))))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("number of steps");
  }

  @Test
  void theChunksAreTheWholeAndItsSoundIsThatOfItsCodes() {
    List<Pcm> chunks = new ArrayList<>();
    Generation made = engine.generate(request(2.5, 1, 2, null), chunks::add, GO_ON);
    assertThat(made.audio().frames()).isEqualTo((int) (2.5 * 44_100));
    int at = 0;
    for (Pcm chunk : chunks) {
      assertThat(made.audio().slice(at, at + chunk.frames())).isEqualTo(chunk);
      at += chunk.frames();
    }
    assertThat(at).isEqualTo(made.audio().frames());
    assertThat(chunks.size()).isGreaterThan(3);
    try (HouseModel model = HouseModel.load(folder.resolve("flow"))) {
      float[] decoded = model.codec().decode(made.codes())[0];
      float[] heard = made.audio().channels()[0];
      for (int i = 0; i < heard.length; i++) {
        if (Math.abs(decoded[i]) < 0.85f) { // what the limiter leaves alone
          assertThat(heard[i]).isEqualTo(decoded[i]);
        }
      }
    }
  }

  @Test
  void scalesOfGuidanceAreIndependent() {
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        FlowModel flow = FlowModel.create(FLOW, 1)) {
      EngineTest.startFromATune(codec);
      stir(flow);
      HouseModel.save(folder.resolve("stirred"), codec, flow, card(null, FLOW));
    }
    try (Engine stirred = Engine.open(folder.resolve("stirred"), 1)) {
      GenerationRequest plain = request(2, 7, 3, null);
      List<String> hashes = new ArrayList<>();
      for (String scales : List.of("1", "harmony=8", "rhythm=8", "harmony=8,rhythm=8")) {
        GenerationRequest request = plain.withGuidance(scales);
        hashes.add(stirred.generate(request, chunk -> {}, GO_ON).audio().hash());
        assertThat(stirred.generate(request, chunk -> {}, GO_ON).audio().hash())
            .isEqualTo(hashes.getLast());
      }
      assertThat(hashes).doesNotHaveDuplicates();
    }
  }

  /** A fresh model's last layer is zero, so that nothing it is told makes a difference. */
  private static void stir(FlowModel flow) {
    SplittableRandom random = new SplittableRandom(1);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      float[] values = flow.parameters().values().toFloats();
      for (int i = 0; i < values.length; i++) {
        values[i] += (float) (0.1 * random.nextGaussian());
      }
      flow.parameters().values().copyFrom(values);
    }
  }

  @Test
  void everyStepCanBeTheLast() {
    for (int limit : new int[] {0, 1, 5}) {
      AtomicInteger asked = new AtomicInteger();
      assertThatThrownBy(() ->
              engine.generate(
                  request(60, 1, 3, null), chunk -> {}, () -> asked.incrementAndGet() > limit))
          .isInstanceOf(CancellationException.class);
      assertThat(asked).hasValue(limit + 1);
    }
    assertThat(generate(request(2, 1, 1, null)).audio().frames()).isEqualTo(2 * 44_100);
  }

  @Test
  void whatIsKeptIsKeptAndTheRestIsMadeAnew() {
    Pcm sound = generate(request(3, 5, 2, null)).audio();
    Generation made = generate(request(2, 9, 2, new Source("clip", sound, 1, 0.5, 1)));
    try (HouseModel model = HouseModel.load(folder.resolve("flow"))) {
      float[][] planar = sound.channels();
      int[][] own = model.codec().quantise(model.codec().encodeLatents(planar));
      for (int k = 0; k < own.length; k++) {
        assertThat(Arrays.copyOfRange(made.codes()[k], 22, 43))
            .isEqualTo(Arrays.copyOfRange(own[k], 22, 43));
        assertThat(Arrays.copyOfRange(made.codes()[k], 43, 87))
            .isNotEqualTo(Arrays.copyOfRange(own[k], 43, 87));
      }
    }
  }

  @Test
  void aLittleStrengthStaysNearAndMuchGoesFar() {
    Pcm sound = generate(request(2, 5, 2, null)).audio();
    try (HouseModel model = HouseModel.load(folder.resolve("flow"))) {
      int[][] own = model.codec().encode(sound.channels());
      double near = equal(own, 0.05, sound);
      double far = equal(own, 0.95, sound);
      assertThat(near).isGreaterThan(0.7);
      assertThat(far).isLessThan(near - 0.2);
    }
  }

  private static double equal(int[][] own, double strength, Pcm sound) {
    Source source = new Source("clip", sound, strength, 0, 0);
    int[][] codes = generate(request(2, 3, 2, source)).codes();
    int same = 0;
    for (int t = 0; t < codes[0].length; t++) {
      same += codes[0][t] == own[0][t] ? 1 : 0;
    }
    return (double) same / codes[0].length;
  }

  @Test
  void whatCannotBeIsRefusedInASentence() {
    Pcm sound = generate(request(2, 5, 1, null)).audio();
    assertThatThrownBy(() -> generate(request(3, 1, 1, new Source("clip", sound, 0.5, 0, 0))))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("ask for at most that");
    assertThatThrownBy(() -> new Source("clip", sound, 0, 0, 0)).hasMessageContaining("strength");
    assertThatThrownBy(() -> new Source("clip", sound, 0.5, 1, 9)).hasMessageContaining("kept");
    assertThatThrownBy(() -> new Source("clip", sound, 1, 0, 0)).hasMessageContaining("Nothing");
    assertThatThrownBy(() -> request(2, 1, 0, null)).hasMessageContaining("Steps are 1 to 100");
    GenerationRequest plain = request(2, 1, 1, null);
    for (GenerationRequest other :
        List.of(
            plain.withMelody("C4 E4"),
            plain.withSurroundings(Surroundings.after(sound, 1, true)))) {
      assertThatThrownBy(() -> engine.resolve(other))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("is a flow model, which follows no melody");
    }
    try (Engine tokens = Engine.open(folder.resolve("lm"), 1)) {
      assertThatThrownBy(() -> tokens.generate(request(2, 1, 4, null), chunk -> {}, GO_ON))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("belong to flow models");
      assertThatThrownBy(
              () -> tokens.resolve(request(2, 1, null, new Source("clip", sound, 0.5, 0, 0))))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("belong to flow models");
    }
  }
}
