package org.descant.models.published.musicgen;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.descant.models.lm.Sampling;
import org.descant.models.published.Fixtures;
import org.descant.models.published.Parity;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.DType;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.SeededRandom;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class MusicGenTest {
  private static final String GUIDED = "musicgen-guided";
  private static final String STEREO = "musicgen-stereo-halves";

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  static Stream<Path> golden() {
    return Fixtures.folders(Fixtures.golden()).stream().filter(MusicGenTest::isMusicGen);
  }

  private static boolean isMusicGen(Path folder) {
    return PublishedConfig.read(folder.resolve("parity.json"))
        .text("family", "")
        .startsWith("musicgen");
  }

  @ParameterizedTest
  @MethodSource("golden")
  void givesTheReferencesNumbers(Path folder) {
    assertThat(Parity.check(folder)).hasSizeGreaterThan(2).allMatch(Parity.Line::within);
  }

  /** The set that is shared beside some checkouts; it is not ours to keep. */
  @Test
  void theSharedFixturesAgree() {
    Path found = null;
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.isDirectory(at.resolve("shared/parity/fixtures"))) {
        found = at.resolve("shared/parity/fixtures");
        break;
      }
    }
    String stated = System.getProperty("descant.parity");
    Path folder = stated == null ? found : Path.of(stated);
    Assumptions.assumeTrue(
        folder != null, "shared/parity/fixtures is not here, so this is not tested");
    for (Path fixture : Fixtures.folders(folder)) {
      if (isMusicGen(fixture)) {
        assertThat(Parity.check(fixture)).as("%s", fixture).allMatch(Parity.Line::within);
      }
    }
  }

  /** A fixture's inputs and the model, for one test. */
  private record Loaded(MusicGen model, Tensor ids, Tensor mask, Tensor columns)
      implements AutoCloseable {
    static Loaded of(String name, Form form) {
      return of(name, form, 1);
    }

    static Loaded of(String name, Form form, int threads) {
      Path folder = Fixtures.golden(name);
      try (Safetensors file = Safetensors.open(folder.resolve("parity.safetensors"))) {
        return new Loaded(
            MusicGen.load(folder, form, null, threads),
            file.tensor("in.input_ids"),
            file.tensor("in.attention_mask"),
            file.tensor("in.decoder_input_ids"));
      }
    }

    /** The decoder's columns as [batch, codebooks, time]. */
    Tensor tokens() {
      return columns.reshape(ids.size(0), model.config().codebooks(), columns.size(1));
    }

    @Override
    public void close() {
      model.close();
    }
  }

  private static double worst(Tensor a, Tensor b) {
    return a.sub(b).abs().amax().item() / b.abs().amax().item();
  }

  /** A session's scores of every column: [clips, codebooks, time, vocabulary]. */
  private static Tensor stepped(MusicGenDecoder decoder, Text text, Tensor tokens, double scale) {
    MusicGenConfig config = decoder.config();
    int clips = (int) tokens.size(0);
    int time = (int) tokens.size(2);
    float[] scores = new float[clips * config.codebooks() * config.vocabulary()];
    Tensor all = Tensor.zeros(clips, config.codebooks(), time, config.vocabulary());
    try (MusicGenSession session = decoder.session(text, scale, time)) {
      for (int t = 0; t < time; t++) {
        session.step(tokens.select(2, t).toLongs(), scores);
        all.select(2, t)
            .copyFrom(Tensor.of(scores, clips, config.codebooks(), config.vocabulary()));
      }
      assertThatThrownBy(() -> session.step(tokens.select(2, 0).toLongs(), scores))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining(time + " steps");
    }
    return all;
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void stepsGiveWhatTheWholeGives(Form form) {
    for (String name : List.of(GUIDED, STEREO)) {
      try (Scope scope = Scope.open();
          NoGrad noGrad = NoGrad.open();
          Loaded loaded = Loaded.of(name, form)) {
        Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
        Tensor whole = loaded.model.decoder().logits(loaded.tokens(), text);
        Tensor steps = stepped(loaded.model.decoder(), text, loaded.tokens(), 1);
        // int8 activations are rounded by the range of what is multiplied at once.
        assertThat(worst(steps, whole)).isLessThan(form == Form.INT8 ? 0.15 : 1e-5);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Form.class, names = "PLAIN", mode = EnumSource.Mode.EXCLUDE)
  void lanesSideBySideGiveWhatOneGives(Form form) {
    for (int lanes : List.of(2, 4)) {
      try (Scope scope = Scope.open();
          NoGrad noGrad = NoGrad.open();
          Loaded one = Loaded.of(STEREO, Form.PLAIN);
          Loaded more = Loaded.of(STEREO, form, lanes)) {
        assertThat(more.model.decoder().lanes()).isEqualTo(lanes);
        double near = form == Form.INT8 ? 0.15 : 1e-5;
        Text text = one.model.encode(one.ids, one.mask, false);
        Text same = more.model.encode(more.ids, more.mask, false);
        for (double scale : List.of(1.0, 2.5)) {
          Tensor expected = stepped(one.model.decoder(), text, one.tokens(), scale);
          Tensor result = stepped(more.model.decoder(), same, more.tokens(), scale);
          assertThat(worst(result, expected)).as("%d @%s", lanes, scale).isLessThan(scale * near);
          assertThat(stepped(more.model.decoder(), same, more.tokens(), scale).toFloats())
              .isEqualTo(result.toFloats());
        }
        assertThat(
                worst(
                    more.model.decoder().logits(more.tokens(), same),
                    one.model.decoder().logits(one.tokens(), text)))
            .isLessThan(near);
      }
    }
  }

  @Test
  void guidancePullsAwayFromTheScoresWithoutText() {
    try (Scope scope = Scope.open();
        NoGrad noGrad = NoGrad.open();
        Loaded loaded = Loaded.of(GUIDED, Form.PLAIN)) {
      MusicGenDecoder decoder = loaded.model.decoder();
      Tensor with =
          decoder.logits(loaded.tokens(), loaded.model.encode(loaded.ids, loaded.mask, false));
      Tensor without = decoder.logits(loaded.tokens(), loaded.model.nothing(3));
      Tensor expected = without.add(with.sub(without).mul(2.5));
      Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
      assertThat(worst(stepped(decoder, text, loaded.tokens(), 2.5), expected)).isLessThan(1e-5);
      assertThat(worst(with, expected)).isGreaterThan(0.1);
      // A scale of 1 or less is no guidance, as in the reference.
      assertThat(worst(stepped(decoder, text, loaded.tokens(), 0.5), with)).isLessThan(1e-5);
    }
  }

  @Test
  void int8StaysNear() {
    try (Scope scope = Scope.open();
        Loaded exact = Loaded.of(GUIDED, Form.PACKED);
        Loaded rounded = Loaded.of(GUIDED, Form.INT8)) {
      Tensor expected = exact.model.logits(exact.ids, exact.mask, exact.columns);
      Tensor near = rounded.model.logits(exact.ids, exact.mask, exact.columns);
      assertThat(near.sub(expected).norm().item() / expected.norm().item()).isBetween(1e-4, 0.06);
    }
  }

  @Test
  void paddingMayBeLookedAtAsItsMakersDo() {
    try (Scope scope = Scope.open();
        Loaded loaded = Loaded.of(GUIDED, Form.PACKED)) {
      MusicGenDecoder decoder = loaded.model.decoder();
      Tensor masked =
          decoder.logits(loaded.tokens(), loaded.model.encode(loaded.ids, loaded.mask, false));
      Text seen = loaded.model.encode(loaded.ids, loaded.mask, true);
      Tensor looked = decoder.logits(loaded.tokens(), seen);
      // The first text is the longest: it has no padding.
      assertThat(worst(looked.narrow(0, 0, 1), masked.narrow(0, 0, 1))).isLessThan(1e-5);
      assertThat(worst(looked.narrow(0, 2, 1), masked.narrow(0, 2, 1))).isGreaterThan(1e-2);
      // Zeros at padding, so one more padded token changes only how much the zeros weigh.
      assertThat(seen.states().select(0, 2).narrow(0, 8, 1).abs().amax().item()).isZero();
    }
  }

  @Test
  void drawsFollowTheSeedAndCandidates() {
    try (Scope scope = Scope.open();
        Loaded loaded = Loaded.of(STEREO, Form.PACKED)) {
      Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
      Sampling warm = new Sampling(1f, 5, 1f);
      long[] first = codes(loaded, text, new MusicGen.Request(30, 3, warm, 7, false, 1));
      assertThat(codes(loaded, text, new MusicGen.Request(30, 3, warm, 7, false, 1)))
          .isEqualTo(first);
      assertThat(codes(loaded, text, new MusicGen.Request(30, 3, warm, 8, false, 1)))
          .isNotEqualTo(first);
      assertThat(
              codes(
                  loaded, text, new MusicGen.Request(30, 3, new Sampling(1f, 1, 1f), 9, false, 1)))
          .isEqualTo(codes(loaded, text, MusicGen.Request.greedy(30, 3)));
    }
  }

  @Test
  void workersShareTheClips() {
    try (Scope scope = Scope.open();
        Loaded loaded = Loaded.of(GUIDED, Form.PACKED)) {
      Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
      Sampling warm = new Sampling(1f, 9, 1f);
      long[] alone = codes(loaded, text, new MusicGen.Request(20, 3, warm, 5, false, 1));
      for (int workers : new int[] {2, 3, 8}) {
        assertThat(codes(loaded, text, new MusicGen.Request(20, 3, warm, 5, false, workers)))
            .isEqualTo(alone);
      }
      assertThatThrownBy(() -> new MusicGen.Request(20, 3, warm, 5, false, 0))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("Workers");
    }
  }

  private static long[] codes(Loaded loaded, Text text, MusicGen.Request request) {
    return loaded.model.codes(text, null, request).toLongs();
  }

  @Test
  void goesOnFromAPrompt() {
    for (String name : List.of(GUIDED, STEREO)) {
      try (Scope scope = Scope.open();
          Loaded loaded = Loaded.of(name, Form.PACKED)) {
        Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
        Tensor whole = loaded.model.codes(text, null, MusicGen.Request.greedy(24, 2));
        Tensor more =
            loaded.model.codes(text, whole.narrow(2, 0, 9), MusicGen.Request.greedy(15, 2));
        assertThat(more.toLongs()).isEqualTo(whole.toLongs());
      }
    }
  }

  @Test
  void soundBecomesCodesChannelByChannel() {
    try (Scope scope = Scope.open();
        SeededRandom random = new SeededRandom(4);
        Loaded loaded = Loaded.of(STEREO, Form.PACKED)) {
      Tensor audio = random.normal(2, 2, 160);
      Tensor codes = loaded.model.codesOf(audio);
      assertThat(codes.shape()).containsExactly(2, 6, 20);
      Tensor right = loaded.model.codec().encode(audio.narrow(1, 1, 1), 60).codes().select(0, 0);
      assertThat(codes.slice(1, 1, 6, 2).toLongs()).isEqualTo(right.toLongs());
      assertThat(loaded.model.audio(codes.clampMax(23).to(DType.I64)).shape())
          .containsExactly(2, 2, 160);
      assertThatThrownBy(() -> loaded.model.codesOf(random.normal(2, 1, 160)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("[batch, 2, samples]");
    }
  }

  /** Training sees the columns that decoding makes, so a model taught a run repeats it. */
  @Test
  void trainingColumnsAreThoseOfDecoding() {
    try (Scope scope = Scope.open();
        Loaded loaded = Loaded.of(STEREO, Form.PLAIN)) {
      MusicGenDecoder decoder = loaded.model.decoder();
      Text text = loaded.model.encode(loaded.ids, loaded.mask, false);
      Tensor codes = loaded.model.codes(text, null, MusicGen.Request.greedy(14, 1));
      MusicGenDecoder.Columns columns = decoder.columns(codes);
      assertThat(columns.inputs().shape()).containsExactly(1, 6, 14);
      Tensor likeliest = decoder.logits(columns.inputs(), text).argmax(3, false);
      Tensor asked = columns.targets();
      assertThat(asked.lt(0.0).to(DType.I64).sum().itemLong()).isEqualTo(6 * 2);
      Tensor wrong = likeliest.sub(asked).ne(0.0).and(asked.ge(0.0));
      assertThat(wrong.to(DType.I64).sum().itemLong()).isZero();
      // Left and right of a codebook are delayed alike.
      assertThat(asked.select(1, 4).narrow(1, 2, 12).toLongs())
          .isEqualTo(codes.select(1, 4).toLongs());
      assertThat(asked.select(1, 5).narrow(1, 2, 12).toLongs())
          .isEqualTo(codes.select(1, 5).toLongs());
      Tensor exact = Tensor.zeros(1, 6, 14, 24);
      assertThat(MusicGenDecoder.loss(exact, columns).item())
          .isCloseTo(Math.log(24), org.assertj.core.data.Offset.offset(1e-5));
    }
  }

  @Test
  void refusesWhatItCannotServeByItsKey() throws IOException {
    refuses(
        "audio_channels",
        text ->
            text.replace("\"audio_channels\": 1,\n    \"bos", "\"audio_channels\": 3,\n    \"bos"));
    refuses(
        "num_attention_heads", replace("\"num_attention_heads\": 3", "\"num_attention_heads\": 5"));
    refuses(
        "activation_function",
        replace("\"activation_function\": \"gelu\"", "\"activation_function\": \"maxout\""));
    refuses(
        "model_type",
        replace("\"model_type\": \"musicgen\"", "\"model_type\": \"musicgen_melody\""));
    refuses(
        "cross_attention_hidden_size",
        replace("\"cross_attention_hidden_size\": null", "\"cross_attention_hidden_size\": 20"));
    refuses("vocab_size", text -> text.replace("\"vocab_size\": 40", "\"vocab_size\": 70"));
    refuses("num_codebooks", replace("\"num_codebooks\": 4", "\"num_codebooks\": 40"));
  }

  private static UnaryOperator<String> replace(String from, String to) {
    return text -> {
      assertThat(text).contains(from);
      return text.replace(from, to);
    };
  }

  private void refuses(String key, UnaryOperator<String> change) throws IOException {
    Path folder = Fixtures.copy(GUIDED, temporary.resolve(key));
    Fixtures.edit(folder.resolve("config.json"), change);
    assertThatThrownBy(() -> MusicGen.load(folder))
        .as(key)
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(key);
  }

  @Test
  void readsWhatItsMakersSetForGenerating() throws IOException {
    Path folder = Fixtures.copy(GUIDED, temporary.resolve("defaults"));
    Path file = folder.resolve("generation_config.json");
    Files.writeString(
        file,
        """
        {"bos_token_id": 40, "decoder_start_token_id": 40, "do_sample": true, "guidance_scale": 3.0,
         "max_length": 1500, "pad_token_id": 40}
        """);
    try (MusicGen model = MusicGen.load(folder)) {
      assertThat(model.defaults())
          .isEqualTo(new MusicGen.Defaults(3, new Sampling(1f, 50, 1f), 1499, 40));
    }
    for (String refused :
        List.of(
            "num_beams\": 4",
            "repetition_penalty\": 1.3",
            "eos_token_id\": 2",
            "pad_token_id\": 3",
            "decoder_start_token_id\": 39")) {
      Files.writeString(file, "{\"" + refused + "}");
      assertThatThrownBy(() -> MusicGen.load(folder))
          .as(refused)
          .isInstanceOf(ModelException.class)
          .hasMessageContaining(refused.startsWith("dec") ? "pad_token" : refused.split("\"")[0]);
    }
    Files.delete(file);
    try (MusicGen model = MusicGen.load(folder)) {
      assertThat(model.defaults().guidance()).isEqualTo(1);
    }
  }

  @Test
  void refusesInputsThatDoNotBelongTogether() {
    try (Scope scope = Scope.open();
        Loaded loaded = Loaded.of(GUIDED, Form.PACKED)) {
      assertThatThrownBy(() -> loaded.model.logits(loaded.ids, loaded.mask, loaded.columns.add(1L)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("41");
      assertThatThrownBy(
              () -> loaded.model.logits(loaded.ids, loaded.mask, loaded.columns.narrow(0, 0, 8)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("3 texts for 2 clips");
      assertThatThrownBy(
              () -> loaded.model.logits(loaded.ids, loaded.mask, loaded.columns.narrow(0, 0, 7)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("[batch × 4, time]");
      assertThatThrownBy(() -> MusicGen.Request.greedy(0, 1)).isInstanceOf(ModelException.class);
    }
  }
}
