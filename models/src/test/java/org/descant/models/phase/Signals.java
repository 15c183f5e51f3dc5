package org.descant.models.phase;

/** Sounds that tests make themselves. */
public final class Signals {
  public static final int RATE = 44100;

  private Signals() {}

  /** A triad whose notes decay and return every half second, and a rising chirp over it. */
  public static float[] chordAndChirp(double seconds) {
    float[] signal = new float[(int) (seconds * RATE)];
    double[] notes = {220, 277.18, 329.63};
    for (int i = 0; i < signal.length; i++) {
      double t = (double) i / RATE;
      double decay = Math.exp(-4 * (t % 0.5));
      double sum = 0;
      for (double note : notes) {
        for (int h = 1; h <= 6; h++) {
          sum += decay / h * Math.sin(2 * Math.PI * note * h * t);
        }
      }
      signal[i] = (float) (0.12 * sum + 0.15 * Math.sin(2 * Math.PI * (400 * t + 250 * t * t)));
    }
    return signal;
  }

  /** White noise from a seed. */
  public static float[] noise(double seconds, double level, long seed) {
    float[] signal = new float[(int) (seconds * RATE)];
    java.util.SplittableRandom random = new java.util.SplittableRandom(seed);
    for (int i = 0; i < signal.length; i++) {
      signal[i] = (float) (level * (2 * random.nextDouble() - 1));
    }
    return signal;
  }

  /** ‖ |STFT(signal)| − magnitude ‖ / ‖ magnitude ‖. */
  static double spectralConvergence(Stft stft, float[] magnitude, int frames, float[] signal) {
    float[] re = new float[frames * stft.bins()];
    float[] im = new float[frames * stft.bins()];
    stft.analyse(signal, frames, re, im);
    double difference = 0;
    double whole = 0;
    for (int i = 0; i < re.length; i++) {
      double d = Math.hypot(re[i], im[i]) - magnitude[i];
      difference += d * d;
      whole += (double) magnitude[i] * magnitude[i];
    }
    return Math.sqrt(difference / whole);
  }
}
