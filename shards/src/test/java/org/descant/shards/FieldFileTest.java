package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
  private static final FieldSpec TOKENS = new FieldSpec("codes", FieldType.U16, 4, "codec 1");

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
    return IntStream.range(0, 4 * (recording + 2))
        .map(i -> 60_000 + 1000 * recording + i)
        .toArray();
  }

  private void writeTokens(Dataset dataset) {
    var writer = new FieldWriter(dataset, TOKENS, home.resolve("run"));
    for (int i = 0; i < dataset.size(); i++) {
      writer.put(i, tokens(i));
    }
    writer.finish();
  }

  @Test
  void valuesOfEveryTypeComeBackRowByRow() {
    try (Dataset dataset = Dataset.open(build("demo", 3))) {
      writeTokens(dataset);
      var captions = new FieldSpec("captions", FieldType.TEXT, 1, "");
      var latents = new FieldSpec("latents", FieldType.F32, 3, "codec 1");
      var text = new FieldWriter(dataset, captions, home.resolve("run"));
      var features = new FieldWriter(dataset, latents, home.resolve("run"));
      for (int i = 0; i < 3; i++) {
        text.put(i, i == 1 ? "" : "caption ♪ " + i);
        features.put(i, new float[] {i, -0f, 1e-30f, Float.NaN, 5, 6});
      }
      text.finish();
      features.finish();
      dataset.verify();
      try (FieldFile field = dataset.field(TOKENS)) {
        for (int i = 0; i < 3; i++) {
          assertThat(field.rows(i)).isEqualTo(i + 2);
          assertThat(field.ints(i, 0, i + 2)).isEqualTo(tokens(i));
          assertThat(field.ints(i, 1, 1)).isEqualTo(Arrays.copyOfRange(tokens(i), 4, 8));
        }
        assertThatThrownBy(() -> field.ints(0, 1, 2))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("2 rows");
        assertThatThrownBy(() -> field.floats(0, 0, 1)).isInstanceOf(ShardException.class);
      }
      try (FieldFile captioned = dataset.field(captions);
          FieldFile made = dataset.field(latents)) {
        assertThat(captioned.text(1)).isEmpty();
        assertThat(captioned.text(2)).isEqualTo("caption ♪ 2");
        assertThat(made.floats(1, 0, 2)).containsExactly(1, -0f, 1e-30f, Float.NaN, 5, 6);
      }
    }
  }

  /** As processes that share a run's folder do, one of which was killed. */
  @Test
  void severalMakersPutInAnyOrderAndWhatIsThereIsGoneOnWith() throws Exception {
    Path folder = build("demo", 3);
    try (Dataset dataset = Dataset.open(folder)) {
      var one = new FieldWriter(dataset, TOKENS, home.resolve("run"));
      one.put(2, tokens(2));
      assertThatThrownBy(one::finish)
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("no values for recording");
      assertThat(dataset.hasField(TOKENS)).isFalse();
      assertThat(folder.resolve("fields")).isEmptyDirectory();
      var two = new FieldWriter(dataset, TOKENS, home.resolve("run"));
      assertThat(List.of(two.has(0), two.has(1), two.has(2))).containsExactly(false, false, true);
      two.put(1, tokens(1));
      two.put(0, tokens(0));
      one.finish();
      assertThat(home.resolve("run")).isEmptyDirectory();

      byte[] bytes = Files.readAllBytes(FieldFile.pathOf(dataset, TOKENS));
      var late = new FieldWriter(dataset, TOKENS, home.resolve("another"));
      late.put(0, tokens(0));
      late.finish(); // it is there
      assertThat(home.resolve("another")).isEmptyDirectory();
      late.put(1, tokens(2));
      assertThatThrownBy(late::finish)
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("other values of recording " + dataset.isrc(1));
      assertThat(FieldFile.pathOf(dataset, TOKENS)).hasBinaryContent(bytes);
      try (FieldFile field = dataset.field(TOKENS)) {
        assertThat(field.ints(2, 0, 4)).isEqualTo(tokens(2));
      }
    }
  }

  @Test
  void aFieldsNameFollowsFromAllThatItIs() {
    assertThat(TOKENS.name()).matches("codes-[0-9a-f]{40}");
    assertThat(
            List.of(
                TOKENS,
                new FieldSpec("tokens", FieldType.U16, 4, "codec 1"),
                new FieldSpec("codes", FieldType.F32, 4, "codec 1"),
                new FieldSpec("codes", FieldType.U16, 5, "codec 1"),
                new FieldSpec("codes", FieldType.U16, 4, "codec 2")))
        .extracting(FieldSpec::name)
        .doesNotHaveDuplicates();
  }

  @Test
  void valuesThatDoNotFitAreRefused() {
    try (Dataset dataset = Dataset.open(build("demo", 1))) {
      var writer = new FieldWriter(dataset, TOKENS, home.resolve("run"));
      assertThatThrownBy(() -> writer.put(0, new int[3])).hasMessageContaining("whole rows of 4");
      assertThatThrownBy(() -> writer.put(0, new int[] {1, 2, 3, 65_536}))
          .hasMessageContaining("65536");
      assertThatThrownBy(() -> writer.put(0, new int[] {1, 2, 3, -1})).hasMessageContaining("-1");
      assertThatThrownBy(() -> writer.put(0, "text")).hasMessageContaining("not TEXT");
    }
    assertThatThrownBy(() -> new FieldSpec("Kind", FieldType.U16, 1, ""))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new FieldSpec("k", FieldType.U16, 0, ""))
        .isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> new FieldSpec("k", FieldType.TEXT, 2, ""))
        .isInstanceOf(ShardException.class);
  }

  @Test
  void aFieldWithoutRightsOrOfAnotherDatasetIsRefused() throws Exception {
    Path folder = build("demo", 2);
    Path other = build("other", 3);
    Path file = folder.resolve("fields").resolve(TOKENS.name() + ".dsf");
    try (Dataset dataset = Dataset.open(folder)) {
      writeTokens(dataset);
    }
    Files.createDirectories(other.resolve("fields"));
    Files.copy(file, other.resolve("fields").resolve(file.getFileName()));
    var missing = new FieldSpec("codes", FieldType.U16, 4, "codec 2");
    try (Dataset dataset = Dataset.open(other)) {
      assertThatThrownBy(() -> dataset.field(TOKENS)).hasMessageContaining("another dataset");
      assertThatThrownBy(() -> dataset.field(missing)).hasMessageContaining("no field");
    }
    Path renamed = file.resolveSibling(missing.name() + ".dsf");
    Files.copy(file, renamed);
    try (Dataset dataset = Dataset.open(folder)) {
      assertThatThrownBy(() -> dataset.field(missing)).hasMessageContaining(TOKENS.name());
    }
    Files.delete(renamed);
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
        assertThatThrownBy(() -> dataset.field(TOKENS))
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
    var captions = new FieldSpec("captions", FieldType.TEXT, 1, "");
    try (Dataset dataset = Dataset.open(folder)) {
      writeTokens(dataset);
      new FieldWriter(dataset, captions, home.resolve("run")).put(1, "put before it was withdrawn");
    }
    Dataset.withdraw(folder, catalog.refuse(1));
    try (Dataset dataset = Dataset.open(folder);
        FieldFile field = dataset.field(TOKENS)) {
      assertThat(field.ints(2, 0, 1)).hasSize(4);
      assertThatThrownBy(() -> field.ints(1, 0, 1)).hasMessageContaining("withdrawn");
      var writer = new FieldWriter(dataset, captions, home.resolve("run"));
      writer.put(0, "zero");
      assertThatThrownBy(() -> writer.put(1, "one")).hasMessageContaining("withdrawn");
      writer.put(2, "two");
      writer.finish();
    }
    try (Dataset dataset = Dataset.openAsBuilt(folder);
        FieldFile made = dataset.field(captions)) {
      assertThat(made.rows(1)).isZero();
      assertThat(made.text(2)).isEqualTo("two");
    }
  }
}
