package org.descant.catalog;

import java.util.Locale;

/**
 * Identifiers that are nobody's: for recordings that came without one, and for the demo.
 *
 * <p>The ISRC prefix {@code ZZ} is safe: ISO 3166-1 keeps ZZ for private use, so that no ISRC
 * agency can have it (QM and QZ, though private-use too, are given out by the agency of the USA).
 * Local identifiers are {@code ZZ-L??-NN-NNNNN}: two letters or digits and seven digits from the
 * SHA-256 of the file's bytes, 13 thousand million places, so that two of ten thousand recordings
 * meet with odds of 1 in 260; {@link Ingest} then takes the next place. The demo's are {@code
 * ZZ-DSC-26-NNNNN}.
 *
 * <p>An ICPN that begins with {@code 200} is an EAN-13 for use within one house: GS1 gives it to no
 * product. A DPID with the year 0000 was never registered.
 */
final class Identifiers {
  private static final String BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  private Identifiers() {}

  /**
   * A local ISRC from a content hash.
   *
   * @param sha256 hex digits of the content
   * @param attempt 0 first; higher numbers give the next places when one is taken by other content
   */
  static String localIsrc(String sha256, int attempt) {
    String seed = attempt == 0 ? sha256 : Text.sha256(sha256 + "/" + attempt);
    long bits = Long.parseUnsignedLong(seed.substring(0, 15), 16);
    int letters = (int) (bits % (36 * 36));
    long digits = bits / (36 * 36) % 10_000_000L;
    return "ZZL%c%c%07d"
        .formatted(BASE36.charAt(letters / 36), BASE36.charAt(letters % 36), digits);
  }

  static boolean isLocal(String isrc) {
    return isrc.startsWith("ZZL");
  }

  /** The demo's n-th ISRC, from 1. */
  static String demoIsrc(int number) {
    return "ZZDSC26%05d".formatted(number);
  }

  /** EAN-13 with its check digit (weights 1 and 3) from the first twelve digits. */
  static String icpn(String twelveDigits) {
    int sum = 0;
    for (int i = 0; i < 12; i++) {
      sum += (twelveDigits.charAt(i) - '0') * (i % 2 == 0 ? 1 : 3);
    }
    return twelveDigits + (10 - sum % 10) % 10;
  }

  /** ISWC {@code T-ddd.ddd.ddd-c} with its check digit (ISO 15707) from its nine digits. */
  static String iswc(int nineDigits) {
    String digits = String.format(Locale.ROOT, "%09d", nineDigits);
    int sum = 1;
    for (int i = 0; i < 9; i++) {
      sum += (i + 1) * (digits.charAt(i) - '0');
    }
    return "T-%s.%s.%s-%d"
        .formatted(
            digits.substring(0, 3),
            digits.substring(3, 6),
            digits.substring(6),
            (10 - sum % 10) % 10);
  }
}
