package org.descant.models;

import java.util.Arrays;

/**
 * Phase gradient heap integration: phases from magnitudes.
 *
 * <p>Průša, Balazs, Søndergaard, "A Noniterative Method for Reconstruction of Phase from STFT
 * Magnitude", IEEE/ACM TASLP 25(5), 2017. For a Gaussian window the phase's derivatives in time and
 * frequency are derivatives of the log magnitude; they are integrated outwards from the loudest
 * bin, always over the loudest bin known so far, with trapezoidal steps. A Hann window of N samples
 * is taken as the Gaussian with γ = 0.25645 N².
 *
 * <p>The priority queue is an array of stacks, one per quarter decibel: push and pop cost constant
 * time, and two bins a quarter decibel apart may change places, which the method does not notice.
 * About 60 ns a bin above the threshold; bins below it get random phases from a counter-based hash
 * of (seed, frame, bin), so that a stream's phases do not depend on how it was cut.
 *
 * <p>Not thread-safe: the scratch arrays are reused from call to call.
 */
final class Pghi {
  private static final double HANN_GAMMA = 0.25645;
  private static final float STEP = (float) (Math.log(10) / 80); // a quarter decibel in ln units
  private static final double TURN = 2 * Math.PI;

  private final int fft;
  private final int hop;
  private final int bins;
  private final float timeScale;
  private final float frequencyScale;
  private boolean[] done = new boolean[0];
  private int[] next = new int[0];
  private float[] timeStep = new float[0];
  private float[] frequencyStep = new float[0];

  Pghi(int fft, int hop) {
    this.fft = fft;
    this.hop = hop;
    this.bins = fft / 2 + 1;
    double gamma = HANN_GAMMA * fft * fft;
    this.timeScale = (float) ((double) hop * fft / gamma / 2);
    this.frequencyScale = (float) (-gamma / ((double) hop * fft) / 2);
  }

  /**
   * Fills {@code phaseTM} for frames {@code known .. frames-1}; the phases of the frames before are
   * given and are continued.
   *
   * @param lnTM natural log magnitudes, frame by frame, {@code fft/2+1} bins each; frames are
   *     centred on multiples of the hop and start half a window before their centre
   * @param phaseTM phases in radians of those frames, in and out
   * @param threshold bins at or below this natural log magnitude get random phases
   * @param firstFrame absolute number of the first frame, for the random phases
   */
  void integrate(
      float[] lnTM,
      float[] phaseTM,
      int frames,
      int known,
      float threshold,
      long seed,
      long firstFrame) {
    int cells = frames * bins;
    prepare(lnTM, frames, cells);
    float loudest = threshold;
    for (int i = 0; i < cells; i++) {
      loudest = Math.max(loudest, lnTM[i]);
    }
    int levels = Math.round((loudest - threshold) / STEP) + 2;
    int[] head = new int[levels];
    Arrays.fill(head, -1);

    for (int t = 0; t < frames; t++) {
      for (int m = 0; m < bins; m++) {
        int cell = t * bins + m;
        if (t < known) {
          done[cell] = true;
          phaseTM[cell] -= (float) (Math.PI * (m & 1));
        } else if (lnTM[cell] <= threshold) {
          done[cell] = true;
          phaseTM[cell] = (float) (TURN * unit(seed, firstFrame + t, m));
        }
      }
    }
    int top = -1;
    for (int m = 0; known > 0 && known < frames && m < bins; m++) {
      int cell = (known - 1) * bins + m;
      if (lnTM[cell] > threshold) {
        top = push(head, cell, level(lnTM[cell], threshold), top);
      }
    }

    int[] order = loudestFirst(lnTM, cells, known * bins, threshold, levels);
    int seedIndex = 0;
    while (true) {
      while (top >= 0) {
        int cell = head[top];
        if (cell < 0) {
          top--;
          continue;
        }
        head[top] = next[cell];
        int t = cell / bins;
        int m = cell - t * bins;
        float phase = phaseTM[cell];
        if (t + 1 < frames && !done[cell + bins]) {
          double step = 0.5 * ((double) timeStep[cell] + timeStep[cell + bins]) + advance(m);
          phaseTM[cell + bins] = wrap(phase + step);
          top = push(head, cell + bins, level(lnTM[cell + bins], threshold), top);
        }
        if (t > known && !done[cell - bins]) {
          double step = 0.5 * ((double) timeStep[cell] + timeStep[cell - bins]) + advance(m);
          phaseTM[cell - bins] = wrap(phase - step);
          top = push(head, cell - bins, level(lnTM[cell - bins], threshold), top);
        }
        if (m + 1 < bins && !done[cell + 1]) {
          phaseTM[cell + 1] =
              wrap(phase + 0.5 * ((double) frequencyStep[cell] + frequencyStep[cell + 1]));
          top = push(head, cell + 1, level(lnTM[cell + 1], threshold), top);
        }
        if (m > 0 && !done[cell - 1]) {
          phaseTM[cell - 1] =
              wrap(phase - 0.5 * ((double) frequencyStep[cell] + frequencyStep[cell - 1]));
          top = push(head, cell - 1, level(lnTM[cell - 1], threshold), top);
        }
      }
      while (seedIndex < order.length && done[order[seedIndex]]) {
        seedIndex++;
      }
      if (seedIndex == order.length) {
        break;
      }
      int cell = order[seedIndex];
      phaseTM[cell] = 0;
      top = push(head, cell, level(lnTM[cell], threshold), top);
    }

    // A frame starts half a window before its centre: half a turn for every odd bin.
    for (int t = 0; t < frames; t++) {
      for (int m = 1; m < bins; m += 2) {
        phaseTM[t * bins + m] += (float) Math.PI;
      }
    }
  }

  private int push(int[] head, int cell, int level, int top) {
    done[cell] = true;
    next[cell] = head[level];
    head[level] = cell;
    return Math.max(top, level);
  }

  private static int level(float ln, float threshold) {
    return Math.max(0, Math.round((ln - threshold) / STEP));
  }

  private double advance(int bin) {
    return TURN * (((long) hop * bin) % fft) / fft;
  }

  private static float wrap(double phase) {
    return (float) (phase - TURN * Math.rint(phase / TURN));
  }

  /** Phase derivatives in time (less the bin's own advance) and in frequency. */
  private void prepare(float[] lnTM, int frames, int cells) {
    if (done.length < cells) {
      done = new boolean[cells];
      next = new int[cells];
      timeStep = new float[cells];
      frequencyStep = new float[cells];
    }
    Arrays.fill(done, 0, cells, false);
    for (int t = 0; t < frames; t++) {
      int row = t * bins;
      int before = t > 0 ? row - bins : row;
      int after = t + 1 < frames ? row + bins : row;
      float span = t > 0 && t + 1 < frames ? 1 : 2;
      for (int m = 0; m < bins; m++) {
        frequencyStep[row + m] = frequencyScale * span * (lnTM[after + m] - lnTM[before + m]);
      }
      for (int m = 1; m + 1 < bins; m++) {
        timeStep[row + m] = timeScale * (lnTM[row + m + 1] - lnTM[row + m - 1]);
      }
      timeStep[row] = 2 * timeScale * (lnTM[row + 1] - lnTM[row]);
      timeStep[row + bins - 1] = 2 * timeScale * (lnTM[row + bins - 1] - lnTM[row + bins - 2]);
    }
  }

  /** Cells not yet done from loud to quiet: a counting sort over the quarter decibels. */
  private int[] loudestFirst(float[] lnTM, int cells, int from, float threshold, int levels) {
    int[] start = new int[levels + 1];
    for (int i = from; i < cells; i++) {
      if (!done[i]) {
        start[levels - level(lnTM[i], threshold)]++;
      }
    }
    for (int i = 1; i <= levels; i++) {
      start[i] += start[i - 1];
    }
    int[] order = new int[start[levels]];
    for (int i = cells - 1; i >= from; i--) {
      if (!done[i]) {
        order[--start[levels - level(lnTM[i], threshold)]] = i;
      }
    }
    return order;
  }

  /** A number in 0..1 that depends on its arguments only (SplitMix64's finaliser). */
  static double unit(long seed, long frame, int bin) {
    long z = seed + 0x9E3779B97F4A7C15L * (frame * 4099 + bin + 1);
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return ((z ^ (z >>> 31)) >>> 11) * 0x1.0p-53;
  }
}
