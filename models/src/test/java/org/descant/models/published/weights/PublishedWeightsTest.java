package org.descant.models.published.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.descant.models.ModelException;
import org.descant.models.published.Fixtures;
import org.descant.models.published.Parity;
import org.descant.tensor.DType;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PublishedWeightsTest {
  private static final String DOT_WEIGHT = "decoder.layers.3.conv.weight";

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private String refusalOf(String fixture, Consumer<Map<String, Tensor>> change)
      throws IOException {
    Path folder = Fixtures.copy(fixture, temporary.resolve("model"));
    Fixtures.editTensors(folder.resolve("model.safetensors"), change);
    return refusalOf(folder);
  }

  private static String refusalOf(Path folder) {
    try {
      Parity.check(folder);
    } catch (ModelException e) {
      return String.valueOf(e.getMessage());
    }
    throw new AssertionError(folder + " was loaded");
  }

  @Test
  void aMissingTensorIsNamed() throws IOException {
    assertThat(refusalOf("encodec-chunks", tensors -> tensors.remove(DOT_WEIGHT)))
        .contains(DOT_WEIGHT)
        .contains("holds no tensor");
  }

  @Test
  void aTensorOfAnotherShapeIsNamedWithBothShapes() throws IOException {
    String refusal =
        refusalOf(
            "encodec-chunks",
            tensors -> tensors.put("encoder.layers.0.conv.weight", Tensor.zeros(3, 2, 5)));
    assertThat(refusal).contains("encoder.layers.0.conv.weight").contains("[3, 2, 5]", "[3, 2, 7]");
  }

  @Test
  void aTensorWithoutAPlaceIsNamed() throws IOException {
    assertThat(
            refusalOf("encodec-chunks", tensors -> tensors.put("encoder.extra", Tensor.zeros(1))))
        .contains("encoder.extra");
  }

  @Test
  void quantisedWeightsAreRefused() throws IOException {
    assertThat(
            refusalOf(
                "encodec-chunks",
                tensors -> tensors.computeIfPresent(DOT_WEIGHT, (name, t) -> t.to(DType.I8))))
        .contains(DOT_WEIGHT)
        .contains("I8");
  }

  @Test
  void twoDifferentTokenTablesAreRefused() throws IOException {
    String table = "encoder.embed_tokens.weight";
    Path same = Fixtures.copy("t5-plain", temporary.resolve("same"));
    Fixtures.editTensors(
        same.resolve("model.safetensors"),
        tensors -> tensors.put(table, tensors.get("shared.weight").copy()));
    assertThat(Parity.check(same)).allMatch(Parity.Line::within);
    assertThat(
            refusalOf(
                "t5-plain", tensors -> tensors.put(table, tensors.get("shared.weight").mul(2.0))))
        .contains(table);
  }

  @Test
  void aWholeT5GivesItsEncoder() throws IOException {
    Path folder = Fixtures.copy("t5-plain", temporary.resolve("whole"));
    Fixtures.editTensors(
        folder.resolve("model.safetensors"),
        tensors -> {
          tensors.put("decoder.final_layer_norm.weight", Tensor.ones(20));
          tensors.put("lm_head.weight", Tensor.ones(90, 20));
        });
    assertThat(Parity.check(folder)).allMatch(Parity.Line::within);
  }

  @Test
  void theThreeWaysToStoreANormalisedWeightGiveOne() throws IOException {
    Path folder = Files.createDirectories(temporary.resolve("norms"));
    Files.writeString(folder.resolve("config.json"), "{}");
    try (Scope scope = Scope.open()) {
      Tensor direction = Tensor.of(new float[] {3, 4, 0, 2, -5, 12}, 3, 2, 1);
      Tensor length = Tensor.of(new float[] {10, 1, 26}, 3, 1, 1);
      Tensor folded = Tensor.of(new float[] {6, 8, 0, 1, -10, 24}, 3, 2, 1);
      SafetensorsWriter.write(
          folder.resolve("model.safetensors"),
          Map.of(
              "a.parametrizations.weight.original0", length,
              "a.parametrizations.weight.original1", direction,
              "b.weight_g", length.to(DType.F64),
              "b.weight_v", direction.to(DType.BF16),
              "c.weight", folded),
          Map.of());
      try (PublishedWeights weights = PublishedWeights.open(folder)) {
        for (String layer : new String[] {"a", "b", "c"}) {
          assertThat(weights.normedWeight(layer, 3, 2, 1).toFloats())
              .as(layer)
              .containsExactly(folded.toFloats());
        }
        weights.requireAllUsed();
      }
    }
  }

  @Test
  void aPartSeesOnlyItsOwnTensors() throws IOException {
    Path folder = Files.createDirectories(temporary.resolve("parts"));
    Files.writeString(folder.resolve("config.json"), "{\"one\": {\"hidden_size\": \"big\"}}");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          folder.resolve("model.safetensors"),
          Map.of("one.x", Tensor.ones(2), "one.y", Tensor.ones(1), "two.x", Tensor.zeros(3)),
          Map.of());
      try (PublishedWeights weights = PublishedWeights.open(folder)) {
        PublishedWeights one = weights.under("one.");
        assertThat(one.contains("x")).isTrue();
        assertThat(one.contains("two.x")).isFalse();
        assertThat(one.tensor("x", 2).toFloats()).containsExactly(1, 1);
        assertThatThrownBy(one::requireAllUsed)
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("one.y")
            .hasMessageNotContaining("two.x");
        one.ignore("y");
        one.requireAllUsed();
        assertThatThrownBy(weights::requireAllUsed).hasMessageContaining("two.x");
        weights.ignoreUnder("two.");
        weights.requireAllUsed();
        assertThatThrownBy(() -> weights.config().child("one").whole("hidden_size", 1, 1))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("one.hidden_size = \"big\"");
      }
    }
  }

  @Test
  void aPickleIsNotRead() throws IOException {
    Path folder = Files.createDirectories(temporary.resolve("pickle"));
    Files.writeString(folder.resolve("config.json"), "{}");
    Files.write(folder.resolve("pytorch_model.bin"), new byte[] {1, 2, 3});
    assertThatThrownBy(() -> PublishedWeights.open(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("pickle");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "encodec-chunks | model_type              | \"dac\"",
        "encodec-chunks | norm_type               | \"layer_norm\"",
        "encodec-chunks | pad_mode                | \"zero\"",
        "encodec-chunks | audio_channels          | 3",
        "encodec-chunks | codebook_dim            | 9",
        "encodec-chunks | codebook_size           | 24",
        "encodec-chunks | chunk_length_s          | 0",
        "encodec-chunks | overlap                 | null",
        "encodec-chunks | overlap                 | 1.0",
        "encodec-chunks | trim_right_ratio        | 1.5",
        "encodec-chunks | num_lstm_layers         | 0",
        "encodec-chunks | upsampling_ratios       | []",
        "encodec-chunks | upsampling_ratios       | [5, 4, 0]",
        "encodec-chunks | target_bandwidths       | [0.1]",
        "encodec-chunks | target_bandwidths       | \"24\"",
        "encodec-chunks | use_causal_conv         | \"yes\"",
        "encodec-chunks | num_filters             | 3.5",
        "encodec-chunks | quantization_config     | {\"bits\":8}",
        "encodec-both-sides | trim_right_ratio    | 0.5",
        "dac-odd        | model_type              | \"encodec\"",
        "dac-odd        | codebook_size           | 17",
        "dac-odd        | n_codebooks             | 0",
        "dac-odd        | decoder_hidden_size     | 3",
        "dac-odd        | downsampling_ratios     | [99999, 99999]",
        "t5-plain       | model_type              | \"umt5\"",
        "t5-plain       | is_decoder              | true",
        "t5-plain       | dense_act_fn            | \"xielu\"",
        "t5-plain       | feed_forward_proj       | \"double-gated-relu\"",
        "t5-plain       | relative_attention_num_buckets  | 2",
        "t5-plain       | relative_attention_max_distance | 4",
      })
  void aValueThatIsNotSupportedIsNamedWithItsKey(String fixture, String key, String value)
      throws IOException {
    Path folder = Fixtures.copy(fixture, temporary.resolve("model"));
    Fixtures.edit(
        folder.resolve("config.json"),
        text -> {
          String without =
              text.replaceFirst("(?s)\"" + key + "\": (\\[[^]]*]|[^,\\n]*)(,|\\n)", "");
          return without.replaceFirst("\\{", "{\"" + key + "\": " + value + ",");
        });
    String compact = refusalOf(folder).replace(" ", "");
    assertThat(compact).contains("has" + key + "=" + value.replace(" ", ""));
  }
}
