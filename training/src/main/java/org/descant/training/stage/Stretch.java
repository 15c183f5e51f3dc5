package org.descant.training.stage;

/**
 * Plays the codec's features faster or slower without moving their pitch: rows are spectra in time,
 * so it is linear interpolation between them. Stateless.
 *
 * <p>A row holds {@code spectra} log spectra that follow each other in time, and then numbers that
 * belong to the row as a whole. Interpolating decibels blurs an attack over at most one spectrum's
 * hop, 12 ms.
 */
final class Stretch {
  private Stretch() {}

  /**
   * The rows of the same sound played {@code speed} times as fast.
   *
   * @param rows one after the other
   * @param rowSize numbers in a row
   * @param spectra log spectra at the start of a row
   * @param bins numbers in a spectrum
   * @param speed more than 1 makes it shorter
   */
  static float[] faster(float[] rows, int rowSize, int spectra, int bins, double speed) {
    int count = rows.length / rowSize;
    int made = length(count, speed);
    float[] out = new float[made * rowSize];
    int rest = rowSize - spectra * bins;
    for (int row = 0; row < made; row++) {
      for (int s = 0; s < spectra; s++) {
        mix(
            rows,
            out,
            (row * spectra + s) * speed,
            count * spectra,
            at -> at / spectra * rowSize + at % spectra * bins,
            row * rowSize + s * bins,
            bins);
      }
      mix(
          rows,
          out,
          (row + 0.5) * speed - 0.5,
          count,
          at -> at * rowSize + spectra * bins,
          row * rowSize + spectra * bins,
          rest);
    }
    return out;
  }

  /** How many rows {@link #faster} makes of so many. */
  static int length(int rows, double speed) {
    return Math.max(1, (int) Math.round(rows / speed));
  }

  private static void mix(
      float[] in,
      float[] out,
      double position,
      int count,
      java.util.function.IntUnaryOperator offset,
      int to,
      int length) {
    double inside = Math.clamp(position, 0, count - 1.0);
    int before = (int) inside;
    float share = (float) (inside - before);
    int a = offset.applyAsInt(before);
    int b = offset.applyAsInt(Math.min(before + 1, count - 1));
    for (int i = 0; i < length; i++) {
      out[to + i] = in[a + i] + share * (in[b + i] - in[a + i]);
    }
  }
}
