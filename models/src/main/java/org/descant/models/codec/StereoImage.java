package org.descant.models.codec;

import org.descant.models.phase.RowFft;

/**
 * The side signal in a few numbers: for each band and latent frame, how much of the side is the mid
 * itself (a panned source) and how much is unlike it (space).
 *
 * <p>As parametric stereo (Breebaart, van de Par, Kohlrausch, Schuijers, "Parametric Coding of
 * Stereo Audio", EURASIP JASP 2005) with complex prediction's split: {@code side = a · mid + g ·
 * D(mid)}, where a is the least-squares prediction, g the level of the rest, and D an all-pass that
 * delays neighbouring frequencies by different times, up to 12 ms.
 */
final class StereoImage {
  /** The side's unlike part at most, relative to the mid. */
  private static final float SPREAD_MAX = 1.5f;

  private static final double DELAY_SAMPLES_MAX = 512;
  private static final double DELAY_PERIOD_HZ = 430;

  private final int bands;
  private final int bins;
  private final int[] bandOf;
  private final float[] turnCos;
  private final float[] turnSin;

  StereoImage(int bands, int fft, int sampleRate) {
    this.bands = bands;
    this.bins = fft / 2 + 1;
    this.bandOf = new int[bins];
    this.turnCos = new float[bins];
    this.turnSin = new float[bins];
    double barkMax = bark(sampleRate / 2.0);
    double phase = 0;
    for (int m = 0; m < bins; m++) {
      double hz = (double) m * sampleRate / fft;
      bandOf[m] = (int) Math.min(bands - 1, bands * bark(hz) / barkMax);
      double delay =
          DELAY_SAMPLES_MAX / 2 * (1 + StrictMath.sin(2 * Math.PI * hz / DELAY_PERIOD_HZ));
      phase -= 2 * Math.PI * delay / fft;
      turnCos[m] = (float) StrictMath.cos(phase);
      turnSin[m] = (float) StrictMath.sin(phase);
    }
  }

  private static double bark(double hz) {
    double x = hz / 600;
    return 6 * StrictMath.log(x + StrictMath.sqrt(x * x + 1));
  }

  /** Numbers per latent frame: prediction and spread of each band. */
  int size() {
    return 2 * bands;
  }

  /**
   * Measures the side of {@code frames} STFT frames from row {@code first} on into {@code out}: the
   * predictions (−1..1), then the spreads (0..1.5).
   */
  void measure(
      float[] midRe,
      float[] midIm,
      float[] sideRe,
      float[] sideIm,
      int first,
      int frames,
      float[] out,
      int offset) {
    double[] cross = new double[bands];
    double[] mid = new double[bands];
    double[] side = new double[bands];
    for (int t = first; t < first + frames; t++) {
      for (int m = 0; m < bins; m++) {
        int i = t * bins + m;
        int band = bandOf[m];
        cross[band] += sideRe[i] * midRe[i] + sideIm[i] * midIm[i];
        mid[band] += midRe[i] * midRe[i] + midIm[i] * midIm[i];
        side[band] += sideRe[i] * sideRe[i] + sideIm[i] * sideIm[i];
      }
    }
    for (int b = 0; b < bands; b++) {
      double power = mid[b] + 1e-3;
      double a = Math.clamp(cross[b] / power, -1, 1);
      double rest = Math.max(0, side[b] / power - a * a);
      out[offset + b] = (float) a;
      out[offset + bands + b] = (float) Math.min(SPREAD_MAX, Math.sqrt(rest));
    }
  }

  /**
   * Writes the side of {@code frames} frames into a transform, ready for its inverse.
   *
   * @param midRe real parts of the mid: bin by bin, a column for each frame
   * @param midIm imaginary parts
   * @param images numbers of latent frames, {@link #size} each
   * @param firstFrame STFT frames of the first latent frame that are over
   * @param framesPerImage STFT frames of a latent frame
   */
  void rebuild(
      float[][] midRe,
      float[][] midIm,
      int frames,
      float[] images,
      int firstFrame,
      int framesPerImage,
      RowFft side) {
    float[][] prediction = new float[bands][frames];
    float[][] spread = new float[bands][frames];
    for (int t = 0; t < frames; t++) {
      int image = (firstFrame + t) / framesPerImage * size();
      for (int band = 0; band < bands; band++) {
        prediction[band][t] = Math.clamp(images[image + band], -1f, 1f);
        spread[band][t] = Math.clamp(images[image + bands + band], 0f, SPREAD_MAX);
      }
    }
    float[] kRe = new float[frames];
    float[] kIm = new float[frames];
    float[] jRe = new float[frames];
    float[] jIm = new float[frames];
    int half = bins - 1;
    for (int k = 0; k <= half / 2; k++) {
      int j = half - k;
      mix(k, midRe, midIm, prediction, spread, kRe, kIm);
      mix(j, midRe, midIm, prediction, spread, jRe, jIm);
      side.pack(k, kRe, kIm, jRe, jIm, frames);
    }
  }

  private void mix(
      int bin,
      float[][] midRe,
      float[][] midIm,
      float[][] prediction,
      float[][] spread,
      float[] re,
      float[] im) {
    int band = bandOf[bin];
    mix(midRe[bin], midIm[bin], prediction[band], spread[band], turnCos[bin], turnSin[bin], re, im);
  }

  private static void mix(
      float[] midRe,
      float[] midIm,
      float[] prediction,
      float[] spread,
      float turnCos,
      float turnSin,
      float[] re,
      float[] im) {
    for (int t = 0; t < re.length; t++) {
      float gainRe = prediction[t] + spread[t] * turnCos;
      float gainIm = spread[t] * turnSin;
      re[t] = midRe[t] * gainRe - midIm[t] * gainIm;
      im[t] = midRe[t] * gainIm + midIm[t] * gainRe;
    }
  }
}
