package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
  @TempDir Path folder;

  private static Map<String, Tensor> oneOfEach() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      if (type.storable()) {
        tensors.put("a." + type, Tensor.of(new float[] {0, 1, 1, 0, 1, 0}, 2, 3).to(type));
      }
    }
    tensors.put("scalar", Tensor.scalar(2.5));
    tensors.put("empty", Tensor.zeros(3, 0));
    tensors.put("transposed", Tensor.of(new float[] {1, 2, 3, 4}, 2, 2).transpose(0, 1));
    tensors.put("naïve \"name\"\n", Tensor.ones(1));
    return tensors;
  }

  @Test
  void whatIsWrittenIsRead() {
    Path file = folder.resolve("all.safetensors");
    Map<String, String> metadata = Map.of("format", "pt", "ü", "\"quoted\"\n");
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = oneOfEach();
      SafetensorsWriter.write(file, tensors, metadata);
      try (Safetensors read = Safetensors.open(file)) {
        assertThat(read.names()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
        assertThat(read.metadata()).isEqualTo(metadata);
        tensors.forEach((name, tensor) -> {
          assertThat(read.dtype(name)).isEqualTo(tensor.dtype());
          assertThat(read.shape(name)).isEqualTo(tensor.shape());
          assertThat(read.tensor(name).toDoubles()).isEqualTo(tensor.toDoubles());
          Tensor target = Tensor.empty(DType.F32, tensor.shape());
          read.copyInto(name, target);
          assertThat(target.toDoubles()).isEqualTo(tensor.to(DType.F32).toDoubles());
        });
        assertThat(read.tensor("a.I8", DType.BF16).dtype()).isEqualTo(DType.BF16);
        assertThatThrownBy(() -> read.tensor("b")).hasMessageContaining("holds no tensor b");
        assertThatThrownBy(() -> read.copyInto("scalar", Tensor.ones(2)))
            .hasMessageContaining("another configuration");
      }
    }
  }

  @Test
  void tensorsOutliveTheFile() throws Exception {
    Path file = folder.resolve("a.safetensors");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(file, Map.of("a", Tensor.arange(5)), Map.of());
      Tensor a;
      try (Safetensors read = Safetensors.open(file)) {
        a = read.tensor("a");
      }
      Files.delete(file);
      assertThat(a.add(1).toLongs()).containsExactly(1, 2, 3, 4, 5);
    }
  }

  @Test
  void aFileCutWhileOpenIsReported() throws Exception {
    Path file = folder.resolve("cut.safetensors");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(file, Map.of("a", Tensor.ones(1 << 16)), Map.of());
      try (Safetensors read = Safetensors.open(file);
          FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(100);
        assertThatThrownBy(() -> read.tensor("a"))
            .isInstanceOf(TensorException.class)
            .hasMessageContaining("cut short");
      }
    }
  }

  @Test
  void theBytesDependOnTheContentAlone() throws Exception {
    try (Scope scope = Scope.open()) {
      List<Map.Entry<String, Tensor>> entries = new ArrayList<>(oneOfEach().entrySet());
      byte[] first = null;
      for (int round = 0; round < 5; round++) {
        Collections.shuffle(entries, new java.util.Random(round));
        Map<String, Tensor> shuffled = new LinkedHashMap<>();
        entries.forEach(e -> shuffled.put(e.getKey(), e.getValue()));
        Path file = folder.resolve(round + ".safetensors");
        SafetensorsWriter.write(file, shuffled, Map.of("b", "2", "a", "1"));
        byte[] bytes = Files.readAllBytes(file);
        long header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        assertThat(header % 8).isZero();
        assertThat(first == null || java.util.Arrays.equals(first, bytes)).isTrue();
        first = bytes;
      }
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).noneMatch(f -> f.toString().endsWith(".tmp"));
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFile() throws Exception {
    Path file = folder.resolve("model.safetensors");
    Files.writeString(file, "old");
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> complex = Map.of("spectrum", Tensor.ones(8).rfft());
      assertThatThrownBy(() -> SafetensorsWriter.write(file, complex, Map.of()))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("cannot hold");
      assertThatThrownBy(() ->
              SafetensorsWriter.write(
                  folder.resolve("no/such/folder.safetensors"), Map.of(), Map.of()))
          .hasMessageContaining("Cannot write");
    }
    assertThat(Files.readString(file)).isEqualTo("old");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void shardsAreReadThroughTheirIndex() throws Exception {
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          folder.resolve("m-1.safetensors"), Map.of("a", Tensor.ones(2)), Map.of());
      SafetensorsWriter.write(
          folder.resolve("m-2.safetensors"), Map.of("b", Tensor.zeros(3)), Map.of());
      Path index = folder.resolve("model.safetensors.index.json");
      Files.writeString(
          index,
          """
          {"metadata": {"total_size": 20},
           "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}\
          """);
      for (Path way : List.of(index, folder)) {
        try (Safetensors read = Safetensors.open(way)) {
          assertThat(read.names()).containsExactly("a", "b");
          assertThat(read.tensor("b").toFloats()).containsExactly(0, 0, 0);
        }
      }
      for (String map :
          List.of(
              "{\"a\": \"m-1.safetensors\", \"b\": \"m-1.safetensors\"}",
              "{\"a\": \"m-1.safetensors\", \"b\": \"../m-2.safetensors\"}",
              "{\"a\": \"m-3.safetensors\"}",
              "{\"a\": 3}",
              "[]")) {
        Files.writeString(index, "{\"weight_map\": " + map + "}");
        assertThatThrownBy(() -> Safetensors.open(index)).isInstanceOf(TensorException.class);
      }
    }
  }

  private static byte[] file(String header, int dataBytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .array();
  }

  private static String entry(String name, String dtype, String shape, String offsets) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}"
        .formatted(name, dtype, shape, offsets);
  }

  private record Broken(byte[] bytes, String message) {}

  @TestFactory
  Stream<DynamicTest> brokenFilesAreRefusedWithAReason() {
    String a = entry("a", "F32", "[2]", "[0,8]");
    return Stream.of(
            new Broken(new byte[3], "shorter than 8"),
            new Broken(new byte[8], "header length 0"),
            new Broken(
                ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(-1).array(),
                "header length -1"),
            new Broken(
                ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(9).array(),
                "header length 9"),
            new Broken(file("[1]", 0), "not a JSON object"),
            new Broken(file("{\"a\":", 0), "JSON is broken"),
            new Broken(file("{} {}", 0), "JSON is broken"),
            new Broken(file("{" + a + "," + a + "}", 8), "JSON is broken"),
            new Broken(file("{" + a + "}", 4), "outside the file"),
            new Broken(file("{" + a + "}", 9), "1 bytes at the end"),
            new Broken(
                file("{" + a + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12), "overlaps"),
            new Broken(file("{" + a + "," + entry("b", "F32", "[1]", "[12,16]") + "}", 16), "gap"),
            new Broken(file("{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8), "disagrees"),
            new Broken(file("{" + entry("a", "F33", "[2]", "[0,8]") + "}", 8), "dtype"),
            new Broken(file("{" + entry("a", "COMPLEX64", "[1]", "[0,8]") + "}", 8), "dtype"),
            new Broken(file("{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8), "size belongs"),
            new Broken(file("{" + entry("a", "F32", "[2.0]", "[0,8]") + "}", 8), "size belongs"),
            new Broken(
                file(
                    "{" + entry("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") + "}",
                    8),
                "overflows"),
            new Broken(file("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8), "outside"),
            new Broken(file("{" + entry("a", "F32", "[2]", "[0]") + "}", 8), "data_offsets"),
            new Broken(file("{" + entry("a", "F32", "3", "[0,8]") + "}", 8), "usable shape"),
            new Broken(file("{\"a\":3}", 0), "dtype"),
            new Broken(file("{\"__metadata__\":{\"a\":1}}", 0), "not text"),
            new Broken(file("{\"__metadata__\":[]}", 0), "not an object"))
        .map(broken ->
            DynamicTest.dynamicTest(
                broken.message,
                () -> {
                  Path file = folder.resolve("broken.safetensors");
                  Files.write(file, broken.bytes);
                  assertThatThrownBy(() -> Safetensors.open(file))
                      .isInstanceOf(TensorException.class)
                      .hasMessageContaining(broken.message)
                      .hasMessageContaining("broken.safetensors");
                }));
  }

  @Test
  void missingFilesAndFalseBooleansAreRefused() throws Exception {
    assertThatThrownBy(() -> Safetensors.open(folder)).hasMessageContaining("no weights file");
    Path file = folder.resolve("bool.safetensors");
    byte[] bytes = file("{" + entry("a", "BOOL", "[2]", "[0,2]") + "}", 2);
    bytes[bytes.length - 1] = 2;
    Files.write(file, bytes);
    try (Safetensors read = Safetensors.open(file);
        Scope scope = Scope.open()) {
      assertThatThrownBy(() -> read.tensor("a")).hasMessageContaining("other than 0 and 1");
    }
  }

  /** Whatever the bytes, opening and reading either works or throws the module's exception. */
  @Test
  void mutatedFilesNeverEscape() throws Exception {
    Path file = folder.resolve("fuzz.safetensors");
    byte[] good;
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(file, oneOfEach(), Map.of("a", "b"));
      good = Files.readAllBytes(file);
    }
    int headerEnd = 8 + (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong();
    SplittableRandom random = new SplittableRandom(17);
    String interesting = "{}[]\",:0123456789-.eE\\u \u0000";
    int opened = 0;
    int refused = 0;
    for (int round = 0; round < 3000; round++) {
      byte[] bytes = good.clone();
      int changes = 1 + random.nextInt(4);
      for (int i = 0; i < changes; i++) {
        int at = random.nextInt(random.nextInt(10) == 0 ? bytes.length : headerEnd);
        bytes[at] =
            random.nextBoolean()
                ? (byte) interesting.charAt(random.nextInt(interesting.length()))
                : (byte) random.nextInt(256);
      }
      if (random.nextInt(5) == 0) {
        bytes = java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length + 32));
      }
      Files.write(file, bytes);
      try (Safetensors read = Safetensors.open(file);
          Scope scope = Scope.open()) {
        for (String name : read.names()) {
          assertThat(read.tensor(name).shape()).isEqualTo(read.shape(name));
        }
        opened++;
      } catch (TensorException e) {
        assertThat(e.getMessage()).isNotBlank();
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(1000);
    assertThat(opened).isPositive();
  }
}
