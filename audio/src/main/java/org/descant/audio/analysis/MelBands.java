package org.descant.audio.analysis;

import org.descant.audio.AudioException;

/**
 * Triangular bands with equal steps on the mel scale, {@code 2595 log10(1 + f / 700)}
 * (O'Shaughnessy 1987; the "HTK" scale), each of height 1. Immutable.
 */
public final class MelBands {
  private final int[] starts;
  private final float[][] weights;
  private final double[] centres;

  /**
   * Bands for frames of one FFT size at one rate.
   *
   * @param bands how many
   * @param low lower edge of the first band in Hz
   * @param high upper edge of the last band in Hz, at most half the sample rate
   */
  public MelBands(int bands, int sampleRate, int fftSize, double low, double high) {
    if (bands < 1 || low < 0 || !(high > low) || high > sampleRate / 2.0) {
      throw new AudioException(
          "%d mel bands from %s to %s Hz do not fit a sample rate of %d Hz."
              .formatted(bands, low, high, sampleRate));
    }
    starts = new int[bands];
    weights = new float[bands][];
    centres = new double[bands];
    double hertzPerBin = sampleRate / (double) fftSize;
    double melLow = mel(low);
    double step = (mel(high) - melLow) / (bands + 1);
    for (int band = 0; band < bands; band++) {
      double left = hertz(melLow + band * step) / hertzPerBin;
      double centre = hertz(melLow + (band + 1) * step) / hertzPerBin;
      double right = hertz(melLow + (band + 2) * step) / hertzPerBin;
      centres[band] = centre * hertzPerBin;
      int first = (int) Math.ceil(left);
      int last = Math.min((int) Math.floor(right), fftSize / 2);
      if (last - first < 1) { // Narrower than the bins: the nearest one stands for the band.
        starts[band] = Math.min((int) Math.round(centre), fftSize / 2);
        weights[band] = new float[] {1};
        continue;
      }
      starts[band] = first;
      weights[band] = new float[last - first + 1];
      for (int bin = first; bin <= last; bin++) {
        double rising = (bin - left) / (centre - left);
        double falling = (right - bin) / (right - centre);
        weights[band][bin - first] = (float) Math.max(0, Math.min(rising, falling));
      }
    }
  }

  public int count() {
    return starts.length;
  }

  /** How many bands have their centre below a frequency in Hz. */
  int countBelow(double hertz) {
    int count = 0;
    while (count < centres.length && centres[count] < hertz) {
      count++;
    }
    return count;
  }

  /** The bands' power, {@code sum of weight * magnitude^2}, of one frame of magnitudes. */
  public void power(float[] magnitudes, float[] out) {
    for (int band = 0; band < starts.length; band++) {
      float sum = 0;
      float[] weight = weights[band];
      for (int i = 0; i < weight.length; i++) {
        float magnitude = magnitudes[starts[band] + i];
        sum += weight[i] * magnitude * magnitude;
      }
      out[band] = sum;
    }
  }

  private static double mel(double hertz) {
    return 2595 * StrictMath.log10(1 + hertz / 700);
  }

  private static double hertz(double mel) {
    return 700 * (StrictMath.pow(10, mel / 2595) - 1);
  }
}
