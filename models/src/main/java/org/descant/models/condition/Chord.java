package org.descant.models.condition;

import org.descant.models.ModelException;

/**
 * A chord as the language model sees it: a root and one of eight kinds.
 *
 * @param root pitch class 0 (C) to 11; {@link #NO_ROOT} when nothing sounds
 */
public record Chord(int root, Kind kind) {
  /** Root of {@link #NONE}. */
  public static final int NO_ROOT = 12;

  /** Roots including "none". */
  static final int ROOTS = 13;

  /** No chord. */
  public static final Chord NONE = new Chord(NO_ROOT, Kind.NONE);

  /** What stands on the root. */
  public enum Kind {
    NONE,
    MAJOR,
    MINOR,
    DOMINANT_SEVENTH,
    MAJOR_SEVENTH,
    MINOR_SEVENTH,
    DIMINISHED,
    OTHER
  }

  public Chord {
    if (root < 0 || root > NO_ROOT || (root == NO_ROOT) != (kind == Kind.NONE)) {
      throw new ModelException("There is no chord with root " + root + " and kind " + kind);
    }
  }

  /** The chord {@code semitones} higher. */
  public Chord transposed(int semitones) {
    return root == NO_ROOT ? this : new Chord(Math.floorMod(root + semitones, 12), kind);
  }

  /**
   * Reads a label in Harte's syntax (Harte et al., ISMIR 2005), such as {@code C:maj}, {@code
   * F#:min7}, {@code Bb:maj/3} or {@code N}. Extensions and the bass note are dropped; a kind that
   * is none of ours is {@link Kind#OTHER}; a label that cannot be read is no chord.
   */
  public static Chord parse(String label) {
    String text = label.strip();
    if (text.isEmpty() || "CDEFGAB".indexOf(text.charAt(0)) < 0) {
      return NONE;
    }
    int[] naturals = {9, 11, 0, 2, 4, 5, 7};
    int root = naturals[text.charAt(0) - 'A'];
    int at = 1;
    for (; at < text.length() && (text.charAt(at) == '#' || text.charAt(at) == 'b'); at++) {
      root += text.charAt(at) == '#' ? 1 : -1;
    }
    int slash = text.indexOf('/', at);
    String rest = text.substring(at, slash < 0 ? text.length() : slash);
    if (rest.startsWith(":")) {
      rest = rest.substring(1);
    }
    int paren = rest.indexOf('(');
    if (paren > 0) {
      rest = rest.substring(0, paren);
    }
    return new Chord(Math.floorMod(root, 12), kindOf(rest));
  }

  private static Kind kindOf(String shorthand) {
    return switch (shorthand) {
      case "", "maj", "maj6", "6" -> Kind.MAJOR;
      case "min", "min6", "m" -> Kind.MINOR;
      case "7", "9", "11", "13" -> Kind.DOMINANT_SEVENTH;
      case "maj7", "maj9" -> Kind.MAJOR_SEVENTH;
      case "min7", "min9", "min11" -> Kind.MINOR_SEVENTH;
      case "dim", "dim7", "hdim7" -> Kind.DIMINISHED;
      default -> Kind.OTHER;
    };
  }
}
