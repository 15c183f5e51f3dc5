package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.SplittableRandom;
import org.descant.rights.Scope;
import org.descant.rights.Terms;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RightsFileTest {
  @TempDir Path folder;

  private static final String WHOLE =
      """
      {"format": "descant-rights/1",
       "parties": [{"id": "wilma", "name": "Wilma Writer", "fictional": true, "isni": "0000 0001 2103 2683"}],
       "works": [{"id": "T-999.000.001-6", "title": "Tune",
                  "contributors": [{"party": "wilma", "role": "Composer"}],
                  "shares": [{"party": "wilma", "basisPoints": 10000}]}],
       "recordings": [{"isrc": "ZZ-TST-26-00001", "works": ["T-999.000.001-6"],
                       "contributors": [{"party": "wilma", "role": "StudioProducer"}],
                       "shares": [{"party": "wilma", "basisPoints": 2500}]}],
       "agreements": [{"id": "a-1", "kind": "LICENCE", "licensor": "wilma",
                       "uses": ["TRAIN", "STYLE"], "scope": "recording:ZZTST2600001",
                       "from": "2026-01-01", "to": "2026-03-31", "territories": ["DE", "FR"],
                       "terms": {"platformFeeBasisPoints": 1000, "masterSideBasisPoints": 5000,
                                 "contributorPoolBasisPoints": 100, "runOffDays": 30,
                                 "creditRequired": true, "paymentDue": true}}],
       "choices": [{"party": "wilma", "use": "STYLE", "scope": "work:T9990000016",
                    "allowed": false, "from": "2026-02-01"}]}
      """;

  @Test
  void everyFieldIsReadAndWrittenBackEqual() throws Exception {
    RightsFile read = parse(WHOLE);

    assertThat(read.parties().getFirst().fictional()).isTrue();
    assertThat(read.works().getFirst().id()).isEqualTo("T9990000016");
    assertThat(read.recordings().getFirst().shares().getFirst().basisPoints()).isEqualTo(2500);
    assertThat(read.agreements().getFirst().to()).isEqualTo(LocalDate.of(2026, 3, 31));
    assertThat(read.agreements().getFirst().territories()).containsExactly("DE", "FR");
    assertThat(read.agreements().getFirst().terms())
        .isEqualTo(new Terms(1000, 5000, 100, 30, true, true));
    assertThat(read.choices().getFirst().scope()).isEqualTo(Scope.ofWork("T9990000016"));
    assertThat(parse(read.toJson())).isEqualTo(read);
    read.write(folder.resolve("rights.json"));
    assertThat(RightsFile.read(folder.resolve("rights.json"))).isEqualTo(read);
  }

  @Test
  void whatMayBeMissingHasItsDefault() {
    RightsFile read =
        parse(
            """
            {"format": "descant-rights/1",
             "agreements": [{"id": "a", "kind": "public_domain", "licensor": "p", "uses": [],
                             "scope": "all", "from": "2026-01-01"}]}
            """);

    assertThat(read.parties()).isEmpty();
    assertThat(read.agreements().getFirst().terms()).isEqualTo(Terms.PUBLIC_DOMAIN);
    assertThat(read.agreements().getFirst().territories()).containsExactly("Worldwide");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"format\": \"descant-rights/1\" | \"format\": \"descant-rights/2\" | format must be"
            + " 'descant-rights/1', is 'descant-rights/2'",
        "\"format\": \"descant-rights/1\", | '' | the document has no 'format'",
        "\"basisPoints\": 10000 | \"basisPoints\": 10001 | works[0]",
        "\"basisPoints\": 2500 | \"basisPoints\": \"2500\" | recordings[0].shares[0].basisPoints"
            + " must be a whole number",
        "\"from\": \"2026-01-01\" | \"from\": \"1.1.2026\" | agreements[0].from must be a date such"
            + " as 2026-01-01",
        "\"to\": \"2026-03-31\" | \"until\": \"2026-03-31\" | agreements[0] has the unknown key"
            + " 'until'",
        "\"to\": \"2026-03-31\" | \"to\": \"2025-03-31\" | agreements[0] is refused: The agreement"
            + " a-1 ends on 2025-03-31, before it begins",
        "\"LICENCE\" | \"LEASE\" | agreements[0].kind must be one of",
        "[\"TRAIN\", \"STYLE\"] | [\"TRAIN\", \"DANCE\"] | agreements[0].uses[1] must be one of",
        "\"allowed\": false | \"allowed\": \"no\" | choices[0].allowed must be true or false",
        "T-999.000.001-6 | T-999.000.001-7 | check digit",
        "ZZ-TST-26-00001 | ZZ-TST-26-1 | is not an ISRC",
        "\"Wilma Writer\" | \"Wilma\\u0000Writer\" | parties[0].name must be a text without control"
            + " characters",
        "\"scope\": \"work:T9990000016\" | \"scope\": \"everything\" | choices[0].scope must be"
            + " 'all'",
        "\"parties\": [ | \"parties\": 7, \"x\": [ | 'x'",
        "\"id\": \"wilma\", \"name\" | \"id\": \"wilma\", \"id\": \"wilma\", \"name\" | Duplicate"
      })
  void aFaultIsSaidWithItsPlace(String good, String bad, String sentence) {
    String faulty = WHOLE.replace(good, bad);
    assertThat(faulty).isNotEqualTo(WHOLE);

    assertThatThrownBy(() -> parse(faulty))
        .isInstanceOf(CatalogException.class)
        .hasMessageStartingWith("rights.json")
        .hasMessageContaining(sentence);
  }

  @Test
  void whatIsNoJsonIsRefused() throws Exception {
    for (String text :
        new String[] {"", "{", "[]", "null", "7", "{} {}", "<xml/>", "{\"format\": 1}"}) {
      assertThatThrownBy(() -> parse(text)).isInstanceOf(CatalogException.class);
    }
    assertThatThrownBy(() -> parse("[".repeat(10_000))).isInstanceOf(CatalogException.class);
    assertThatThrownBy(() -> RightsFile.read(folder)).isInstanceOf(CatalogException.class);
    Files.createFile(folder.resolve("empty"));
    assertThatThrownBy(() -> RightsFile.read(folder.resolve("empty")))
        .isInstanceOf(CatalogException.class);
  }

  @Test
  void everyMutationIsReadOrRefused() {
    byte[] whole = WHOLE.getBytes(StandardCharsets.UTF_8);
    SplittableRandom random = new SplittableRandom(11);
    int read = 0;
    for (int round = 0; round < 5000; round++) {
      try {
        RightsFile.parse(ErnReaderTest.mutate(whole, random), "rights.json");
        read++;
      } catch (CatalogException e) {
        assertThat(e.getMessage()).startsWith("rights.json").doesNotContain("\n");
      }
    }
    assertThat(read).isBetween(50, 4000);
  }

  private static RightsFile parse(String json) {
    return RightsFile.parse(json.getBytes(StandardCharsets.UTF_8), "rights.json");
  }
}
