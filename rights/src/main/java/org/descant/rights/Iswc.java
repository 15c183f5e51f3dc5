package org.descant.rights;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * International Standard Musical Work Code (ISO 15707): T, nine digits and a check digit.
 *
 * @param value the eleven characters without punctuation, such as {@code T0345246801}
 */
public record Iswc(String value) implements Comparable<Iswc> {
  private static final Pattern COMPACT = Pattern.compile("T[0-9]{10}");
  private static final Pattern PUNCTUATED =
      Pattern.compile("T-?[0-9]{3}\\.?[0-9]{3}\\.?[0-9]{3}-?[0-9]");

  /** Checks syntax and check digit. */
  public Iswc {
    if (!COMPACT.matcher(value).matches()) {
      throw malformed(value);
    }
    int expected = checkDigit(value.substring(1, 10));
    if (value.charAt(10) - '0' != expected) {
      throw new RightsException(
          "The ISWC %s has the check digit %c, it should be %d: correct the number"
              .formatted(punctuated(value), value.charAt(10), expected));
    }
  }

  /**
   * Reads {@code T-034.524.680-1} or {@code T0345246801}.
   *
   * @throws RightsException when the form or the check digit is wrong
   */
  public static Iswc of(String text) {
    String upper = text.strip().toUpperCase(Locale.ROOT);
    if (!PUNCTUATED.matcher(upper).matches()) {
      throw malformed(text);
    }
    return new Iswc(upper.replaceAll("[.-]", ""));
  }

  /** The check digit of nine digits: {@code (10 - (1 + sum of i * d_i) mod 10) mod 10}. */
  static int checkDigit(String nineDigits) {
    return Isni.weightedCheckDigit(1, nineDigits);
  }

  private static RightsException malformed(String text) {
    return new RightsException(
        "'%s' is not an ISWC: write T, nine digits and a check digit, as in T-034.524.680-1"
            .formatted(Text.shown(text)));
  }

  private static String punctuated(String value) {
    return "T-%s.%s.%s-%s"
        .formatted(
            value.substring(1, 4), value.substring(4, 7), value.substring(7, 10), value.charAt(10));
  }

  /** The code with its punctuation. */
  public String formatted() {
    return punctuated(value);
  }

  @Override
  public int compareTo(Iswc other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
