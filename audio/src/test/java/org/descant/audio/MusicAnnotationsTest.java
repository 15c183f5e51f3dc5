package org.descant.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MusicAnnotationsTest {
  @Test
  void jamsBringsBackExactlyWhatWentIn() {
    for (int seed = 0; seed < 50; seed++) {
      MusicAnnotations music = random(seed);
      assertThat(MusicAnnotations.fromJams(music.toJams())).isEqualTo(music);
    }
  }

  @Test
  void jamsNamesTheNamespaces() {
    assertThat(random(1).toJams())
        .contains("\"tempo\"", "\"key_mode\"", "\"beat\"", "\"chord_harte\"", "\"segment_open\"")
        .contains("\"jams_version\"");
  }

  @Test
  void mutatedJamsIsReadOrRefused() {
    String good = random(3).toJams();
    SplittableRandom random = new SplittableRandom(30);
    String alphabet = "{}[]\",:0123456789eE-+.ntfabc \\\u0000é";
    int read = 0;
    for (int i = 0; i < 3000; i++) {
      StringBuilder text = new StringBuilder(good);
      for (int k = random.nextInt(3); k >= 0; k--) {
        int at = random.nextInt(text.length());
        char other = alphabet.charAt(random.nextInt(alphabet.length()));
        switch (random.nextInt(4)) {
          case 0 -> text.setCharAt(at, other);
          case 1 -> text.insert(at, other);
          case 2 -> text.delete(at, Math.min(text.length(), at + 1 + random.nextInt(30)));
          default -> text.setLength(at + 1);
        }
      }
      try {
        MusicAnnotations.fromJams(text.toString());
        read++;
      } catch (AudioException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
    }
    assertThat(read).isPositive();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "null",
        "{",
        "{}",
        "{\"file_metadata\":{\"duration\":\"9\"}}",
        "{\"file_metadata\":{\"duration\":1e999}}",
        "{\"file_metadata\":{\"duration\":9}}",
        "{\"file_metadata\":{\"duration\":9},\"annotations\":[{\"namespace\":\"tempo\"}]}"
      })
  void whatIsNoJamsIsRefused(String text) {
    assertThatThrownBy(() -> MusicAnnotations.fromJams(text)).isInstanceOf(AudioException.class);
  }

  @Test
  void deepNestingIsRefused() {
    assertThatThrownBy(() -> MusicAnnotations.fromJams("[".repeat(100_000)))
        .isInstanceOf(AudioException.class);
  }

  @Test
  void valuesOutsideTheirMeaningAreRefused() {
    MusicalKey key = MusicalKey.parse("C");
    assertThatThrownBy(() -> new Beat(-1, 1)).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> new Beat(Double.NaN, 1)).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> new Beat(1, 0)).hasMessageContaining("position");
    assertThatThrownBy(() -> new ChordSpan(2, 1, "C:maj")).hasMessageContaining("chord");
    assertThatThrownBy(() -> new Section(0, 1, " ")).hasMessageContaining("label");
    assertThatThrownBy(() -> new MusicAnnotations(0, 120, key, List.of(), List.of(), List.of()))
        .hasMessageContaining("last");
    assertThatThrownBy(
            () -> new MusicAnnotations(9, Double.NaN, key, List.of(), List.of(), List.of()))
        .hasMessageContaining("tempo");
    List<Beat> unordered = List.of(new Beat(2, 1), new Beat(1, 2));
    assertThatThrownBy(() -> new MusicAnnotations(9, 120, key, unordered, List.of(), List.of()))
        .hasMessageContaining("order");
    List<Beat> late = List.of(new Beat(11, 1));
    assertThatThrownBy(() -> new MusicAnnotations(9, 120, key, late, List.of(), List.of()))
        .hasMessageContaining("ends at");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "N",
        "X",
        "C",
        "C:maj",
        "A:min7",
        "F#:maj/5",
        "Bb:7",
        "Eb:hdim7",
        "G:sus4(b7)",
        "D:(1,5)",
        "C:min/b3",
        "Ab:maj9(*5)"
      })
  void harteChordsAreAccepted(String label) {
    assertThatCode(() -> new ChordSpan(0, 1, label)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "H:maj", "c:maj", "C:", "C maj", "Cmaj", "C:maj/", "N:maj", "C:maj\n"})
  void whatIsNoHarteChordIsRefused(String label) {
    assertThatThrownBy(() -> new ChordSpan(0, 1, label)).isInstanceOf(AudioException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "D minor, D minor", "Dm, D minor", "F# major, F# major", "C, C major", "bb, Bb major",
    "c#m, C# minor", "Db minor, C# minor", "A#, Bb major", "Cb major, B major", "B# minor, C minor",
    "G:min, G minor", "EbMaj, Eb major", "E MINOR, E minor", "ab Major, Ab major",
        "f♯ min, F# minor",
    "DM, D major"
  })
  void keysAreParsed(String text, String expected) {
    assertThat(MusicalKey.parse(text)).hasToString(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "H", "D dorian", "minor", "C##", "D minor D minor D minor D minor"})
  void whatIsNoKeyIsRefused(String text) {
    assertThatThrownBy(() -> MusicalKey.parse(text))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("is no key");
  }

  @Test
  void everyKeyReadsBackAndTransposesAround() {
    for (Mode mode : Mode.values()) {
      for (int tonic = 0; tonic < 12; tonic++) {
        MusicalKey key = new MusicalKey(tonic, mode);
        assertThat(MusicalKey.parse(key.toString())).isEqualTo(key);
        assertThat(key.transpose(7).transpose(-7)).isEqualTo(key);
        assertThat(key.transpose(-25).tonic()).isEqualTo(Math.floorMod(tonic - 1, 12));
        assertThat(key.transpose(Integer.MIN_VALUE).mode()).isEqualTo(mode);
      }
    }
  }

  private static MusicAnnotations random(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double seconds = 1 + random.nextDouble(300);
    double tempo = 50 + random.nextDouble(150);
    List<Beat> beats = new ArrayList<>();
    for (double time = random.nextDouble(); time < seconds; time += 60 / tempo) {
      beats.add(new Beat(time, beats.size() % 4 + 1));
    }
    String[] labels = {"C:maj", "A:min7", "N", "F#:maj/5"};
    List<ChordSpan> chords = new ArrayList<>();
    List<Section> sections = new ArrayList<>();
    double before = 0;
    while (before < seconds) {
      double next = Math.min(seconds, before + random.nextDouble(10));
      chords.add(new ChordSpan(before, next, labels[random.nextInt(labels.length)]));
      sections.add(new Section(before, next, random.nextBoolean() ? "verse" : "\"chorus\""));
      before = next == before ? seconds : next;
    }
    MusicalKey key =
        new MusicalKey(random.nextInt(12), random.nextBoolean() ? Mode.MAJOR : Mode.MINOR);
    return new MusicAnnotations(seconds, tempo, key, beats, chords, sections);
  }
}
