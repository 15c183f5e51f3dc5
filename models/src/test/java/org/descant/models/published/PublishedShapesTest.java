package org.descant.models.published;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.descant.models.ModelException;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.codec.EnCodec;
import org.descant.models.published.musicgen.MusicGenParameters;
import org.descant.models.published.text.T5Encoder;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.NativeRuntime;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The published configurations in their full size: every tensor of the reference's files, and no
 * other, has a place in ours, and their numbers are as many as published. The files are holes with
 * a header, so nothing is stored.
 */
class PublishedShapesTest {
  private static final Path SHAPES = Path.of("src", "test", "resources", "published-shapes");
  private static final JsonMapper JSON = JsonMapper.shared();

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static JsonNode reference(String name) throws IOException {
    return JSON.readTree(Files.readAllBytes(SHAPES.resolve(name + ".json")));
  }

  private static SortedMap<String, List<Long>> tensors(JsonNode reference) {
    SortedMap<String, List<Long>> shapes = new TreeMap<>();
    reference
        .path("tensors")
        .properties()
        .forEach(entry -> {
          List<Long> shape = new ArrayList<>();
          entry.getValue().forEach(length -> shape.add(length.longValue()));
          shapes.put(entry.getKey(), shape);
        });
    return shapes;
  }

  private static long count(Map<String, List<Long>> tensors, Predicate<String> wanted) {
    return tensors.entrySet().stream()
        .filter(entry -> wanted.test(entry.getKey()))
        .mapToLong(entry -> entry.getValue().stream().reduce(1L, (a, b) -> a * b))
        .sum();
  }

  /** A model folder whose weights are all zero and take no room on the disk. */
  private PublishedWeights folder(JsonNode config, Map<String, List<Long>> tensors)
      throws IOException {
    Files.write(temporary.resolve("config.json"), JSON.writeValueAsBytes(config));
    Map<String, Object> header = new LinkedHashMap<>();
    long at = 0;
    for (var tensor : tensors.entrySet()) {
      long bytes = Float.BYTES * count(Map.of("", tensor.getValue()), name -> true);
      header.put(
          tensor.getKey(),
          Map.of(
              "dtype", "F32", "shape", tensor.getValue(), "data_offsets", List.of(at, at + bytes)));
      at += bytes;
    }
    String text = JSON.writeValueAsString(header);
    byte[] padded =
        (text + " ".repeat((8 - text.length() % 8) % 8)).getBytes(StandardCharsets.UTF_8);
    try (FileChannel file =
        FileChannel.open(
            temporary.resolve("model.safetensors"),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      file.write(length.putLong(0, padded.length));
      file.write(ByteBuffer.wrap(padded));
      file.write(ByteBuffer.allocate(1), 8 + padded.length + at - 1);
    }
    return PublishedWeights.open(temporary);
  }

  private void load(String name, JsonNode reference, Map<String, List<Long>> tensors)
      throws Exception {
    try (PublishedWeights weights = folder(reference.path("config"), tensors)) {
      AutoCloseable model =
          switch (name.substring(0, name.indexOf('-'))) {
            case "encodec" -> EnCodec.load(weights, weights.config());
            case "dac" -> Dac.load(weights, weights.config());
            default -> T5Encoder.load(weights, weights.config());
          };
      model.close();
    }
  }

  /** Weight normalisation's lengths are folded in and not counted; a codebook's running means. */
  @ParameterizedTest
  @CsvSource({
    "encodec-24khz, 7423472, 7423345, 4194304",
    "encodec-32khz, 28438432, 28438305, 1048576",
    "dac-44khz, 22299200, 54091105, 230472",
  })
  void codecsHaveThePublishedNumbers(String name, long encoder, long decoder, long quantizer)
      throws Exception {
    JsonNode reference = reference(name);
    Map<String, List<Long>> tensors = tensors(reference);
    load(name, reference, tensors);
    Predicate<String> counted =
        tensor ->
            !tensor.endsWith("original0")
                && (name.startsWith("dac")
                    || !tensor.startsWith("quantizer.")
                    || tensor.endsWith(".embed"));
    assertThat(count(tensors, counted.and(tensor -> tensor.startsWith("encoder."))))
        .isEqualTo(encoder);
    assertThat(count(tensors, counted.and(tensor -> tensor.startsWith("decoder."))))
        .isEqualTo(decoder);
    assertThat(count(tensors, counted.and(tensor -> tensor.startsWith("quantizer."))))
        .isEqualTo(quantizer);
  }

  /** Those for which no count is published are counted by the reference's own modules. */
  @ParameterizedTest
  @CsvSource({
    "encodec-48khz, 14856294",
    "dac-24khz, 74653857",
    "dac-16khz, 74141697",
    "t5-base, 109628544",
  })
  void othersHaveTheReferencesNumbers(String name, long parameters) throws Exception {
    JsonNode reference = reference(name);
    Map<String, List<Long>> tensors = tensors(reference);
    load(name, reference, tensors);
    assertThat(count(tensors, tensor -> !name.startsWith("encodec") || !tensor.startsWith("quant")))
        .isEqualTo(parameters);
  }

  @Test
  void aTensorMoreOrLessIsNamed() throws Exception {
    JsonNode reference = reference("t5-base");
    Map<String, List<Long>> tensors = tensors(reference);
    String last = "encoder.block.11.layer.1.DenseReluDense.wo.weight";
    tensors.remove(last);
    assertThatThrownBy(() -> load("t5-base", reference, tensors))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(last);
    Map<String, List<Long>> more = tensors(reference);
    more.put("encoder.block.12.layer.0.layer_norm.weight", List.of(768L));
    assertThatThrownBy(() -> load("t5-base", reference, more))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("encoder.block.12");
  }

  @ParameterizedTest
  @CsvSource({
    "small, 1024, 24, 16, 420371456",
    "medium, 1536, 48, 24, 1838737920",
    "large, 2048, 48, 32, 3256956928",
  })
  void musicGenDecodersHaveThePublishedNumbers(
      String name, int width, int layers, int heads, long parameters) throws IOException {
    JsonNode reference = reference("musicgen-small");
    ObjectNode decoder = (ObjectNode) reference.path("config").path("decoder");
    decoder.put("hidden_size", width);
    decoder.put("ffn_dim", 4 * width);
    decoder.put("num_hidden_layers", layers);
    decoder.put("num_attention_heads", heads);
    Path config = temporary.resolve("config.json");
    Files.write(config, JSON.writeValueAsBytes(reference.path("config")));
    MusicGenParameters declared = MusicGenParameters.declare(PublishedConfig.read(config), true);
    assertThat(declared.count()).isEqualTo(parameters);
    if (name.equals("small")) {
      SortedMap<String, List<Long>> published = tensors(reference);
      published
          .keySet()
          .removeIf(tensor ->
              tensor.startsWith("text_encoder.")
                  || tensor.startsWith("audio_encoder.")
                  || tensor.contains("embed_positions"));
      assertThat(declared.shapes()).isEqualTo(published);
    }
  }

  @Test
  void melodyIsRefusedByItsKey() throws IOException {
    ObjectNode config = (ObjectNode) reference("musicgen-small").path("config");
    config.put("model_type", "musicgen_melody");
    Path file = temporary.resolve("config.json");
    Files.write(file, JSON.writeValueAsBytes(config));
    assertThatThrownBy(() -> MusicGenParameters.declare(PublishedConfig.read(file), false))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("model_type = \"musicgen_melody\"");
  }
}
