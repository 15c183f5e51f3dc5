package org.descant.ledger;

import java.time.Instant;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Something that a listener did with a clip, and what it earns.
 *
 * @param id the client's own id for it: booking it twice books it once
 * @param clipId the clip's id in the lineage
 * @param kind what was done, such as {@code stream} or {@code download}
 * @param seconds how much of the clip
 * @param amountMicros what it earns, in millionths of the currency
 * @param currency ISO 4217; only {@value #EUR}
 * @param at when; kept to the microsecond
 */
public record Usage(
    String id,
    String clipId,
    String kind,
    double seconds,
    long amountMicros,
    String currency,
    Instant at) {
  public static final String EUR = "EUR";

  /** One unit of the currency. */
  public static final long MICROS = 1_000_000;

  /** A thousand million euros: far below what a long holds, far above any usage. */
  public static final long AMOUNT_MICROS_MAX = 1_000_000_000L * MICROS;

  private static final double SECONDS_MAX = 1e7;
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9:._@+-]{0,119}");
  private static final Pattern KIND = Pattern.compile("[a-z][a-z-]{0,31}");

  /** Checks every part. */
  public Usage {
    requireId(id, "usage");
    requireId(clipId, "clip");
    if (!KIND.matcher(kind).matches()) {
      throw new LedgerException(
          "\"%.40s\" is not a kind of usage: use lower-case letters, such as stream."
              .formatted(kind));
    }
    requireMeasure(id, seconds, amountMicros);
    if (!currency.equals(EUR)) {
      throw new LedgerException(
          "Usage %s is in %.8s; the books are in EUR: convert it first.".formatted(id, currency));
    }
    at = at.truncatedTo(ChronoUnit.MICROS);
  }

  static void requireId(String id, String what) {
    if (!ID.matcher(id).matches()) {
      throw new LedgerException(
          "\"%.60s\" is not a %s id: use 1 to 120 letters, digits and :._@+-".formatted(id, what));
    }
  }

  static void requireMeasure(String id, double seconds, long amountMicros) {
    if (!(seconds >= 0 && seconds <= SECONDS_MAX)) {
      throw new LedgerException(
          "Usage %s has %s seconds: use 0 to %.0f.".formatted(id, seconds, SECONDS_MAX));
    }
    if (amountMicros < 0 || amountMicros > AMOUNT_MICROS_MAX) {
      throw new LedgerException(
          "Usage %s has %d micros: use 0 to %d.".formatted(id, amountMicros, AMOUNT_MICROS_MAX));
    }
  }

  /** The month in which it is booked, in UTC. */
  public YearMonth period() {
    return YearMonth.from(at.atZone(ZoneOffset.UTC));
  }

  /** An amount as people read it, such as {@code 0.012345 EUR}. */
  public static String format(long amountMicros, String currency) {
    return String.format(
        Locale.ROOT,
        "%s%d.%06d %s",
        amountMicros < 0 ? "-" : "",
        Math.abs(amountMicros) / MICROS,
        Math.abs(amountMicros) % MICROS,
        currency);
  }
}
