package org.descant.models.phase;

import java.util.Arrays;

/**
 * Phases from magnitudes, frame by frame, by integrating the phase's gradient.
 *
 * <p>Průša and Søndergaard, "Real-Time Spectrogram Inversion Using Phase Gradient Heap
 * Integration", DAFx 2016, with one frame of look-ahead. For a Gaussian window the phase's
 * derivatives in time and frequency are derivatives of the log magnitude (Průša, Balazs,
 * Søndergaard, "A Noniterative Method for Reconstruction of Phase from STFT Magnitude", IEEE/ACM
 * TASLP 25(5), 2017); a Hann window of N samples is taken as the Gaussian with γ = 0.25645 N².
 */
final class RealTimePghi {
  /*
   * The heap of the paper is not needed. It takes the loudest bin reached so far, of this frame or
   * the one before, and continues its phase: in time if the bin is of the frame before, to both
   * neighbours in frequency if it is of this one. So a bin is reached over the path whose quietest
   * bin is loudest, and within one frame paths only run upwards or downwards: with p the levels of
   * the frame before and s those of this one,
   *
   *   up[m]   = min(max(up[m-1], p[m-1]), s[m-1])
   *   down[m] = min(max(down[m+1], p[m+1]), s[m+1])
   *
   * and bin m continues its own past if p[m] is the largest of p[m], up[m] and down[m], else its
   * lower or its upper neighbour. Two passes of a maximum and a minimum a bin, on integers; about
   * 5 µs a frame of 1,025 bins where a heap took 30.
   *
   * Runs of bins that nothing loud before reaches start at their loudest bin with phase 0: a click
   * in the frame's middle. Phases are integers of 2^-32 turns: they wrap by themselves, and the
   * choice between two of them is a conditional move where a branch would often be guessed wrong.
   */
  private static final double HANN_GAMMA = 0.25645;

  /** Added and subtracted, it rounds a float to an integer: 1.5 · 2^23. */
  private static final float ROUND = 12582912f;

  private static final float PER_TURN = 0x1p32f;

  /** Levels per unit of natural logarithm: 0.002 dB. */
  private static final float LEVELS = 4096;

  private final int bins;
  private final float timeScale;
  private final float frequencyScale;
  private final float[] advance; // of a bin from frame to frame, turns

  // One frame each.
  private int[] level;
  private int[] levelBefore;
  private float[] gradient;
  private float[] gradientBefore;
  private final float[] change;
  private final float[] shifted;
  private final int[] step; // phase from bin m-1 to bin m
  private final int[] phase;
  private final int[] phaseBefore;
  private final int[] down;
  private final int[] fromAbove; // all ones or zero

  RealTimePghi(int fft, int hop) {
    this.bins = fft / 2 + 1;
    double gamma = HANN_GAMMA * fft * fft;
    double turn = 2 * Math.PI;
    this.timeScale = (float) ((double) hop * fft / gamma / 2 / turn);
    this.frequencyScale = (float) (-gamma / ((double) hop * fft) / 2 / turn);
    this.advance = new float[bins];
    for (int m = 0; m < bins; m++) {
      advance[m] = (float) (((long) hop * m) % fft) / fft;
    }
    this.level = new int[bins];
    this.levelBefore = new int[bins];
    this.gradient = new float[bins];
    this.gradientBefore = new float[bins];
    this.change = new float[bins];
    this.shifted = new float[bins];
    this.step = new int[bins];
    this.phase = new int[bins];
    this.phaseBefore = new int[bins];
    this.down = new int[bins];
    this.fromAbove = new int[bins];
  }

  /**
   * Fills {@code turnsTM} for frames {@code known .. frames-1}.
   *
   * @param lnTM natural log magnitudes, frame by frame; frames are centred on multiples of the hop
   *     and start half a window before their centre
   * @param turnsTM phases in turns, ±0.5; that of frame {@code known - 1} is continued
   * @param known frames whose phases are given, 0 for the start of a stream
   * @param silence bins at or below this natural log magnitude are no one's past, and their phases
   *     mean nothing
   */
  void integrate(float[] lnTM, float[] turnsTM, int frames, int known, float silence) {
    Arrays.fill(level, 0);
    for (int t = Math.max(0, known - 1); t < frames; t++) {
      int row = t * bins;
      swap();
      System.arraycopy(lnTM, row, shifted, 0, bins);
      levels(shifted, level, silence, bins);
      timeGradient(lnTM, row);
      if (t < known) {
        System.arraycopy(turnsTM, row, shifted, 0, bins);
        fixed(shifted, phaseBefore, bins);
        continue;
      }
      boolean middle = t > 0 && t + 1 < frames;
      frequencySteps(
          lnTM,
          t > 0 ? row - bins : row,
          t + 1 < frames ? row + bins : row,
          middle ? frequencyScale : 2 * frequencyScale);
      continuePast();
      sweep();
      System.arraycopy(phase, 0, phaseBefore, 0, bins);
      turns(phase, shifted, bins);
      System.arraycopy(shifted, 0, turnsTM, row, bins);
    }
  }

  private void swap() {
    int[] l = levelBefore;
    levelBefore = level;
    level = l;
    float[] g = gradientBefore;
    gradientBefore = gradient;
    gradient = g;
  }

  private static void levels(float[] ln, int[] level, float silence, int bins) {
    for (int m = 0; m < bins; m++) {
      level[m] = Math.max(0, (int) ((ln[m] - silence) * LEVELS));
    }
  }

  /** Phases in turns as integers. */
  private static void fixed(float[] turns, int[] phase, int bins) {
    for (int m = 0; m < bins; m++) {
      phase[m] = (int) ((turns[m] - ((turns[m] + ROUND) - ROUND)) * PER_TURN);
    }
  }

  private static void turns(int[] phase, float[] turns, int bins) {
    for (int m = 0; m < bins; m++) {
      turns[m] = phase[m] * (1 / PER_TURN);
    }
  }

  /** Half of what the phase gains to the next frame, beyond half of the bin's own advance. */
  private void timeGradient(float[] lnTM, int row) {
    System.arraycopy(lnTM, row + 1, gradient, 0, bins - 1);
    gradient[bins - 1] = gradient[bins - 2];
    System.arraycopy(lnTM, row, shifted, 1, bins - 1);
    shifted[0] = shifted[1];
    scaledDifference(gradient, shifted, 0.5f * timeScale, bins);
    gradient[0] *= 2;
    gradient[bins - 1] *= 2;
  }

  private static void scaledDifference(float[] a, float[] b, float scale, int bins) {
    for (int m = 0; m < bins; m++) {
      a[m] = (a[m] - b[m]) * scale;
    }
  }

  /**
   * Steps to the next bin: the gradient, and half a turn since frames begin before their centre.
   */
  private void frequencySteps(float[] lnTM, int before, int after, float scale) {
    System.arraycopy(lnTM, after, change, 0, bins);
    System.arraycopy(lnTM, before, shifted, 0, bins);
    scaledDifference(change, shifted, 0.5f * scale, bins);
    System.arraycopy(change, 0, shifted, 1, bins - 1);
    shifted[0] = 0;
    sum(change, shifted, bins);
    fixed(change, step, bins);
  }

  private static void sum(float[] change, float[] below, int bins) {
    for (int m = 0; m < bins; m++) {
      change[m] = change[m] + below[m] + 0.5f;
    }
  }

  private void continuePast() {
    sum(change, gradientBefore, gradient, advance, bins);
    fixed(change, phase, bins);
    sum(phase, phaseBefore, bins);
  }

  private static void sum(float[] sum, float[] a, float[] b, float[] c, int bins) {
    for (int m = 0; m < bins; m++) {
      sum[m] = a[m] + b[m] + c[m];
    }
  }

  private static void sum(int[] phase, int[] before, int bins) {
    for (int m = 0; m < bins; m++) {
      phase[m] += before[m];
    }
  }

  /** Replaces the phases of bins that are reached from a neighbour before they reach their past. */
  private void sweep() {
    int reach = 0;
    for (int m = bins - 1; m >= 0; m--) {
      down[m] = reach;
      reach = Math.min(Math.max(reach, levelBefore[m]), level[m]);
    }
    int up = 0;
    int below = 0;
    for (int m = 0; m < bins; m++) {
      int past = levelBefore[m];
      int above = down[m];
      if ((past | up | above) == 0 && level[m] > 0) {
        m = begin(m);
        continue; // nothing of this run reaches beyond it
      }
      // Differences of levels do not overflow; their sign bits are masks.
      int fromBelow = ((past - up) >> 31) & ~((up - above) >> 31);
      fromAbove[m] = ((past - above) >> 31) & ((up - above) >> 31);
      below = phase[m] + ((below + step[m] - phase[m]) & fromBelow);
      phase[m] = below;
      up = Math.min(Math.max(up, past), level[m]);
    }
    int above = phase[bins - 1];
    for (int m = bins - 2; m >= 0; m--) {
      above = phase[m] + ((above - step[m + 1] - phase[m]) & fromAbove[m]);
      phase[m] = above;
    }
  }

  /** Phases of a run of bins without a past, from {@code first} on; returns its last bin. */
  private int begin(int first) {
    int loudest = first;
    int end = first;
    while (end < bins && level[end] > 0) {
      if (level[end] > level[loudest]) {
        loudest = end;
      }
      fromAbove[end] = 0;
      end++;
    }
    phase[loudest] = 0;
    for (int m = loudest + 1; m < end; m++) {
      phase[m] = phase[m - 1] + step[m];
    }
    for (int m = loudest - 1; m >= first; m--) {
      phase[m] = phase[m + 1] - step[m + 1];
    }
    return end - 1;
  }
}
