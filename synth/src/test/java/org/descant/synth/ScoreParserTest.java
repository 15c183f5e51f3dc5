package org.descant.synth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScoreParserTest {
  private static final String BAND =
      """
      artist: Test Players
      genre: test
      loudness: -18
      composers: A
      performers: B
      producers: C
      part lead flute low=C5 jitter=0
      part drums rock-kit
      pattern up/8: 1 2 3 1' 1 2 3 1'
      groove beat/16
        kick X...X...X...X...
      """;

  private static final String SCORE =
      """
      title: Test
      band: test
      tempo: 120
      key: C major
      meter: 4/4
      form: A
      description: A test.
      [A verse]
      chords: I | V7
      lead: 1 2 3 4 5 6 7 1' | 1'*8
      drums: @beat
      """;

  private static Score parse(String band, String score) {
    return ScoreParser.score("test", score, name -> ScoreParser.band(name, band));
  }

  @Test
  void aScoreIsReadToItsForm() {
    Score score = parse(BAND, SCORE);
    assertThat(score.sections()).containsOnlyKeys("A");
    assertThat(score.form()).hasSize(1);
    assertThat(score.track().artist()).isEqualTo("Test Players");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "tempo: 120; tempo: fast; tempo must be a number",
        "tempo: 120; tempo: 500; tempo must be 40.0 to 240.0",
        "key: C major; key: H major; line 7: key \"H major\" is unknown",
        "meter: 4/4; meter: 5/4; meter 5/4 is not 4/4 or 3/4",
        "form: A; form: A B; the form names section B",
        "[A verse]; [A ending]; line 8: section label \"ending\"",
        "chords: I | V7; chords: I | H7; line 9: bar 2: chord \"H7\" is no roman numeral",
        "chords: I | V7; chords: I | V77; line 9: bar 2: chord \"V77\" has the unknown suffix",
        "chords: I | V7; chords: I V vi | V7; line 9: bar 1: 3 chords need their beats",
        "lead: 1 2; lead: 1 1 2; line 10: bar 1 has 9.0 units of 1/8, needs 8.0",
        "lead: 1 2; lead: 1 x; line 10: \"x\" is no note",
        "1'*8; 1'*8 | 1*8; line 8: section A: lead has 3 bars, which do not fill 2",
        "drums: @beat; drums: @roll; line 11: band test has no groove \"roll\"",
        "drums: @beat; horn: @beat; line 11: band test has no part \"horn\"",
        "drums: @beat; drums: 1*8; drums play @grooves",
        "title: Test; titel: Test; the header needs a line \"title: …\""
      })
  void aWrongScoreIsRefusedWithLineAndReason(String from, String to, String message) {
    assertThat(SCORE).contains(from);
    assertThatThrownBy(() -> parse(BAND, SCORE.replace(from, to)))
        .isInstanceOf(SynthException.class)
        .hasMessageStartingWith("test line ")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "lead flute; lead kazoo; line 7: instrument \"kazoo\" is unknown",
        "jitter=0; loudly=0; line 7: setting \"loudly\" is unknown",
        "jitter=0; jitter=900; line 7: jitter must be 0.0 to 30.0",
        "1 2 3 1' 1; 1 2 3 9 1; line 9: \"9\" is no note",
        "X...X...X...X...; X...X...X...X..y; line 11: \"y\" is no drum mark",
        "X...X...X...X...; X...X; line 10",
        "kick X; gong X; does not start with a drum"
      })
  void aWrongBandIsRefusedWithLineAndReason(String from, String to, String message) {
    assertThat(BAND).contains(from);
    assertThatThrownBy(() -> parse(BAND.replace(from, to), SCORE))
        .isInstanceOf(SynthException.class)
        .hasMessageContaining(message.equals("line 10") ? "make no bar of 3 or 4" : message);
  }

  @Test
  void brokenTextsAreReadOrRefusedAndNothingElse() throws Exception {
    SplittableRandom random = new SplittableRandom(5);
    String band = resource("mothlamp-tapes.band");
    String score = resource("library-card.score");
    int refused = 0;
    for (int i = 0; i < 1500; i++) {
      String brokenBand = i % 2 == 0 ? band : broken(band, random);
      String brokenScore = i % 2 == 1 ? score : broken(score, random);
      try {
        Arranger.arrange(parse(brokenBand, brokenScore));
      } catch (SynthException e) {
        assertThat(e).hasMessageContaining(" line ");
        refused++;
      }
    }
    assertThat(refused).isBetween(300, 1499);
  }

  private static String broken(String text, SplittableRandom random) {
    StringBuilder broken = new StringBuilder(text);
    String signs = "|*@[]():.-+#b'\",1 9vIx\n=/~%^é";
    for (int i = 0; i < 1 + random.nextInt(3); i++) {
      int at = random.nextInt(broken.length());
      switch (random.nextInt(3)) {
        case 0 -> broken.setCharAt(at, signs.charAt(random.nextInt(signs.length())));
        case 1 -> broken.insert(at, signs.charAt(random.nextInt(signs.length())));
        default -> broken.delete(at, Math.min(broken.length(), at + 1 + random.nextInt(20)));
      }
    }
    return broken.toString();
  }

  private static String resource(String name) throws Exception {
    try (var in = ScoreParserTest.class.getResourceAsStream("scores/" + name)) {
      assertThat(in).isNotNull();
      return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
