package org.descant.audio.analysis;

import org.descant.audio.Pcm;

/**
 * How strongly something begins at each moment: a curve with {@link #FRAMES_PER_SECOND} values a
 * second, value {@code t} for the time {@code t / FRAMES_PER_SECOND}, 0 or more, of mean 1 unless
 * the sound is still.
 *
 * @param all over all bands
 * @param low below 180 Hz, where bass and bass drum begin
 * @param punch the same, of magnitudes and not of their logarithms: loud beginnings only
 */
@SuppressWarnings("ArrayRecordComponent") // Curves made and read here, never compared.
record OnsetStrength(float[] all, float[] low, float[] punch) {
  /*
   * Spectral flux over 48 mel bands of logarithmic level (Böck and Widmer, "Maximum filter vibrato
   * suppression for onset detection", DAFx 2013): each band is compared with the loudest of itself
   * and its neighbours 23 ms before, so that a gliding tone does not count. 22,050 Hz, FFT 1024,
   * hop 256. Then the local mean over half a second is taken away: a crescendo is no onset.
   */
  static final int SAMPLE_RATE = 22_050;
  static final int HOP = 256;
  static final double FRAMES_PER_SECOND = SAMPLE_RATE / (double) HOP;
  private static final int FFT_SIZE = 1024;
  private static final int BANDS = 48;
  private static final int LAG = 2;
  private static final double LOW_HERTZ = 30;
  private static final double HIGH_HERTZ = 10_000;
  private static final double BASS_HERTZ = 180;

  /** Power is measured against the loudest band of the sound; 40 dB below it counts for little. */
  private static final double COMPRESSION = 1e4;

  private static final int MEAN_FRAMES = (int) Math.round(0.25 * FRAMES_PER_SECOND);

  static OnsetStrength of(Pcm pcm) {
    float[] samples = pcm.mono().resampled(SAMPLE_RATE).channel(0);
    MelBands bands = new MelBands(BANDS, SAMPLE_RATE, FFT_SIZE, LOW_HERTZ, HIGH_HERTZ);
    float[][] levels = new float[Spectra.frameCount(samples.length, HOP)][BANDS];
    float[] loudest = {1e-9f};
    Spectra.forEachFrame(
        samples,
        FFT_SIZE,
        HOP,
        (frame, magnitudes) -> {
          bands.power(magnitudes, levels[frame]);
          for (float power : levels[frame]) {
            loudest[0] = Math.max(loudest[0], power);
          }
        });
    int bassBands = bands.countBelow(BASS_HERTZ);
    float[] punch = punch(levels, bassBands);
    for (float[] frame : levels) {
      for (int b = 0; b < BANDS; b++) {
        frame[b] = (float) Math.log1p(COMPRESSION * frame[b] / loudest[0]);
      }
    }
    return new OnsetStrength(flux(levels, 0, BANDS), flux(levels, 0, bassBands), punch);
  }

  private static float[] punch(float[][] powers, int bassBands) {
    float[] flux = new float[powers.length];
    float before = 0;
    for (int t = 0; t < powers.length; t++) {
      float sum = 0;
      for (int b = 0; b < bassBands; b++) {
        sum += powers[t][b];
      }
      float level = (float) Math.sqrt(sum);
      flux[t] = Math.max(0, level - before);
      before = level;
    }
    return normalised(flux);
  }

  private static float[] flux(float[][] levels, int from, int to) {
    float[] flux = new float[levels.length];
    for (int t = LAG; t < levels.length; t++) {
      for (int b = from; b < to; b++) {
        float[] before = levels[t - LAG];
        float most = before[b];
        most = b > 0 ? Math.max(most, before[b - 1]) : most;
        most = b + 1 < BANDS ? Math.max(most, before[b + 1]) : most;
        flux[t] += Math.max(0, levels[t][b] - most);
      }
    }
    return normalised(flux);
  }

  private static float[] normalised(float[] flux) {
    double[] sums = new double[flux.length + 1];
    for (int t = 0; t < flux.length; t++) {
      sums[t + 1] = sums[t] + flux[t];
    }
    float[] out = new float[flux.length];
    double total = 0;
    for (int t = 0; t < flux.length; t++) {
      int from = Math.max(0, t - MEAN_FRAMES);
      int to = Math.min(flux.length, t + MEAN_FRAMES + 1);
      out[t] = (float) Math.max(0, flux[t] - (sums[to] - sums[from]) / (to - from));
      total += out[t];
    }
    double scale = total > 0 ? flux.length / total : 0;
    for (int t = 0; t < flux.length; t++) {
      out[t] *= (float) scale;
    }
    return out;
  }
}
