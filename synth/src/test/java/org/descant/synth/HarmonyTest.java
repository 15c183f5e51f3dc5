package org.descant.synth;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.descant.audio.MusicalKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HarmonyTest {
  @ParameterizedTest
  @CsvSource({
    "C major,I,C:maj",
    "C major,V7/V,D:7",
    "C major,ii7,D:min7",
    "C major,I/3,C:maj/3",
    "C major,bVII,Bb:maj",
    "C major,viih7,B:hdim7",
    "A minor,i9,A:min9",
    "A minor,V7,E:7",
    "A minor,VII/3,G:maj/3",
    "A minor,iv/3,D:min/b3",
    "Eb major,V7sus4,Bb:sus4(b7)",
    "Eb major,#ivo7,A:dim7",
    "D minor,VI,Bb:maj"
  })
  void romanNumeralsBecomeTheChordsTheyName(String key, String roman, String harte) {
    assertThat(Chord.roman(roman, MusicalKey.parse(key)).harte(true)).isEqualTo(harte);
  }

  @Test
  void voicingsHoldOnlyChordTonesInRangeAndMoveLittle() {
    MusicalKey key = MusicalKey.parse("F minor");
    for (int voices = 1; voices <= 5; voices++) {
      Voicing voicing = new Voicing(voices, 52, 76, false);
      List<Integer> before = List.of();
      for (String roman : List.of("i9", "VImaj7", "iv", "V7", "III", "VII", "iio", "i")) {
        Chord chord = Chord.roman(roman, key);
        List<Integer> pitches = voicing.next(chord);
        assertThat(pitches).hasSize(voices).isSorted();
        List<Integer> tones = chord.quality().tones.stream().map(t -> t % 12).toList();
        for (int i = 0; i < voices; i++) {
          assertThat(pitches.get(i)).isBetween(52, 76);
          assertThat(tones).contains(Math.floorMod(pitches.get(i) - chord.root(), 12));
          if (!before.isEmpty()) {
            assertThat(Math.abs(pitches.get(i) - before.get(i))).isLessThanOrEqualTo(7);
          }
        }
        before = pitches;
      }
    }
  }
}
