package org.descant.models.hub;

import java.time.Duration;
import java.util.Locale;

/** Strangers' words and numbers of bytes, made fit for one line of a terminal. */
final class Text {
  private static final int SHOWN_CHARS_MAX = 120;

  private Text() {}

  /** Without controls and direction marks, and not too long. */
  static String shown(String foreign) {
    StringBuilder shown = new StringBuilder();
    foreign
        .codePoints()
        .limit(SHOWN_CHARS_MAX)
        .map(c -> isInvisible(c) ? 0xFFFD : c)
        .forEach(shown::appendCodePoint);
    return foreign.codePointCount(0, foreign.length()) > SHOWN_CHARS_MAX
        ? shown + "…"
        : shown.toString();
  }

  /** Controls, marks that turn the writing direction, lone surrogates, separators of lines. */
  static boolean isInvisible(int codePoint) {
    return switch (Character.getType(codePoint)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          true;
      default -> false;
    };
  }

  static String seconds(Duration time) {
    return String.format(Locale.ROOT, "%.1f s", time.toMillis() / 1e3);
  }

  static String bytes(long bytes) {
    if (bytes < 1_000) {
      return bytes + " bytes";
    }
    if (bytes < 1_000_000) {
      return String.format(Locale.ROOT, "%.1f kB", bytes / 1e3);
    }
    return bytes < 1_000_000_000
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
