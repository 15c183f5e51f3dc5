package org.descant.rights;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Interested Party Information number of CISAC: a name number (eleven digits, the last two of which
 * check the first nine) or a base number ({@code I}, nine digits and a check digit).
 *
 * @param value the eleven characters, without punctuation
 */
public record Ipi(String value) {
  private static final Pattern NAME_NUMBER = Pattern.compile("[0-9]{11}");
  private static final Pattern BASE_NUMBER = Pattern.compile("I[0-9]{10}");
  private static final Pattern SHORT_NAME_NUMBER = Pattern.compile("[0-9]{9,11}");
  private static final Pattern PUNCTUATED_BASE_NUMBER = Pattern.compile("I-?[0-9]{9}-?[0-9]");

  /** Checks syntax and check digits. */
  public Ipi {
    String expected;
    if (NAME_NUMBER.matcher(value).matches()) {
      expected = nameCheckDigits(value.substring(0, 9));
    } else if (BASE_NUMBER.matcher(value).matches()) {
      expected = String.valueOf(Isni.weightedCheckDigit(2, value.substring(1, 10)));
    } else {
      throw malformed(value);
    }
    if (!value.endsWith(expected)) {
      throw new RightsException(
          "The IPI number %s should end in %s: correct the number".formatted(value, expected));
    }
  }

  /**
   * Reads a name number, leading zeros left out or not, or a base number such as {@code
   * I-000000229-7}.
   *
   * @throws RightsException when the form or the check digits are wrong
   */
  public static Ipi of(String text) {
    String upper = text.strip().toUpperCase(Locale.ROOT);
    if (SHORT_NAME_NUMBER.matcher(upper).matches()) {
      return new Ipi("0".repeat(11 - upper.length()) + upper);
    }
    if (PUNCTUATED_BASE_NUMBER.matcher(upper).matches()) {
      return new Ipi(upper.replace("-", ""));
    }
    throw malformed(text);
  }

  /** Whether this is a base number, which names a person, and not one of their names. */
  public boolean isBaseNumber() {
    return value.charAt(0) == 'I';
  }

  static String nameCheckDigits(String nineDigits) {
    int sum = 0;
    for (int i = 0; i < nineDigits.length(); i++) {
      sum += (10 - i) * (nineDigits.charAt(i) - '0');
    }
    int rest = sum % 101;
    return "%02d".formatted(rest == 0 ? 0 : (101 - rest) % 100);
  }

  private static RightsException malformed(String text) {
    return new RightsException(
        "'%s' is not an IPI number: write eleven digits, or I, nine digits and a check digit"
            .formatted(Text.shown(text)));
  }

  @Override
  public String toString() {
    return value;
  }
}
