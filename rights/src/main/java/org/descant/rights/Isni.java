package org.descant.rights;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * International Standard Name Identifier (ISO 27729): fifteen digits and an ISO 7064 MOD 11-2 check
 * character.
 *
 * @param value the sixteen characters without spaces
 */
public record Isni(String value) {
  private static final Pattern COMPACT = Pattern.compile("[0-9]{15}[0-9X]");

  /** Checks syntax and check character. */
  public Isni {
    if (!COMPACT.matcher(value).matches()) {
      throw malformed(value);
    }
    char expected = checkCharacter(value.substring(0, 15));
    if (value.charAt(15) != expected) {
      throw new RightsException(
          "The ISNI %s has the check character %c, it should be %c: correct the number"
              .formatted(value, value.charAt(15), expected));
    }
  }

  /**
   * Reads {@code 0000 0001 2103 2683}, with or without spaces.
   *
   * @throws RightsException when the form or the check character is wrong
   */
  public static Isni of(String text) {
    String compact = text.strip().toUpperCase(Locale.ROOT);
    if (compact.startsWith("ISNI")) {
      compact = compact.substring(4);
    }
    compact = compact.replaceAll("[ -]", "");
    if (!COMPACT.matcher(compact).matches()) {
      throw malformed(text);
    }
    return new Isni(compact);
  }

  static char checkCharacter(String fifteenDigits) {
    int sum = 0;
    for (int i = 0; i < fifteenDigits.length(); i++) {
      sum = (sum + fifteenDigits.charAt(i) - '0') * 2 % 11;
    }
    int check = (12 - sum) % 11;
    return check == 10 ? 'X' : (char) ('0' + check);
  }

  /** The weighted sum that ISWC (start 1) and IPI base numbers (start 2) share. */
  static int weightedCheckDigit(int start, String nineDigits) {
    int sum = start;
    for (int i = 0; i < nineDigits.length(); i++) {
      sum += (i + 1) * (nineDigits.charAt(i) - '0');
    }
    return (10 - sum % 10) % 10;
  }

  private static RightsException malformed(String text) {
    return new RightsException(
        "'%s' is not an ISNI: write sixteen digits, the last of which may be X"
            .formatted(Text.shown(text)));
  }

  /** The identifier in groups of four. */
  public String formatted() {
    return String.join(
        " ",
        value.substring(0, 4),
        value.substring(4, 8),
        value.substring(8, 12),
        value.substring(12));
  }

  @Override
  public String toString() {
    return value;
  }
}
