package org.descant.models.published.musicgen;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.descant.models.ModelException;
import org.descant.models.published.Fixtures;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.weights.Projection.Form;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What must hold of models that a melody leads beyond the golden numbers, which MusicGenTest has.
 */
class MelodyTest {
  private static final String SUNG = "melody-sung";

  @TempDir Path temporary;
  private Scope scope;
  private NoGrad noGrad;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @BeforeEach
  void open() {
    scope = Scope.open();
    noGrad = NoGrad.open();
  }

  @AfterEach
  void close() {
    noGrad.close();
    scope.close();
  }

  private static Tensor golden(String name) {
    try (Safetensors file = Safetensors.open(Fixtures.golden(SUNG).resolve("parity.safetensors"))) {
      return file.tensor(name);
    }
  }

  private static Text told(MusicGen model) {
    Text text = model.encode(golden("in.input_ids"), golden("in.attention_mask"), false);
    return model.decoder().withMelody(text, golden("out.input_features"));
  }

  @ParameterizedTest
  @EnumSource(names = {"PACKED", "INT8"})
  void stepsGiveWhatTheWholeGives(Form form) {
    try (MusicGen model = MusicGen.load(Fixtures.golden(SUNG), form)) {
      MusicGenDecoder decoder = model.decoder();
      Text told = told(model);
      Tensor tokens = golden("in.decoder_input_ids").reshape(3, 4, 6);
      Tensor whole = decoder.logits(tokens, told).narrow(2, told.states().size(1), 6);
      float[] scores = new float[3 * 4 * 40];
      try (MusicGenSession session = decoder.session(told, 1, 6)) {
        for (int t = 0; t < 6; t++) {
          session.step(tokens.select(2, t).toLongs(), scores);
          Tensor expected = whole.select(2, t);
          Tensor difference = Tensor.of(scores, 3, 4, 40).sub(expected).abs();
          assertThat(difference.amax().item() / expected.abs().amax().item())
              .isLessThan(form == Form.INT8 ? 0.15 : 1e-5);
        }
      }
    }
  }

  @Test
  void lanesGoThroughWhatStandsBefore() {
    Path folder = Fixtures.golden("melody-given");
    try (MusicGen one = MusicGen.load(folder);
        MusicGen two = MusicGen.load(folder, Form.PACKED, null, 2)) {
      assertThat(two.decoder().lanes()).isEqualTo(2);
      MusicGen.Request request = MusicGen.Request.greedy(12, 3);
      assertThat(two.codes(two.nothing(2), null, request).toLongs())
          .containsExactly(one.codes(one.nothing(2), null, request).toLongs());
    }
  }

  @Test
  void workersShareTheClipsAndTheirMelodies() {
    try (MusicGen model = MusicGen.load(Fixtures.golden(SUNG))) {
      Text told = told(model);
      MusicGen.Request alone = MusicGen.Request.greedy(12, 3);
      var shared = new MusicGen.Request(12, 3, alone.sampling(), 0, false, 2);
      assertThat(model.codes(told, null, shared).toLongs())
          .containsExactly(model.codes(told, null, alone).toLongs());
    }
  }

  @Test
  void aShortMelodyIsRepeatedAndALongOneCut() {
    try (MusicGen model = MusicGen.load(Fixtures.golden(SUNG))) {
      Text nothing = model.nothing(1);
      Tensor sung = golden("out.input_features").narrow(0, 0, 1);
      Tensor four = sung.narrow(1, 0, 4);
      Tensor thrice = four.repeat(1, 3, 1);
      assertThat(model.decoder().withMelody(nothing, four).states().toFloats())
          .containsExactly(model.decoder().withMelody(nothing, thrice).states().toFloats());
      assertThat(model.decoder().withMelody(nothing, sung).states().shape())
          .containsExactly(nothing.states().shape());
    }
  }

  @ParameterizedTest
  @CsvSource({"440, 9", "261.63, 0", "1046.5, 0", "739.99, 6"})
  void aToneIsItsPitchClass(double hertz, int pitchClass) {
    var published = new ChromaFeatures(32_000, 16_384, 4096, 12, 960_000);
    float[] tone = new float[40_000];
    for (int i = 0; i < tone.length; i++) {
      tone[i] = (float) Math.sin(2 * Math.PI * hertz * i / 32_000);
    }
    long[] heard = published.of(Tensor.of(tone, 1, tone.length)).argmax(2, false).toLongs();
    assertThat(heard).hasSize(10);
    assertThat(Arrays.stream(heard)).allMatch(c -> c == pitchClass);
  }

  @Test
  void silenceAndShortSoundsAreHeardAndLongOnesCut() {
    var ear = new ChromaFeatures(8000, 256, 64, 12, 1000);
    assertThat(ear.of(Tensor.zeros(2, 3)).argmax(2, false).toLongs()).containsOnly(0).hasSize(10);
    assertThat(ear.of(Tensor.zeros(1, 5000)).shape()).containsExactly(1, 16, 12);
    assertThatThrownBy(() -> ear.of(Tensor.zeros(5))).isInstanceOf(ModelException.class);
  }

  @Test
  void hearsAsItsMakersSet() throws IOException {
    Path folder = Fixtures.copy(SUNG, temporary.resolve("ear"));
    try (MusicGen model = MusicGen.load(folder)) {
      assertThat(model.ear()).isEqualTo(new ChromaFeatures(32_000, 1024, 256, 12, 960_000));
    }
    Files.delete(folder.resolve("preprocessor_config.json"));
    try (MusicGen model = MusicGen.load(folder)) {
      assertThat(model.ear()).isEqualTo(new ChromaFeatures(32_000, 16_384, 4096, 12, 960_000));
      assertThat(Objects.requireNonNull(model.config().melody()).frames()).isEqualTo(11);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "config.json, chroma_length, 0",
    "config.json, num_chroma, 100000",
    "preprocessor_config.json, n_fft, 1023",
    "preprocessor_config.json, num_chroma, 24",
    "preprocessor_config.json, chunk_length, 3000",
    "preprocessor_config.json, feature_extractor_type, 'EncodecFeatureExtractor'",
  })
  void refusesWhatItCannotServeByItsKey(String file, String key, String value) throws IOException {
    Path folder = Fixtures.copy(SUNG, temporary.resolve("refused"));
    String shown = Character.isDigit(value.charAt(0)) ? value : "\"" + value + "\"";
    Fixtures.edit(
        folder.resolve(file),
        text ->
            text.replaceFirst("\"" + key + "\": [^\\n]*\\n", "")
                .replaceFirst("\\{", "{\"" + key + "\": " + shown + ","));
    assertThatThrownBy(() -> MusicGen.load(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(key + " = " + shown);
  }

  @Test
  void isNotTuned() {
    assertThatThrownBy(() -> MusicGen.load(Fixtures.golden(SUNG), Form.PLAIN))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("model_type = \"musicgen_melody\"");
  }

  @Test
  void refusesAMelodyThatIsNotItsOwn() {
    try (MusicGen led = MusicGen.load(Fixtures.golden(SUNG));
        MusicGen plain = MusicGen.load(Fixtures.golden("musicgen-guided"))) {
      Text text = led.nothing(2);
      assertThatThrownBy(() -> led.decoder().withMelody(text, Tensor.zeros(2, 5, 7)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("[2, frames, 12]");
      assertThatThrownBy(() -> led.decoder().withMelody(text, Tensor.zeros(1, 5, 12)))
          .isInstanceOf(ModelException.class);
      assertThat(plain.ear()).isNull();
      assertThatThrownBy(() -> plain.decoder().withMelody(plain.nothing(1), Tensor.ones(1, 2, 12)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("takes no melody");
    }
  }
}
