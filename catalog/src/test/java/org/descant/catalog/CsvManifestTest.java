package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CsvManifestTest {
  private static final String WHOLE =
      """
      file,artist,title,isrc,stem,bpm,key,licence,mood
      a.wav,"Ann, ""the"" Artist",One,ZZ-TST-26-00001,,120,D minor,CC0-1.0,blue
      b.wav,Ann,Two,,drums,,,CC-BY-4.0,
      """;

  @TempDir Path folder;

  @Test
  void rowsAreReadAndUnknownColumnsKept() {
    CsvManifest manifest = CsvManifest.parse(WHOLE, "m.csv");

    assertThat(manifest.rows()).hasSize(2);
    CsvManifest.Row row = manifest.rows().getFirst();
    assertThat(row.artist()).isEqualTo("Ann, \"the\" Artist");
    assertThat(row.extra()).isEqualTo(Map.of("mood", "blue"));
    assertThat(manifest.rows().getLast().stem()).isEqualTo("drums");
    assertThat(manifest.problems()).isEmpty();
  }

  @Test
  void theRealManifestIsRead() {
    CsvManifest manifest = CsvManifest.read(Ddex.data("music/MANIFEST.csv"));

    assertThat(manifest.rows()).hasSize(123);
    assertThat(manifest.problems()).isEmpty();
    assertThat(manifest.rows()).allMatch(row -> CsvManifest.publicDomain(row.licence()));
    assertThat(manifest.rows().getFirst().extra()).containsKeys("source", "commit", "sha256");
  }

  @Test
  void whatIsNoTableIsRefusedInOneSentence() throws Exception {
    assertThatThrownBy(() -> CsvManifest.parse("", "m.csv")).hasMessageContaining("m.csv is empty");
    assertThatThrownBy(() -> CsvManifest.parse("file,artist,title\n", "m.csv"))
        .hasMessageContaining("has no column 'licence'");
    assertThatThrownBy(() -> CsvManifest.parse("file;artist;title;licence\n", "m.csv"))
        .hasMessageContaining("separated by semicolons");
    assertThatThrownBy(() -> CsvManifest.parse("file,artist,title,licence,file\n", "m.csv"))
        .hasMessageContaining("'file' twice");
    assertThatThrownBy(() -> CsvManifest.parse("file,artist,title,licence\n\"a", "m.csv"))
        .isInstanceOf(CatalogException.class);
    Path latin = folder.resolve("latin.csv");
    Files.write(
        latin,
        "file,artist,title,licence\na,Bj\u00f6rk,x,y\n".getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> CsvManifest.read(latin)).hasMessageContaining("is not UTF-8");
    assertThatThrownBy(() -> CsvManifest.read(folder)).isInstanceOf(CatalogException.class);
    Path bom = folder.resolve("bom.csv");
    Files.writeString(bom, "\ufeff" + WHOLE);
    assertThat(CsvManifest.read(bom).rows()).hasSize(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "CC0-1.0",
        "cc0",
        "CC0 1.0 Universal",
        "Public Domain",
        "public-domain",
        "PDM-1.0",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "http://creativecommons.org/publicdomain/mark/1.0/deed.en"
      })
  void aDedicationIsKnownByItsNames(String licence) {
    assertThat(CsvManifest.publicDomain(licence)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "CC-BY-4.0",
        "CC BY-NC",
        "All rights reserved",
        "not CC0",
        "MIT",
        "CC0 except training",
        "public domain in the USA only"
      })
  void anythingElseIsNone(String licence) {
    assertThat(CsvManifest.publicDomain(licence)).isFalse();
  }

  @Test
  void everyMutationIsReadOrRefused() {
    byte[] whole = WHOLE.getBytes(StandardCharsets.UTF_8);
    SplittableRandom random = new SplittableRandom(5);
    int read = 0;
    for (int round = 0; round < 5000; round++) {
      String mutant = new String(ErnReaderTest.mutate(whole, random), StandardCharsets.UTF_8);
      try {
        CsvManifest.parse(mutant, "m.csv");
        read++;
      } catch (CatalogException e) {
        assertThat(e.getMessage()).startsWith("m.csv").doesNotContain("\n");
      }
    }
    assertThat(read).isBetween(1000, 4990);
  }
}
