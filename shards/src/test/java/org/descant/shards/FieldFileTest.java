package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.rights.Rights;
import org.descant.rights.Use;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FieldFileTest {
  private static final FieldSpec TOKENS =
      new FieldSpec("tokens", FieldType.I16, List.of(4), 86.1328125);

  @TempDir Path home;
  private Database database;
  private Rights rights;
  private TestCatalog catalog;

  @BeforeEach
  void openRights() {
    database = Database.temporary();
    rights = Rights.open(database);
    catalog = new TestCatalog(rights);
  }

  @AfterEach
  void closeRights() {
    database.close();
  }

  private Path build(String name, int recordings) {
    Path folder = home.resolve(name);
    DatasetWriter.write(
        folder,
        name,
        Use.TRAIN,
        IntStream.range(0, recordings)
            .mapToObj(i -> {
              Pcm sound = ShardFileTest.noise(1, 100, i);
              catalog.register(i, sound, true);
              return catalog.source(i, sound);
            })
            .toList(),
        List.of(),
        rights.clearance());
    return folder;
  }

  private static int[] tokens(int recording) {
    return IntStream.range(0, 4 * (recording + 2)).map(i -> 1000 * recording - 7 * i).toArray();
  }

  private static void writeTokens(Dataset dataset) {
    try (FieldWriter writer = FieldWriter.create(dataset, TOKENS)) {
      for (int i = 0; i < dataset.size(); i++) {
        writer.add(tokens(i));
      }
      writer.finish();
    }
  }

  @Test
  void valuesOfEveryTypeComeBackRowByRow() {
    try (Dataset dataset = Dataset.open(build("demo", 3))) {
      writeTokens(dataset);
      try (var text = FieldWriter.create(dataset, FieldSpec.text("captions"));
          var features =
              FieldWriter.create(dataset, new FieldSpec("mel", FieldType.F32, List.of(2, 3), 10));
          var ids = FieldWriter.create(dataset, new FieldSpec("ids", FieldType.I64, List.of(), 0));
          var flags =
              FieldWriter.create(dataset, new FieldSpec("flags", FieldType.U8, List.of(), 0))) {
        for (int i = 0; i < 3; i++) {
          text.add("caption ♪ " + i);
          features.add(new float[] {i, -0f, 1e-30f, Float.NaN, 5, 6});
          ids.add(new long[] {Long.MIN_VALUE + i});
          flags.add(255 - i, i);
        }
        text.finish();
        features.finish();
        ids.finish();
        flags.finish();
      }
      assertThat(dataset.fieldNames()).containsExactly("captions", "flags", "ids", "mel", "tokens");
      dataset.verify();
      try (FieldFile field = dataset.field("tokens")) {
        assertThat(field.spec()).isEqualTo(TOKENS);
        for (int i = 0; i < 3; i++) {
          assertThat(field.rows(i)).isEqualTo(i + 2);
          assertThat(field.ints(i, 0, i + 2)).isEqualTo(tokens(i));
          assertThat(field.ints(i, 1, 1)).isEqualTo(java.util.Arrays.copyOfRange(tokens(i), 4, 8));
          assertThat(field.bytes(i, 1, 1).byteSize()).isEqualTo(8);
        }
        assertThatThrownBy(() -> field.ints(0, 1, 2))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("2 rows");
        assertThatThrownBy(() -> field.floats(0, 0, 1)).isInstanceOf(ShardException.class);
      }
      try (FieldFile text = dataset.field("captions");
          FieldFile features = dataset.field("mel");
          FieldFile ids = dataset.field("ids");
          FieldFile flags = dataset.field("flags")) {
        assertThat(text.text(2)).isEqualTo("caption ♪ 2");
        assertThat(features.floats(1, 0, 1)).containsExactly(1, -0f, 1e-30f, Float.NaN, 5, 6);
        assertThat(ids.longs(1, 0, 1)).containsExactly(Long.MIN_VALUE + 1);
        assertThat(flags.ints(2, 0, 2)).containsExactly(253, 2);
      }
    }
  }

  @Test
  void aFieldThatIsNotFinishedDoesNotAppear() {
    Path folder = build("demo", 3);
    try (Dataset dataset = Dataset.open(folder)) {
      try (FieldWriter writer = FieldWriter.create(dataset, TOKENS)) {
        writer.add(tokens(0));
        assertThatThrownBy(writer::finish).hasMessageContaining("values for 1");
      }
      assertThat(dataset.fieldNames()).isEmpty();
      assertThat(folder.resolve("fields")).isEmptyDirectory();
      writeTokens(dataset);
      assertThatThrownBy(() -> FieldWriter.create(dataset, TOKENS))
          .hasMessageContaining("another name");
    }
  }

  @Test
  void valuesThatDoNotFitAreRefused() {
    try (Dataset dataset = Dataset.open(build("demo", 1));
        FieldWriter writer = FieldWriter.create(dataset, TOKENS)) {
      assertThatThrownBy(() -> writer.add(1, 2, 3)).hasMessageContaining("no whole rows");
      assertThatThrownBy(() -> writer.add(1, 2, 3, 40_000)).hasMessageContaining("40000");
      assertThatThrownBy(() -> writer.add("text")).hasMessageContaining("not text");
      writer.add(1, 2, 3, 4);
      assertThatThrownBy(() -> writer.add(1, 2, 3, 4)).hasMessageContaining("for more");
    }
    assertThatThrownBy(() -> new FieldSpec("Name", FieldType.U8, List.of(), 0))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new FieldSpec("n", FieldType.U8, List.of(1 << 15, 1 << 15), 0))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new FieldSpec("n", FieldType.TEXT, List.of(2), 0))
        .isInstanceOf(ShardException.class);
  }

  @Test
  void aFieldWithoutRightsOrOfAnotherDatasetIsRefused() throws Exception {
    Path folder = build("demo", 2);
    Path other = build("other", 3);
    Path file = folder.resolve("fields/tokens.dsf");
    try (Dataset dataset = Dataset.open(folder)) {
      writeTokens(dataset);
    }
    Files.createDirectories(other.resolve("fields"));
    Files.copy(file, other.resolve("fields/tokens.dsf"));
    try (Dataset dataset = Dataset.open(other)) {
      assertThatThrownBy(() -> dataset.field("tokens")).hasMessageContaining("another dataset");
      assertThatThrownBy(() -> dataset.field("nothing")).hasMessageContaining("no field");
    }
    byte[] bytes = Files.readAllBytes(file);
    String latin = new String(bytes, StandardCharsets.ISO_8859_1);
    for (String name : List.of("decisionId", "rulesHash", "isrc", "sha256")) {
      int footer = latin.indexOf("{\"version\"");
      int end = bytes.length - 56;
      String without =
          latin
              .substring(footer, end)
              .replaceAll("\"" + name + "\":\"[^\"]*\",?", "")
              .replace(",}", "}");
      Files.write(file, ShardFileTest.withFooter(bytes, footer, without));
      try (Dataset dataset = Dataset.open(folder)) {
        assertThatThrownBy(() -> dataset.field("tokens"))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining(name);
      }
    }
    bytes[70] ^= 1;
    Files.write(file, bytes);
    try (Dataset dataset = Dataset.open(folder)) {
      assertThatThrownBy(dataset::verify).hasMessageContaining("another hash");
    }
  }

  @Test
  void valuesOfAWithdrawnRecordingAreNeitherGivenNorMade() {
    Path folder = build("demo", 3);
    try (Dataset dataset = Dataset.open(folder)) {
      writeTokens(dataset);
    }
    Dataset.withdraw(folder, catalog.refuse(1));
    try (Dataset dataset = Dataset.open(folder);
        FieldFile field = dataset.field("tokens")) {
      assertThat(field.ints(2, 0, 1)).hasSize(4);
      assertThatThrownBy(() -> field.ints(1, 0, 1)).hasMessageContaining("withdrawn");
      try (FieldWriter writer = FieldWriter.create(dataset, FieldSpec.text("new"))) {
        writer.add("zero");
        assertThatThrownBy(() -> writer.add("one")).hasMessageContaining("withdrawn");
        writer.addNothing();
        writer.add("two");
        writer.finish();
      }
    }
  }
}
