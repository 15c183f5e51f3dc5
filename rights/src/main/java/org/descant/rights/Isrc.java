package org.descant.rights;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * International Standard Recording Code (ISO 3901): two letters, three letters or digits, two
 * digits of the year and five of the recording. It has no check digit.
 *
 * @param value the twelve characters without hyphens, in upper case
 */
public record Isrc(String value) implements Comparable<Isrc> {
  private static final Pattern COMPACT = Pattern.compile("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}");
  private static final Pattern HYPHENATED =
      Pattern.compile("[A-Z]{2}-[A-Z0-9]{3}-[0-9]{2}-[0-9]{5}");

  /** Checks the syntax. */
  public Isrc {
    if (!COMPACT.matcher(value).matches()) {
      throw malformed(value);
    }
  }

  /**
   * Reads {@code XX-ABC-26-00001} or {@code XXABC2600001}, in either case.
   *
   * @throws RightsException when it is neither
   */
  public static Isrc of(String text) {
    String upper = text.strip().toUpperCase(Locale.ROOT);
    if (upper.startsWith("ISRC ")) {
      upper = upper.substring(5);
    }
    if (HYPHENATED.matcher(upper).matches()) {
      upper = upper.replace("-", "");
    }
    if (!COMPACT.matcher(upper).matches()) {
      throw malformed(text);
    }
    return new Isrc(upper);
  }

  /** Whether a text has the form of an ISRC, in either case, with hyphens or without. */
  static boolean looksLikeOne(String text) {
    String upper = text.toUpperCase(Locale.ROOT);
    return COMPACT.matcher(upper).matches() || HYPHENATED.matcher(upper).matches();
  }

  private static RightsException malformed(String text) {
    return new RightsException(
        "'%s' is not an ISRC: write two letters, three letters or digits and seven digits, as in XX-ABC-26-00001"
            .formatted(Text.shown(text)));
  }

  /** The code with its hyphens. */
  public String formatted() {
    return "%s-%s-%s-%s"
        .formatted(
            value.substring(0, 2),
            value.substring(2, 5),
            value.substring(5, 7),
            value.substring(7));
  }

  @Override
  public int compareTo(Isrc other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
