package org.descant.audio;

/**
 * A part of the form, from {@code start} to {@code end} seconds.
 *
 * @param label a word such as intro, verse, chorus, bridge, solo, outro
 */
public record Section(double start, double end, String label) {
  private static final int LABEL_LENGTH_MAX = 64;

  public Section {
    Spans.check("section", start, end);
    if (label.isBlank() || label.length() > LABEL_LENGTH_MAX) {
      throw new AudioException(
          "A section's label must have 1 to %d characters, has %d."
              .formatted(LABEL_LENGTH_MAX, label.length()));
    }
  }
}
