package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdentifiersTest {
  @Test
  void anIsrcIsReadWithAndWithoutHyphens() {
    assertThat(Isrc.of("gb-aye-69-00531")).isEqualTo(Isrc.of("GBAYE6900531"));
    assertThat(Isrc.of(" ISRC GB-AYE-69-00531 ").formatted()).isEqualTo("GB-AYE-69-00531");
    assertThat(Isrc.of("USRC17607839")).hasToString("USRC17607839");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "XX",
        "1X-ABC-26-00001",
        "XX-AB-26-00001",
        "XX-ABC-2A-00001",
        "XX-ABC-26-0001",
        "XX-ABC-26-000011",
        "XX-ABC26-00001",
        "XXABC26O0001",
        "ＸＸABC2600001",
        "XX-ABC-26-00001\n; drop table",
        "XX-ABC-26-٠٠٠٠١"
      })
  void whatIsNoIsrcIsRefused(String text) {
    assertThatThrownBy(() -> Isrc.of(text))
        .isInstanceOf(RightsException.class)
        .hasMessageContaining("is not an ISRC")
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"T-034.524.680-1", "T0345246801", "t-000.000.001-0", "T-101.690.320-9"})
  void publishedIswcsAreRead(String text) {
    assertThat(Iswc.of(Iswc.of(text).formatted())).isEqualTo(Iswc.of(text));
  }

  @Test
  void aWrongIswcCheckDigitIsNamedWithTheRightOne() {
    assertThatThrownBy(() -> Iswc.of("T-034.524.680-2"))
        .isInstanceOf(RightsException.class)
        .hasMessage(
            "The ISWC T-034.524.680-2 has the check digit 2, it should be 1: correct the number");
    assertThatThrownBy(
            () -> new Work("T-034.524.680-2", "A", java.util.List.of(), java.util.List.of()))
        .hasMessageContaining("should be 1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0000 0001 2103 2683", "1422458635730476", "ISNI 0000 0001 2281 955X"})
  void publishedIsnisAreRead(String text) {
    assertThat(Isni.of(Isni.of(text).formatted())).isEqualTo(Isni.of(text));
  }

  @Test
  void anIsniMayEndInX() {
    long body = 0;
    String digits = "%015d".formatted(body);
    while (Isni.checkCharacter(digits) != 'X') {
      digits = "%015d".formatted(++body);
    }
    assertThat(Isni.of(digits + "x").value()).endsWith("X");
  }

  @ParameterizedTest
  @ValueSource(strings = {"00014107338", "14107338" + "0", "I-000000229-7", "I0000002297"})
  void iposAreReadOrRefusedByTheirCheckDigits(String text) {
    if (text.equals("141073380")) {
      assertThatThrownBy(() -> Ipi.of(text)).isInstanceOf(RightsException.class);
    } else {
      assertThat(Ipi.of(text).value()).hasSize(11);
    }
  }

  @Test
  void aNameNumberMayLeaveOutItsZeros() {
    assertThat(Ipi.of("014107338")).isEqualTo(Ipi.of("00014107338"));
    assertThat(Ipi.of("I-000000229-7").isBaseNumber()).isTrue();
  }

  @Test
  void everyWrongDigitOfAnIswcWithWeightsPrimeToTenIsFound() {
    oneDigitChanged("T0345246801", "0123456789", 10, Iswc::of, new int[] {2, 4, 5, 6, 8});
  }

  @Test
  void everyWrongDigitOfAnIsniIsFound() {
    oneDigitChanged("0000000121032683", "0123456789X", 15, Isni::of, new int[] {});
  }

  @Test
  void everyWrongDigitOfANameNumberIsFound() {
    oneDigitChanged("00014107338", "0123456789", 10, Ipi::of, new int[] {});
  }

  /** Changes each digit to each other one; at the weak places the check may miss it. */
  private static void oneDigitChanged(
      String valid, String alphabet, int last, Function<String, ?> parse, int[] weakPlaces) {
    for (int place = 0; place <= last; place++) {
      if (!Character.isDigit(valid.charAt(place))) {
        continue;
      }
      int at = place;
      boolean weak = java.util.Arrays.stream(weakPlaces).anyMatch(p -> p == at);
      for (char other : alphabet.toCharArray()) {
        if (other == valid.charAt(place) || weak) {
          continue;
        }
        String changed = valid.substring(0, place) + other + valid.substring(place + 1);
        assertThatThrownBy(() -> parse.apply(changed))
            .as(changed)
            .isInstanceOf(RightsException.class);
      }
    }
  }

  @Test
  void randomTextIsEitherReadOrRefusedInOneSentence() {
    SplittableRandom random = new SplittableRandom(20260601);
    String[] seeds = {
      "XX-ABC-26-00001", "T-034.524.680-1", "0000 0001 2103 2683", "00014107338", "I-000000229-7"
    };
    for (int i = 0; i < 5_000; i++) {
      StringBuilder text = new StringBuilder(seeds[random.nextInt(seeds.length)]);
      for (int change = random.nextInt(4); change >= 0 && !text.isEmpty(); change--) {
        int at = random.nextInt(text.length());
        switch (random.nextInt(3)) {
          case 0 -> text.setCharAt(at, (char) random.nextInt(0x2100));
          case 1 -> text.deleteCharAt(at);
          default -> text.insert(at, (char) ('0' + random.nextInt(10)));
        }
      }
      String mutated = text.toString();
      readOrRefused(mutated, Isrc::of);
      readOrRefused(mutated, Iswc::of);
      readOrRefused(mutated, Isni::of);
      readOrRefused(mutated, Ipi::of);
      readOrRefused(mutated, Scope::parse);
      readOrRefused(mutated, Use::parse);
    }
  }

  private static void readOrRefused(String text, Function<String, ?> parse) {
    try {
      Object read = parse.apply(text);
      assertThat(parse.apply(read.toString())).isEqualTo(read);
    } catch (RightsException e) {
      assertThat(e.getMessage()).hasSizeLessThan(300).doesNotContain("\n");
    }
  }

  @Test
  void aScopeIsReadAsItIsWritten() {
    for (String text : new String[] {"all", "recording:GBAYE6900531", "work:T0345246801"}) {
      assertThat(Scope.parse(text)).hasToString(text);
    }
    assertThat(Scope.parse("GB-AYE-69-00531")).isEqualTo(Scope.of(Isrc.of("GBAYE6900531")));
    assertThat(Scope.parse("T-034.524.680-1")).isEqualTo(Scope.ofWork("T0345246801"));
    assertThat(Scope.parse("song-1")).isEqualTo(Scope.ofWork("song-1"));
  }

  @Test
  void aUseIsReadInAnyCase() {
    assertThat(Use.parse("train")).isEqualTo(Use.TRAIN);
    assertThatThrownBy(() -> Use.parse("dance"))
        .hasMessage(
            "'dance' is not a use: choose one of [train, style, remix, cover, voice, stems]");
  }
}
