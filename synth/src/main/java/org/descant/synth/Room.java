package org.descant.synth;

/**
 * A room: feedback delay network of eight lines (Jot and Chaigne 1991) with a Householder matrix,
 * damped by a one-pole low-pass in each line, after a short predelay.
 */
final class Room {
  /**
   * @param seconds until a sound has fallen by 60 dB
   * @param damping how much faster high frequencies fall, 0 to 1
   */
  record Size(double seconds, double damping) {}

  private static final int LINES = 8;
  private static final int[] LENGTHS = {1427, 1613, 1801, 1973, 2153, 2371, 2579, 2803};
  private static final int MASK = 4095;
  private static final int PREDELAY = 661;

  private Room() {}

  /** Adds the room's answer to {@code send} times the signal. Linear: stems stay additive. */
  static void add(Size size, float send, float[] left, float[] right) {
    float[][] lines = new float[LINES][MASK + 1];
    float[] feedback = new float[LINES];
    float[] low = new float[LINES];
    for (int i = 0; i < LINES; i++) {
      double fall = -6.907755 * LENGTHS[i] / (size.seconds() * Dsp.RATE);
      feedback[i] = (float) StrictMath.exp(fall);
    }
    float pass = (float) (1 - size.damping());
    float hpL = 0;
    float hpR = 0;
    float[] delayL = new float[1024];
    float[] delayR = new float[1024];
    float[] y = new float[LINES];
    for (int n = 0; n < left.length; n++) {
      int from = (n - PREDELAY) & 1023;
      float inL = delayL[from] * send;
      float inR = delayR[from] * send;
      delayL[n & 1023] = left[n];
      delayR[n & 1023] = right[n];
      hpL += 0.02f * (inL - hpL);
      hpR += 0.02f * (inR - hpR);
      inL -= hpL;
      inR -= hpR;
      float sum = 0;
      for (int i = 0; i < LINES; i++) {
        float x = lines[i][(n - LENGTHS[i]) & MASK];
        low[i] += pass * (x - low[i]);
        float v = low[i] * feedback[i];
        y[i] = v;
        sum += v;
      }
      sum *= 2f / LINES;
      int at = n & MASK;
      for (int i = 0; i < LINES; i++) {
        lines[i][at] = y[i] - sum + ((i & 1) == 0 ? inL : inR);
      }
      left[n] += 0.45f * (y[0] - y[2] + y[4] - y[6]);
      right[n] += 0.45f * (y[1] - y[3] + y[5] - y[7]);
    }
  }
}
