package org.descant.audio;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A key such as D minor.
 *
 * @param tonic pitch class, 0 = C to 11 = B
 * @param mode major or minor
 */
public record MusicalKey(int tonic, Mode mode) {
  private static final int PITCH_CLASSES = 12;
  private static final int TEXT_LENGTH_MAX = 24;

  /** Spellings with the fewest accidentals in the key signature. */
  private static final String[] MAJOR_NAMES = {
    "C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"
  };

  private static final String[] MINOR_NAMES = {
    "C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"
  };
  private static final Pattern SYNTAX =
      Pattern.compile("([A-Ga-g])([#b♯♭]?)(?:[ :_-]*(major|maj|minor|min|M|m))?");

  public MusicalKey {
    if (tonic < 0 || tonic >= PITCH_CLASSES) {
      throw new AudioException(
          "A tonic is a pitch class from 0 (C) to 11 (B), was %d.".formatted(tonic));
    }
  }

  /**
   * Reads "D minor", "Dm", "F# major", "Bb", "c#:min". A note alone is major.
   *
   * @throws AudioException if the text is no key
   */
  public static MusicalKey parse(String text) {
    String trimmed = text.length() > TEXT_LENGTH_MAX ? "" : text.strip();
    Matcher matcher = SYNTAX.matcher(trimmed);
    if (!matcher.matches()) {
      matcher = SYNTAX.matcher(lowerWords(trimmed));
      if (!matcher.matches()) {
        String shown = text.length() > TEXT_LENGTH_MAX ? text.substring(0, TEXT_LENGTH_MAX) : text;
        throw new AudioException(
            "\"%s\" is no key: write it like \"D minor\" or \"F# major\".".formatted(shown));
      }
    }
    int natural =
        switch (Character.toUpperCase(matcher.group(1).charAt(0))) {
          case 'C' -> 0;
          case 'D' -> 2;
          case 'E' -> 4;
          case 'F' -> 5;
          case 'G' -> 7;
          case 'A' -> 9;
          default -> 11;
        };
    int shift =
        switch (matcher.group(2)) {
          case "#", "♯" -> 1;
          case "b", "♭" -> -1;
          default -> 0;
        };
    String mode = matcher.group(3);
    boolean minor = mode != null && mode.startsWith("m") && !mode.startsWith("maj");
    return new MusicalKey(
        Math.floorMod(natural + shift, PITCH_CLASSES), minor ? Mode.MINOR : Mode.MAJOR);
  }

  /** "D MINOR" and "d Minor" are meant too; the note's own case and accidental are kept. */
  private static String lowerWords(String text) {
    return text.length() < 3
        ? text
        : text.substring(0, 2) + text.substring(2).toLowerCase(Locale.ROOT);
  }

  /** The key {@code semitones} higher (or lower, if negative). */
  public MusicalKey transpose(int semitones) {
    return new MusicalKey(
        Math.floorMod(tonic + Math.floorMod(semitones, PITCH_CLASSES), PITCH_CLASSES), mode);
  }

  /** The tonic's name in this key, such as "Bb". */
  public String tonicName() {
    return (mode == Mode.MAJOR ? MAJOR_NAMES : MINOR_NAMES)[tonic];
  }

  /** Such as "D minor"; {@link #parse} reads it back. */
  @Override
  public String toString() {
    return tonicName() + " " + mode;
  }
}
