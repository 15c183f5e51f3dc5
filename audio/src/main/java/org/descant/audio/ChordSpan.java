package org.descant.audio;

import java.util.regex.Pattern;

/**
 * A chord that sounds from {@code start} to {@code end} seconds.
 *
 * @param label Harte syntax (Harte, Sandler, Abdallah, Gómez 2005): "C:maj", "A:min7", "F#:maj/5",
 *     "N" for none, "X" for unknown
 */
public record ChordSpan(double start, double end, String label) {
  private static final int LABEL_LENGTH_MAX = 64;
  private static final Pattern HARTE =
      Pattern.compile(
          "N|X|[A-G][b#]{0,2}(:(?=[a-z0-9(])[a-z]*[0-9]*(\\([*b#0-9,]+\\))?)?(/[b#]{0,2}[0-9]{1,2})?");

  public ChordSpan {
    Spans.check("chord", start, end);
    if (label.length() > LABEL_LENGTH_MAX || !HARTE.matcher(label).matches()) {
      throw new AudioException(
          "\"%s\" is no chord: write it like \"C:maj\", \"A:min7\" or \"N\"."
              .formatted(label.substring(0, Math.min(label.length(), LABEL_LENGTH_MAX))));
    }
  }
}
