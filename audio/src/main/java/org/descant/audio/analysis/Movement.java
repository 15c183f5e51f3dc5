package org.descant.audio.analysis;

import org.descant.audio.Pcm;

/**
 * What happens in a sound, freed of level, equalisation and standing timbre: the matter that
 * fingerprints and copied spans compare. {@code frames[t][band]} are whole steps of 1.5 dB, -8 to
 * 7, around the local mean. Not changed once made.
 */
final class Movement {
  /*
   * Mono, 11,025 Hz; log-mel frames of 40 bands from 100 to 5,200 Hz (FFT 1024), one every 46 ms.
   * Levels more than RANGE_DB below the loudest band within ±1 s are cut. From each band its mean
   * over ±1 s is taken away, and from each frame its mean. A second set of frames that lie half a
   * frame later is made by averaging neighbours: so no alignment is further off than 12 ms, and
   * correlations stay above 0.9 (0.8 without) through Opus at 32 kb/s.
   *
   * One long a frame holds the signs of its bands, another says which bands differ from 0: two
   * popcounts tell most alignments apart from a copy, at a twentieth of the price of products.
   */
  static final int BANDS = 40;
  static final double SECONDS_PER_FRAME = 512 / 11_025.0;
  static final int STEP_MIN = -8;
  static final int STEP_MAX = 7;

  private static final int SAMPLE_RATE = 11_025;
  private static final int HOP = 512;
  private static final int FFT_SIZE = 1024;
  private static final double LOW_HERTZ = 100;
  private static final double HIGH_HERTZ = 5200;
  private static final double POWER_MIN = 1e-10;
  private static final double RANGE_DB = 40;
  private static final double TOTAL_RANGE_DB = 60;
  private static final double STEP_DB = 1.5;
  private static final int AROUND = (int) Math.round(1.0 * SAMPLE_RATE / HOP);

  final float[][] frames;
  private final long[] signs;
  private final long[] known;
  private final double[] energySums;

  Movement(float[][] frames) {
    this.frames = frames;
    signs = new long[frames.length];
    known = new long[frames.length];
    energySums = new double[frames.length + 1];
    for (int t = 0; t < frames.length; t++) {
      for (int b = 0; b < BANDS; b++) {
        signs[t] |= frames[t][b] > 0 ? 1L << b : 0;
        known[t] |= Math.abs(frames[t][b]) >= 1 ? 1L << b : 0;
      }
      energySums[t + 1] = energySums[t] + dot(frames[t], frames[t]);
    }
  }

  static Movement of(Pcm pcm) {
    float[] samples = pcm.mono().resampled(SAMPLE_RATE).channel(0);
    MelBands bands = new MelBands(BANDS, SAMPLE_RATE, FFT_SIZE, LOW_HERTZ, HIGH_HERTZ);
    float[][] levels = new float[Spectra.frameCount(samples.length, HOP)][BANDS];
    Spectra.forEachFrame(
        samples,
        FFT_SIZE,
        HOP,
        (frame, magnitudes) -> {
          bands.power(magnitudes, levels[frame]);
          for (int b = 0; b < BANDS; b++) {
            levels[frame][b] = (float) (10 * StrictMath.log10(levels[frame][b] + POWER_MIN));
          }
        });
    cutBelowRange(levels);
    subtractMeans(levels);
    for (float[] frame : levels) {
      for (int b = 0; b < BANDS; b++) {
        frame[b] = Math.clamp(Math.round(frame[b] / STEP_DB), STEP_MIN, STEP_MAX);
      }
    }
    return new Movement(levels);
  }

  /** The frames that lie half a frame later, one fewer. */
  Movement half() {
    float[][] between = new float[Math.max(0, frames.length - 1)][BANDS];
    for (int t = 0; t < between.length; t++) {
      for (int b = 0; b < BANDS; b++) {
        between[t][b] = (frames[t][b] + frames[t + 1][b]) / 2;
      }
    }
    return new Movement(between);
  }

  int length() {
    return frames.length;
  }

  /** Sum of squares, in steps, of {@code count} frames. */
  double energy(int from, int count) {
    return energySums[from + count] - energySums[from];
  }

  double product(int t, Movement other, int u) {
    return dot(frames[t], other.frames[u]);
  }

  /** How many bands have a known sign in both frames. */
  int compared(int t, Movement other, int u) {
    return Long.bitCount(known[t] & other.known[u]);
  }

  /** How many of these have different signs. */
  int differing(int t, Movement other, int u) {
    return Long.bitCount(known[t] & other.known[u] & (signs[t] ^ other.signs[u]));
  }

  private static void cutBelowRange(float[][] levels) {
    float[] tops = new float[levels.length];
    float loudest = Float.NEGATIVE_INFINITY;
    for (int t = 0; t < levels.length; t++) {
      tops[t] = Float.NEGATIVE_INFINITY;
      for (float level : levels[t]) {
        tops[t] = Math.max(tops[t], level);
      }
      loudest = Math.max(loudest, tops[t]);
    }
    for (int t = 0; t < levels.length; t++) {
      float top = Float.NEGATIVE_INFINITY;
      int last = Math.min(levels.length - 1, t + AROUND);
      for (int u = Math.max(0, t - AROUND); u <= last; u++) {
        top = Math.max(top, tops[u]);
      }
      float floor = (float) Math.max(top - RANGE_DB, loudest - TOTAL_RANGE_DB);
      for (int b = 0; b < BANDS; b++) {
        levels[t][b] = Math.max(levels[t][b], floor);
      }
    }
  }

  private static void subtractMeans(float[][] levels) {
    int count = levels.length;
    double[] sums = new double[count + 1];
    for (int b = 0; b < BANDS; b++) {
      for (int t = 0; t < count; t++) {
        sums[t + 1] = sums[t] + levels[t][b];
      }
      for (int t = 0; t < count; t++) {
        int from = Math.max(0, t - AROUND);
        int to = Math.min(count, t + AROUND + 1);
        levels[t][b] -= (float) ((sums[to] - sums[from]) / (to - from));
      }
    }
    for (float[] frame : levels) {
      float mean = 0;
      for (float value : frame) {
        mean += value / BANDS;
      }
      for (int b = 0; b < BANDS; b++) {
        frame[b] -= mean;
      }
    }
  }

  /** Four sums at a time: the additions of one sum would wait for each other. */
  private static float dot(float[] x, float[] y) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    for (int i = 0; i < BANDS; i += 4) {
      a += x[i] * y[i];
      b += x[i + 1] * y[i + 1];
      c += x[i + 2] * y[i + 2];
      d += x[i + 3] * y[i + 3];
    }
    return a + b + c + d;
  }
}
