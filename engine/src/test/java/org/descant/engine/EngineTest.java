package org.descant.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.CodecLoss;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.rights.Agreement;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An untrained model: it makes noise, by the same rules as a trained one makes music. */
class EngineTest {
  private static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, 2, 16, 4, 2);
  private static final TokenLmConfig LM = new TokenLmConfig(32, 1, 2, 2, 48, 2, 16, 16, 72);
  private static final Isrc ISRC = Isrc.of("ZZTST2600001");
  private static final BooleanSupplier GO_ON = () -> false;

  @TempDir static Path folder;
  private static Engine engine;

  @BeforeAll
  static void open() {
    model(folder.resolve("model"));
    engine = Engine.open(folder.resolve("model"), 1);
  }

  @AfterAll
  static void close() {
    engine.close();
  }

  private static void model(Path target) {
    model(target, LM);
  }

  private static void model(Path target, TokenLmConfig shape) {
    List<ModelCard.TrainedOn> recordings =
        List.of(
            trained("ZZTST2600001", "Ada", List.of("lofi", "warm"), 84, "D minor", false),
            trained("ZZTST2600002", "Bo", List.of("techno"), 128, "F# major", false),
            trained("ZZTST2600003", "Cy", List.of("ambient"), 0, "", true));
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm lm = TokenLm.create(shape, 1)) {
      startFromATune(codec);
      HouseModel.save(
          target,
          codec,
          lm,
          new ModelCard(
              "",
              "small",
              "none",
              "small",
              "",
              "root",
              recordings,
              new TreeMap<>(),
              new TreeMap<>(),
              null,
              CODEC,
              shape));
    }
  }

  /** The codec begins as the best linear one of a tune, so that codes make a difference. */
  static void startFromATune(MagnitudeCodec codec) {
    float[] tune = new float[12 * 44_100];
    SplittableRandom random = new SplittableRandom(1);
    for (int start = 0; start < tune.length; start += 11_025) {
      double hertz = 110 * Math.pow(2, random.nextInt(36) / 12.0);
      for (int i = 0; i < 11_025; i++) {
        tune[start + i] =
            (float) (0.4 * Math.sin(2 * Math.PI * hertz * i / 44_100) * Math.exp(-i / 2_000.0));
      }
    }
    float[] rows = codec.features(new float[][] {tune});
    int size = codec.featureSize();
    try (var scope = org.descant.tensor.Scope.open();
        CodecLoss loss = new CodecLoss()) {
      Tensor features = Tensor.of(rows, 1, rows.length / size, size);
      codec.startAt(features);
      for (int step = 0; step < 3; step++) {
        codec.train(features, loss, step); // places the entries of the codebooks
      }
    }
  }

  static ModelCard.TrainedOn trained(
      String isrc, String artist, List<String> tags, double bpm, String key, boolean heldOut) {
    return new ModelCard.TrainedOn(isrc, "Song", artist, tags, bpm, key, heldOut, List.of());
  }

  private static GenerationRequest request(double seconds, long seed) {
    return new GenerationRequest(
        "", seconds, 100.0, MusicalKey.parse("D minor"), List.of(), null, seed, 2);
  }

  private static Generation generate(GenerationRequest request) {
    return engine.generate(request, chunk -> {}, GO_ON);
  }

  @Test
  void theCardIsReadIntoWhatOthersMayKnow() {
    ModelInfo info = engine.info();
    assertThat(info.id()).startsWith("sha256:");
    assertThat(info.datasetRoot()).isEqualTo("root");
    assertThat(info.trainedOn()).containsExactly(ISRC, Isrc.of("ZZTST2600002"));
    assertThat(info.reliability()).isNull();
  }

  @Test
  void theSameRequestGivesTheSameSamplesAndAnotherSeedOthers() {
    Generation first = generate(request(2, 7));
    Generation again = generate(request(2, 7));
    Generation other = generate(request(2, 8));
    assertThat(again.audio().hash()).isEqualTo(first.audio().hash());
    assertThat(Arrays.deepEquals(again.codes(), first.codes())).isTrue();
    assertThat(Arrays.deepEquals(other.codes(), first.codes())).isFalse();
    try (Engine reopened = Engine.open(folder.resolve("model"), 1)) {
      assertThat(reopened.generate(request(2, 7), chunk -> {}, GO_ON).audio().hash())
          .isEqualTo(first.audio().hash());
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {2, 2.345, 5})
  void theChunksAreTheWholeAndHaveTheLengthThatWasAskedFor(double seconds) {
    List<Pcm> chunks = new ArrayList<>();
    Generation made = engine.generate(request(seconds, 1), chunks::add, GO_ON);

    assertThat(made.audio().frames()).isEqualTo((int) Math.round(seconds * 44_100));
    assertThat(made.audio().channelCount()).isEqualTo(2);
    assertThat(chunks.size()).isGreaterThan(2);
    int at = 0;
    for (Pcm chunk : chunks) {
      assertThat(made.audio().slice(at, at + chunk.frames())).isEqualTo(chunk);
      at += chunk.frames();
    }
    assertThat(at).isEqualTo(made.audio().frames());
    for (float[] channel : made.audio().channels()) {
      for (float sample : channel) {
        assertThat(sample).isBetween(-0.9999f, 0.9999f);
      }
    }
    assertThat(made.firstChunkMs()).isLessThanOrEqualTo(made.totalMs());
  }

  @Test
  void clipsSideBySideAreAsLongAsTheFirstOrRefused() {
    List<Generation> made = engine.generateAll(List.of(request(2, 1), request(2, 2)));
    assertThat(made).hasSize(2);
    assertThat(made.get(0).audio().hash()).isNotEqualTo(made.get(1).audio().hash());
    assertThat(engine.generateAll(List.of(request(2, 1), request(2, 2))).getFirst().audio().hash())
        .isEqualTo(made.getFirst().audio().hash());
    assertThatThrownBy(() -> engine.generateAll(List.of(request(2, 1), request(3, 2))))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("one length");
    assertThatThrownBy(() -> engine.generateAll(List.of())).isInstanceOf(EngineException.class);
  }

  @Test
  void whatIsOpenIsChosenFromTheWordsAndTheSeed() {
    GenerationRequest open =
        new GenerationRequest("a WARM lofi evening", 2, null, null, List.of(), null, 3, 2);
    GenerationRequest resolved = engine.resolve(open);
    assertThat(resolved.tempoBpm()).isIn(84.0, 128.0);
    assertThat(resolved.key()).isNotNull();
    assertThat(resolved.tags()).containsExactly("lofi", "warm");
    assertThat(engine.resolve(open)).isEqualTo(resolved);
    assertThat(engine.resolve(resolved)).isEqualTo(resolved);
  }

  @Test
  void aCancelledGenerationEndsWithinAFrame() {
    AtomicBoolean cancelled = new AtomicBoolean();
    List<Pcm> chunks = new ArrayList<>();
    assertThatThrownBy(() ->
            engine.generate(
                request(60, 1),
                chunk -> {
                  chunks.add(chunk);
                  cancelled.set(true);
                },
                cancelled::get))
        .isInstanceOf(CancellationException.class);
    assertThat(chunks).hasSize(1);
    assertThat(generate(request(2, 1)).audio().frames()).isEqualTo(2 * 44_100);
  }

  @Test
  void whoWaitsForATurnCanBeCancelledToo() throws Exception {
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    CompletableFuture<Generation> first =
        CompletableFuture.supplyAsync(() ->
            engine.generate(
                request(2, 1),
                chunk -> {
                  started.countDown();
                  awaitUninterruptibly(release);
                },
                GO_ON));
    started.await();
    assertThatThrownBy(() -> engine.generate(request(2, 2), chunk -> {}, () -> true))
        .isInstanceOf(CancellationException.class);
    release.countDown();
    assertThat(first.get().audio().frames()).isEqualTo(2 * 44_100);
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aClosedEngineSaysSo() {
    Engine other = Engine.open(folder.resolve("model"), 1);
    other.close();
    other.close();
    assertThatThrownBy(() -> other.generate(request(2, 1), chunk -> {}, GO_ON))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("is closed");
  }

  @Test
  void aRequestOutsideOfItsBoundsIsRefusedInASentence() {
    refused("x".repeat(1 << 20), 10, null, List.of(), 2, "at most");
    refused("a\u0000b", 10, null, List.of(), 2, "cannot be written");
    refused("\ud800", 10, null, List.of(), 2, "cannot be written");
    refused("", 1.9, null, List.of(), 2, "2 to 60 seconds");
    refused("", 60.1, null, List.of(), 2, "2 to 60 seconds");
    refused("", Double.NaN, null, List.of(), 2, "NaN");
    refused("", 10, 39.0, List.of(), 2, "40 to 220");
    refused("", 10, Double.NaN, List.of(), 2, "40 to 220");
    refused("", 10, null, List.of("x".repeat(61)), 2, "60 characters");
    refused("", 10, null, Arrays.asList("warm", null), 2, "null");
    refused("", 10, null, List.of("a\u0007"), 2, "cannot be written");
    refused("", 10, null, List.of(), 0.5, "Guidance is 1 to 8");
    List<String> many = new ArrayList<>();
    for (int i = 0; i < 17; i++) {
      many.add("tag" + i);
    }
    refused("", 10, null, many, 2, "At most 16 tags");
    assertThat(
            new GenerationRequest(
                    "two\nlines 🎵", 10, null, null, List.of(" a ", "a", " "), null, 1, 2)
                .tags())
        .containsExactly("a");
  }

  private static void refused(
      String text, double seconds, Double tempo, List<String> tags, double guidance, String part) {
    assertThatThrownBy(
            () -> new GenerationRequest(text, seconds, tempo, null, tags, null, 1, guidance))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining(part)
        .hasMessageEndingWith(".");
  }

  @Test
  void aStyleIsARecordingClearedForStyleAndItsOwnSound() {
    Pcm sound = generate(request(3, 5)).audio();
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      register(rights, sound);
      assertThatThrownBy(() -> new StyleReference(cleared(rights, Use.TRAIN), sound))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("not for STYLE");
      ClearedRecording style = cleared(rights, Use.STYLE);
      assertThatThrownBy(() -> new StyleReference(style, sound.slice(0, sound.frames() - 1)))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("is not the one that was cleared");

      GenerationRequest with =
          new GenerationRequest(
              "",
              2,
              100.0,
              MusicalKey.parse("D minor"),
              List.of(),
              new StyleReference(style, sound),
              7,
              2);
      Generation made = generate(with);
      assertThat(made.request().style()).isNotNull();
      assertThat(made.audio().hash()).isNotEqualTo(generate(request(2, 7)).audio().hash());
    }
  }

  private static void register(Rights rights, Pcm sound) {
    rights.register(new Party("p", "Somebody", true, null));
    rights.record(Agreement.publicDomain("pd", "p", Scope.ALL, LocalDate.of(2020, 1, 1)));
    rights.register(
        new Work(
            "w",
            "Song",
            List.of(new Contributor("p", "Composer")),
            List.of(Share.publishing("p", Share.WHOLE))));
    rights.register(
        new Recording(
            ISRC,
            "Song",
            "Ada",
            sound.seconds(),
            sound.hash(),
            List.of("w"),
            List.of(new Contributor("p", "MainArtist")),
            List.of(Share.master("p", Share.WHOLE)),
            null));
  }

  private static ClearedRecording cleared(Rights rights, Use use) {
    return rights
        .clearance()
        .clear(use, ISRC, DecisionContext.at(LocalDate.of(2026, 6, 1)))
        .orElseThrow();
  }

  // ---------------------------------------------------------------- spans and melodies

  private static Engine able() {
    Path target = folder.resolve("able");
    model(target, LM.with(true, true));
    return Engine.open(target, 1);
  }

  @Test
  void aClipGoesOnWhereItEndsAndStreamsAsTheWholeOrAsTheNewPart() {
    Pcm old = generate(request(3, 5)).audio();
    GenerationRequest base = request(2.5, 9);
    List<Pcm> chunks = new ArrayList<>();
    Generation whole =
        engine.generate(
            base.withSurroundings(Surroundings.after(old, 5, false)), chunks::add, GO_ON);
    assertThat(whole.audio().frames()).isEqualTo((int) (5.5 * 44_100));
    assertThat(whole.audio().seconds()).isEqualTo(whole.request().soundSeconds());
    assertThat(chunks.stream().mapToInt(Pcm::frames).sum()).isEqualTo(whole.audio().frames());
    Generation part = generate(base.withSurroundings(Surroundings.after(old, 5, true)));
    assertThat(part.codes()).isDeepEqualTo(whole.codes());
    assertThat(part.audio()).isEqualTo(whole.audio().slice(old.frames(), whole.audio().frames()));
    // What is gone on from decides what comes, whatever else is the same.
    Pcm other = generate(request(3, 6)).audio();
    Generation otherwise = generate(base.withSurroundings(Surroundings.after(other, 5, true)));
    assertThat(otherwise.audio().hash()).isNotEqualTo(part.audio().hash());
    Generation again = generate(base.withSurroundings(Surroundings.after(old, 5, false)));
    assertThat(again.audio().hash()).isEqualTo(whole.audio().hash());
  }

  @Test
  void aSpanIsFilledAndWhatIsAroundItStays() {
    try (Engine able = able()) {
      Pcm old = able.generate(request(4, 5), chunk -> {}, GO_ON).audio();
      GenerationRequest base =
          new GenerationRequest("", 4, 100.0, MusicalKey.parse("D minor"), List.of(), null, 3, 2);
      var span = new Surroundings(old, 1.5, 2.5, 5, false);
      assertThatThrownBy(() -> base.withSurroundings(span)).hasMessageContaining("as many seconds");
      Generation made = able.generate(filling(span), chunk -> {}, GO_ON);
      assertThat(made.audio().frames()).isEqualTo(old.frames());
      int[][] before = codesOf(able, old);
      int from = (int) (1.5 * 44_100) / 1024;
      int to = Math.ceilDiv((int) (2.5 * 44_100), 1024);
      for (int t = 0; t < (int) (3.5 * 44_100) / 1024; t++) {
        if (t < from || t >= to) {
          assertThat(made.codes()[0][t]).isEqualTo(before[0][t]);
        }
      }
      Generation part =
          able.generate(filling(new Surroundings(old, 1.5, 2.5, 5, true)), chunk -> {}, GO_ON);
      assertThat(part.audio())
          .isEqualTo(made.audio().slice((int) (1.5 * 44_100), (int) (2.5 * 44_100)));
      Generation end =
          able.generate(filling(new Surroundings(old, 1, 4, 5, false)), chunk -> {}, GO_ON);
      assertThat(end.audio().frames()).isEqualTo(old.frames());

      assertThatThrownBy(() -> able.resolve(filling(new Surroundings(old, 0.5, 3.5, 5, false))))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("of at most");
      assertThatThrownBy(() -> engine.resolve(filling(span)))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("did not learn to fill");
      assertThatThrownBy(() -> new Surroundings(old, 3, 5, 5, false))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("within the clip");
    }
  }

  private static int[][] codesOf(Engine able, Pcm sound) {
    // Nothing new but a last span: what is before it are the sound's codes.
    Generation all =
        able.generate(filling(new Surroundings(sound, 3.5, 4, 5, false)), chunk -> {}, GO_ON);
    return all.codes();
  }

  private static GenerationRequest filling(Surroundings span) {
    return new GenerationRequest(
        "",
        span.to() - span.from(),
        100.0,
        MusicalKey.parse("D minor"),
        List.of(),
        null,
        3,
        2,
        span);
  }

  @Test
  void aMelodyIsFollowedByAModelThatLearnedToAndScalesAreIndependent() {
    try (Engine able = able()) {
      GenerationRequest notes = request(2, 3).withMelody("C4 E4 G4:2");
      Generation told = able.generate(notes, chunk -> {}, GO_ON);
      Generation untold = able.generate(request(2, 3), chunk -> {}, GO_ON);
      assertThat(told.audio().hash()).isNotEqualTo(untold.audio().hash());
      Generation strongly =
          able.generate(notes.withGuidance("melody=4,text=1.5"), chunk -> {}, GO_ON);
      assertThat(strongly.audio().hash()).isNotEqualTo(told.audio().hash());
      GenerationRequest heard = request(2, 3).withMelodyOf(told.audio(), 100);
      assertThat(heard.melody().pitches()).hasSize(3);
      assertThat(able.generate(heard, chunk -> {}, GO_ON).audio().frames()).isEqualTo(2 * 44_100);
    }
    assertThatThrownBy(() -> engine.resolve(request(2, 3).withMelody("C4")))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("did not learn to follow a melody");
    assertThatThrownBy(() -> request(2, 3).withMelody("H4"))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("'H4' is no note");
    assertThatThrownBy(() -> request(2, 3).withGuidance("melody=9"))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("1 to 8");
    assertThatThrownBy(() -> request(2, 3).withGuidance("mood=2"))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("no condition 'mood'");
  }
}
