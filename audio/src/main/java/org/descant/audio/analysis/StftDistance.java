package org.descant.audio.analysis;

import java.util.Arrays;
import org.descant.audio.Pcm;

/**
 * How far a sound is from a reference over several resolutions: for Hann windows of 2,048 and of
 * 512 samples, each with a hop of a quarter, the mean absolute difference of magnitudes and that of
 * {@code log10} of their squares, magnitudes under 1e-5 counted as 1e-5; the sum of the four.
 *
 * <p>The distance that Kumar and others use for codecs ("High-Fidelity Audio Compression with
 * Improved RVQGAN", 2023, multi-scale STFT). It hears fine time and fine pitch, both of which mel
 * bands blur; 0 for equal sounds. Both are mixed to mono; the other is resampled to the reference's
 * rate and cut, or continued with silence, to its length.
 */
public final class StftDistance {
  private static final int[] SIZES = {2048, 512};
  private static final float MAGNITUDE_MIN = 1e-5f;

  private StftDistance() {}

  public static double between(Pcm reference, Pcm other) {
    float[] first = reference.mono().channel(0);
    float[] second =
        Arrays.copyOf(other.mono().resampled(reference.sampleRate()).channel(0), first.length);
    double sum = 0;
    for (int size : SIZES) {
      sum += at(size, first, second);
    }
    return sum;
  }

  private static double at(int size, float[] first, float[] second) {
    int hop = size / 4;
    float[][] a = Spectra.magnitudes(first, size, hop);
    double[] sum = new double[1];
    Spectra.forEachFrame(
        second,
        size,
        hop,
        (frame, magnitudes) -> {
          for (int bin = 0; bin < magnitudes.length; bin++) {
            float x = a[frame][bin];
            float y = magnitudes[bin];
            double ratio = Math.max(MAGNITUDE_MIN, x) / Math.max(MAGNITUDE_MIN, y);
            sum[0] += Math.abs(x - y) + 2 * Math.abs(Math.log10(ratio));
          }
        });
    return sum[0] / ((double) a.length * a[0].length);
  }
}
