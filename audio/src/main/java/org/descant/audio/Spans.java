package org.descant.audio;

/** What every span of time must satisfy. */
final class Spans {
  private Spans() {}

  static void check(String what, double start, double end) {
    if (!(start >= 0) || !(end >= start) || end == Double.POSITIVE_INFINITY) {
      throw new AudioException(
          "A %s must start at 0 s or later and end after its start, was %s to %s s."
              .formatted(what, start, end));
    }
  }
}
