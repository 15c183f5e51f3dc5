package org.descant.models.phase;

import java.util.Arrays;

/**
 * A waveform for a stream of frames whose magnitudes and phases are both known. No frame stays
 * open, so the waveform does not depend on how the frames were cut. The same bits on every machine.
 * Not thread-safe.
 */
public final class GivenPhases implements FrameSynthesis {
  /** Added and subtracted, it rounds a float to an integer: 1.5 · 2^23. */
  private static final float ROUND = 12582912f;

  private final RowFft fft;
  private final OverlapAdd waveform;
  private final int bins;
  private final int framesMax;
  private final float silence;
  private final float[][] re;
  private final float[][] im;
  private final float[] magnitudes;
  private final float[] turns;

  /**
   * @param fft samples in a frame, of which a quarter is the hop
   * @param framesMax most frames appended at once
   * @param silence bins at or below this natural log magnitude are made silent
   */
  public GivenPhases(int fft, int framesMax, float silence) {
    this.fft = new RowFft(fft, framesMax);
    this.waveform = new OverlapAdd(this.fft, fft / OverlapAdd.OVERLAP, framesMax);
    this.bins = fft / 2 + 1;
    this.framesMax = framesMax;
    this.silence = silence;
    this.re = new float[bins][framesMax];
    this.im = new float[bins][framesMax];
    this.magnitudes = new float[framesMax];
    this.turns = new float[framesMax];
  }

  @Override
  public RowFft fft() {
    return fft;
  }

  @Override
  public float[][] re() {
    return re;
  }

  @Override
  public float[][] im() {
    return im;
  }

  /**
   * Adds frames and gives out what became final.
   *
   * @param lnTM natural log magnitudes, frame by frame
   * @param turnsTM phases in turns, frame by frame; any number of whole turns more is the same
   * @param last whether these were the last
   */
  public Finished append(float[] lnTM, float[] turnsTM, int frames, boolean last) {
    if (frames > framesMax) {
      throw new IllegalArgumentException(frames + " frames at once, at most " + framesMax);
    }
    for (int m = 0; m < bins; m++) {
      for (int t = 0; t < frames; t++) {
        float turn = turnsTM[t * bins + m];
        magnitudes[t] = lnTM[t * bins + m];
        turns[t] = turn - ((turn + ROUND) - ROUND);
      }
      PhaseRecovery.exponential(magnitudes, silence, frames);
      PhaseRecovery.rotate(magnitudes, turns, re[m], im[m], frames);
    }
    Arrays.fill(im[0], 0); // a real frame's lowest and highest bins are real
    Arrays.fill(im[bins - 1], 0);
    int half = bins - 1;
    for (int k = 0; k <= half / 2; k++) {
      fft.pack(k, re[k], im[k], re[half - k], im[half - k], frames);
    }
    fft.inverse(frames);
    return new Finished(frames, waveform.emit(frames, last));
  }
}
