package org.descant.serving.web;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A single range of bytes (RFC 9110 §14): what a player asks for when its listener jumps.
 *
 * @param from the first byte
 * @param to the last byte, included
 */
record ByteRange(long from, long to) {
  private static final Pattern SINGLE =
      Pattern.compile("\\s*bytes\\s*=\\s*(\\d{0,18})\\s*-\\s*(\\d{0,18})\\s*");

  /** The range lies outside of what there is. */
  static final class Unsatisfiable extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final long total;

    private Unsatisfiable(long total) {
      super("The range that was asked for lies outside of the " + total + " bytes that there are.");
      this.total = total;
    }

    long total() {
      return total;
    }
  }

  /**
   * Reads a {@code Range} header.
   *
   * @return null when the whole is to be sent: no header, several ranges, or none that we know
   * @throws Unsatisfiable when it is a range of other bytes than there are
   */
  static @Nullable ByteRange of(@Nullable String header, long total) {
    Matcher single = SINGLE.matcher(header == null ? "" : header);
    if (!single.matches()) {
      return null;
    }
    String first = single.group(1);
    String last = single.group(2);
    if (first.isEmpty() && last.isEmpty()) {
      return null;
    }
    long from = first.isEmpty() ? Math.max(0, total - Long.parseLong(last)) : Long.parseLong(first);
    long to =
        first.isEmpty() || last.isEmpty() ? total - 1 : Math.min(total - 1, Long.parseLong(last));
    if (!first.isEmpty() && !last.isEmpty() && Long.parseLong(last) < from) {
      return null; // not a range at all: RFC 9110 has it ignored
    }
    if (from >= total || from > to) {
      throw new Unsatisfiable(total);
    }
    return new ByteRange(from, to);
  }

  long length() {
    return to - from + 1;
  }
}
