package org.descant.audio.analysis;

import org.descant.audio.AudioException;
import org.descant.audio.Pcm;

/**
 * Programme loudness by ITU-R BS.1770-4 (the measure of EBU R 128) for one and two channels, and
 * gain to reach it.
 */
public final class Loudness {
  /*
   * Two filters (a high shelf for the head, a high-pass), mean squares over blocks of 400 ms every
   * 100 ms, a gate at -70 LUFS, and one 10 LU below the mean of what passed the first. The standard
   * gives coefficients at 48 kHz; these are the analogue parameters behind them (as published with
   * EBU libebur128 and pyloudnorm), so that every rate gets its own.
   */
  private static final double SHELF_HERTZ = 1681.974450955533;
  private static final double SHELF_GAIN_DB = 3.999843853973347;
  private static final double SHELF_Q = 0.7071752369554196;
  private static final double SHELF_BAND_EXPONENT = 0.4996667741545416;
  private static final double HIGH_PASS_HERTZ = 38.13547087602444;
  private static final double HIGH_PASS_Q = 0.5003270373238773;
  private static final double OFFSET_LUFS = -0.691;
  private static final double ABSOLUTE_GATE_LUFS = -70;
  private static final double RELATIVE_GATE_LU = -10;
  private static final double STEP_SECONDS = 0.1;
  private static final int STEPS_PER_BLOCK = 4;

  private Loudness() {}

  /**
   * Integrated loudness in LUFS; negative infinity if everything lies below the gate of -70 LUFS. A
   * sound shorter than 400 ms counts as one block.
   */
  public static double integratedLufs(Pcm pcm) {
    if (pcm.frames() == 0) {
      return Double.NEGATIVE_INFINITY;
    }
    double[] blocks = blockPowers(pcm);
    double absolute = power(ABSOLUTE_GATE_LUFS);
    double first = meanAbove(blocks, absolute);
    double relative = first * StrictMath.pow(10, RELATIVE_GATE_LU / 10);
    return lufs(meanAbove(blocks, Math.max(absolute, relative)));
  }

  /** The largest absolute sample, 1 at full scale. */
  public static float samplePeak(Pcm pcm) {
    float peak = 0;
    for (float[] channel : pcm.channels()) {
      for (float sample : channel) {
        peak = Math.max(peak, Math.abs(sample));
      }
    }
    return peak;
  }

  /**
   * A copy at the loudness that is asked for, or less where a sample would pass the ceiling: no
   * limiter, one gain for all samples. Silence stays silence.
   *
   * @param lufs the loudness wanted
   * @param peakCeiling the largest absolute sample allowed, more than 0, 1 at full scale
   */
  public static Pcm normalizeTo(Pcm pcm, double lufs, double peakCeiling) {
    if (!(peakCeiling > 0) || !Double.isFinite(lufs)) {
      throw new AudioException(
          "Loudness needs a finite level and a ceiling above 0, was %s LUFS and %s."
              .formatted(lufs, peakCeiling));
    }
    double now = integratedLufs(pcm);
    float peak = samplePeak(pcm);
    if (now == Double.NEGATIVE_INFINITY || peak == 0) {
      return pcm.slice(0, pcm.frames());
    }
    double gain = Math.min(StrictMath.pow(10, (lufs - now) / 20), peakCeiling / peak);
    float[][] out = new float[pcm.channelCount()][pcm.frames()];
    for (int c = 0; c < out.length; c++) {
      for (int i = 0; i < out[c].length; i++) {
        out[c][i] = (float) (pcm.channel(c)[i] * gain);
      }
    }
    return new Pcm(out, pcm.sampleRate());
  }

  /** Mean square of every block after both filters, summed over channels. */
  private static double[] blockPowers(Pcm pcm) {
    int step = Math.max(1, (int) Math.round(STEP_SECONDS * pcm.sampleRate()));
    int steps = pcm.frames() / step;
    if (steps < STEPS_PER_BLOCK) {
      step = pcm.frames();
      steps = 1;
    }
    double[] squares = new double[steps];
    double[] shelf = shelf(pcm.sampleRate());
    double[] highPass = highPass(pcm.sampleRate());
    for (float[] channel : pcm.channels()) {
      double s1 = 0;
      double s2 = 0;
      double h1 = 0;
      double h2 = 0;
      for (int i = 0; i < steps * step; i++) {
        double x = channel[i];
        double y = shelf[0] * x + s1; // Transposed direct form II.
        s1 = shelf[1] * x - shelf[3] * y + s2;
        s2 = shelf[2] * x - shelf[4] * y;
        double z = highPass[0] * y + h1;
        h1 = highPass[1] * y - highPass[3] * z + h2;
        h2 = highPass[2] * y - highPass[4] * z;
        squares[i / step] += z * z;
      }
    }
    int perBlock = Math.min(steps, STEPS_PER_BLOCK);
    double[] blocks = new double[steps - perBlock + 1];
    for (int b = 0; b < blocks.length; b++) {
      for (int k = 0; k < perBlock; k++) {
        blocks[b] += squares[b + k] / ((double) perBlock * step);
      }
    }
    return blocks;
  }

  private static double meanAbove(double[] blocks, double gate) {
    double sum = 0;
    int count = 0;
    for (double block : blocks) {
      if (block > gate) {
        sum += block;
        count++;
      }
    }
    return count == 0 ? 0 : sum / count;
  }

  private static double lufs(double power) {
    return power <= 0 ? Double.NEGATIVE_INFINITY : OFFSET_LUFS + 10 * StrictMath.log10(power);
  }

  private static double power(double lufs) {
    return StrictMath.pow(10, (lufs - OFFSET_LUFS) / 10);
  }

  /** b0, b1, b2, a1, a2 of the first filter. */
  private static double[] shelf(int sampleRate) {
    double k = StrictMath.tan(StrictMath.PI * SHELF_HERTZ / sampleRate);
    double high = StrictMath.pow(10, SHELF_GAIN_DB / 20);
    double band = StrictMath.pow(high, SHELF_BAND_EXPONENT);
    double a0 = 1 + k / SHELF_Q + k * k;
    return new double[] {
      (high + band * k / SHELF_Q + k * k) / a0,
      2 * (k * k - high) / a0,
      (high - band * k / SHELF_Q + k * k) / a0,
      2 * (k * k - 1) / a0,
      (1 - k / SHELF_Q + k * k) / a0
    };
  }

  /** b0, b1, b2, a1, a2 of the second filter. */
  private static double[] highPass(int sampleRate) {
    double k = StrictMath.tan(StrictMath.PI * HIGH_PASS_HERTZ / sampleRate);
    double a0 = 1 + k / HIGH_PASS_Q + k * k;
    return new double[] {1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / HIGH_PASS_Q + k * k) / a0};
  }
}
