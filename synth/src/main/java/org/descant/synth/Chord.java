package org.descant.synth;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;

/**
 * A chord at sounding pitch.
 *
 * @param root pitch class of the root, 0 = C
 * @param quality which tones stand above the root
 * @param bass semitones from the root up to the bass tone, 0 for root position
 */
record Chord(int root, Quality quality, int bass) {

  /** Chord qualities with Harte's names and their tones as semitones above the root. */
  enum Quality {
    MAJ("maj", 0, 4, 7),
    MIN("min", 0, 3, 7),
    DIM("dim", 0, 3, 6),
    AUG("aug", 0, 4, 8),
    SUS2("sus2", 0, 2, 7),
    SUS4("sus4", 0, 5, 7),
    DOM7("7", 0, 4, 7, 10),
    MAJ7("maj7", 0, 4, 7, 11),
    MIN7("min7", 0, 3, 7, 10),
    HDIM7("hdim7", 0, 3, 6, 10),
    DIM7("dim7", 0, 3, 6, 9),
    MINMAJ7("minmaj7", 0, 3, 7, 11),
    MAJ6("maj6", 0, 4, 7, 9),
    MIN6("min6", 0, 3, 7, 9),
    DOM9("9", 0, 4, 7, 10, 14),
    MAJ9("maj9", 0, 4, 7, 11, 14),
    MIN9("min9", 0, 3, 7, 10, 14),
    ADD9("maj(9)", 0, 4, 7, 14),
    SUS7("sus4(b7)", 0, 5, 7, 10);

    final String harte;

    @SuppressWarnings("ImmutableEnumChecker") // List.of.
    final List<Integer> tones;

    Quality(String harte, Integer... tones) {
      this.harte = harte;
      this.tones = List.of(tones);
    }

    /**
     * The tone that fills the place of the third, fifth or seventh; the last one if it has none.
     */
    private int toneNear(int step) {
      return tones.get(Math.min(step / 2, tones.size() - 1));
    }
  }

  private static final int[] MAJOR = {0, 2, 4, 5, 7, 9, 11};
  private static final int[] MINOR = {0, 2, 3, 5, 7, 8, 10};
  private static final List<String> FLAT_NAMES =
      List.of("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B");
  private static final List<String> SHARP_NAMES =
      List.of("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B");
  private static final List<String> DEGREES = List.of("1", "b2", "2", "b3", "3", "4", "b5", "5");
  private static final List<String> UPPER_DEGREES = List.of("b6", "6", "b7", "7");

  private static final Pattern ROMAN =
      Pattern.compile(
          "([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)([^/]*)(?:/([b#]?[1-7]|[b#]?[IViv]+))?");
  private static final List<String> NUMERALS = List.of("I", "II", "III", "IV", "V", "VI", "VII");

  private static final Map<String, Quality> UPPER =
      Map.ofEntries(
          Map.entry("", Quality.MAJ),
          Map.entry("7", Quality.DOM7),
          Map.entry("maj7", Quality.MAJ7),
          Map.entry("6", Quality.MAJ6),
          Map.entry("9", Quality.DOM9),
          Map.entry("maj9", Quality.MAJ9),
          Map.entry("add9", Quality.ADD9),
          Map.entry("sus2", Quality.SUS2),
          Map.entry("sus4", Quality.SUS4),
          Map.entry("7sus4", Quality.SUS7),
          Map.entry("+", Quality.AUG));
  private static final Map<String, Quality> LOWER =
      Map.ofEntries(
          Map.entry("", Quality.MIN),
          Map.entry("7", Quality.MIN7),
          Map.entry("maj7", Quality.MINMAJ7),
          Map.entry("6", Quality.MIN6),
          Map.entry("9", Quality.MIN9),
          Map.entry("o", Quality.DIM),
          Map.entry("o7", Quality.DIM7),
          Map.entry("h7", Quality.HDIM7));

  /** Semitones of a scale degree (1..) above the tonic; degrees above 7 go on an octave higher. */
  static int degree(Mode mode, int degree) {
    int[] scale = mode == Mode.MAJOR ? MAJOR : MINOR;
    return scale[(degree - 1) % 7] + 12 * ((degree - 1) / 7);
  }

  /**
   * Reads a roman numeral in a key: {@code ii7}, {@code bVII}, {@code V7/ii} (dominant of ii),
   * {@code I/3} (third in the bass).
   *
   * @throws SynthException with a reason (without place) if it is no such chord
   */
  static Chord roman(String text, MusicalKey key) {
    Matcher m = ROMAN.matcher(text);
    if (!m.matches()) {
      throw new SynthException(
          "chord \"" + text + "\" is no roman numeral; write for example ii7, V7/ii or I/3");
    }
    String numeral = m.group(2);
    boolean upper = Character.isUpperCase(numeral.charAt(0));
    Quality quality = (upper ? UPPER : LOWER).get(m.group(3));
    if (quality == null) {
      throw new SynthException(
          "chord \"" + text + "\" has the unknown suffix \"" + m.group(3) + "\"");
    }
    String under = m.group(4);
    if (under != null && !Character.isDigit(under.charAt(under.length() - 1))) {
      Chord target = roman(under, key);
      MusicalKey there = new MusicalKey(target.root, Mode.MAJOR);
      Chord applied = roman(text.substring(0, text.indexOf('/')), there);
      return new Chord(applied.root, quality, 0);
    }
    int number = NUMERALS.indexOf(numeral.toUpperCase(Locale.ROOT)) + 1;
    int root = key.tonic() + degree(key.mode(), number) + accidental(m.group(1));
    int bass = 0;
    if (under != null) {
      int step = under.charAt(under.length() - 1) - '0';
      bass =
          step == 3 || step == 5 || step == 7 ? quality.toneNear(step) : degree(Mode.MAJOR, step);
      bass = Math.floorMod(bass + accidental(under), 12);
    }
    return new Chord(Math.floorMod(root, 12), quality, bass);
  }

  /** Semitones that the signs # and b in a text amount to. */
  static int accidental(String text) {
    int sum = 0;
    for (int i = 0; i < text.length(); i++) {
      sum += text.charAt(i) == '#' ? 1 : text.charAt(i) == 'b' ? -1 : 0;
    }
    return sum;
  }

  Chord transposed(int semitones) {
    return new Chord(Math.floorMod(root + semitones, 12), quality, bass);
  }

  int bassPitchClass() {
    return (root + bass) % 12;
  }

  /** Semitones of the chord's third, fifth or seventh above its root, or the nearest it has. */
  int tone(int step) {
    return quality.toneNear(step);
  }

  /** Harte syntax, for example {@code "Eb:min7/b3"}; flats or sharps after the key's signature. */
  String harte(boolean flats) {
    String label = (flats ? FLAT_NAMES : SHARP_NAMES).get(root) + ":" + quality.harte;
    if (bass == 0) {
      return label;
    }
    return label + "/" + (bass < 8 ? DEGREES.get(bass) : UPPER_DEGREES.get(bass - 8));
  }
}
