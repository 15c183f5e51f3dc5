package org.descant.audio;

/**
 * Band-limited interpolation between two sample rates.
 *
 * <p>Package-private; callers use {@link Pcm#resampled}. Only {@code StrictMath} and plain
 * arithmetic, so that two machines agree bit for bit. Safe for many threads once built.
 */
final class Resampler {
  /*
   * A Kaiser-windowed sinc (J. O. Smith, "Digital Audio Resampling Home Page"; Kaiser 1974) of
   * HALF_ZEROS zero crossings on each side, cut off at ROLLOFF of the lower Nyquist frequency.
   * beta 9.5 gives a stop band of about -95 dB. The kernel is tabled per phase: if the reduced
   * ratio has up to PHASES_MAX phases every output falls on a row exactly, otherwise two rows are
   * mixed, at an error near -130 dB. Cost: 2 * HALF_ZEROS * max(1, from/to) multiplications a
   * sample, about 100 times faster than real time per channel and core.
   */
  private static final int HALF_ZEROS = 24;
  private static final double ROLLOFF = 0.945;
  private static final double KAISER_BETA = 9.5;
  private static final int PHASES_MAX = 2048;

  private final int up;
  private final int down;
  private final int phases;
  private final int taps;
  private final float[][] rows;

  Resampler(int from, int to) {
    int divisor = greatestCommonDivisor(from, to);
    up = to / divisor;
    down = from / divisor;
    phases = Math.min(up, PHASES_MAX);
    double cutoff = ROLLOFF * Math.min(1.0, to / (double) from);
    int half = (int) StrictMath.ceil(HALF_ZEROS / cutoff);
    taps = 2 * half;
    rows = new float[phases + 1][taps];
    for (int p = 0; p <= phases; p++) {
      double sum = 0;
      double[] row = new double[taps];
      for (int t = 0; t < taps; t++) {
        double distance = t - (half - 1) - p / (double) phases;
        row[t] = sinc(distance * cutoff) * kaiser(distance / half);
        sum += row[t];
      }
      for (int t = 0; t < taps; t++) {
        rows[p][t] = (float) (row[t] / sum);
      }
    }
  }

  float[] apply(float[] in) {
    int length = Math.toIntExact(((long) in.length * up + down - 1) / down);
    float[] out = new float[length];
    int half = taps / 2;
    for (int n = 0; n < length; n++) {
      long position = (long) n * down;
      int whole = (int) (position / up);
      long scaled = (position % up) * phases;
      int row = (int) (scaled / up);
      float mix = (scaled % up) / (float) up;
      int start = whole - (half - 1);
      float value = convolve(in, start, rows[row]);
      out[n] = mix == 0 ? value : value + mix * (convolve(in, start, rows[row + 1]) - value);
    }
    return out;
  }

  /** Four sums at a time: the additions of one sum would wait for each other. */
  private float convolve(float[] in, int start, float[] row) {
    int first = Math.max(0, -start);
    int last = Math.min(taps, in.length - start);
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int t = first;
    for (; t + 3 < last; t += 4) {
      a += in[start + t] * row[t];
      b += in[start + t + 1] * row[t + 1];
      c += in[start + t + 2] * row[t + 2];
      d += in[start + t + 3] * row[t + 3];
    }
    for (; t < last; t++) {
      a += in[start + t] * row[t];
    }
    return (a + b) + (c + d);
  }

  private static double sinc(double x) {
    return x == 0 ? 1 : StrictMath.sin(StrictMath.PI * x) / (StrictMath.PI * x);
  }

  private static double kaiser(double x) {
    double inside = 1 - x * x;
    return inside <= 0
        ? 0
        : besselI0(KAISER_BETA * StrictMath.sqrt(inside)) / besselI0(KAISER_BETA);
  }

  private static double besselI0(double x) {
    double term = 1;
    double sum = 1;
    for (int k = 1; term > 1e-18 * sum; k++) {
      double factor = x / (2 * k);
      term *= factor * factor;
      sum += term;
    }
    return sum;
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }
}
