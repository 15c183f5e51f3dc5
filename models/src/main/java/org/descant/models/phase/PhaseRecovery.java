package org.descant.models.phase;

/**
 * A waveform for a stream of magnitude frames: phases by {@link RealTimePghi}, then rounds of fast
 * Griffin-Lim.
 *
 * <p>Griffin-Lim with momentum as in Perraudin, Balazs, Søndergaard, "A fast Griffin-Lim
 * algorithm", WASPAA 2013. All frames that were appended at once are solved together; the last
 * {@link #LOOK_AHEAD} of them stay open and are solved again with the next ones. Finished frames
 * are seen by those that follow through what they left in the waveform, which no longer changes. So
 * the waveform depends on how the frames were cut: for the same bits, cut alike.
 *
 * <p>Cost of a frame of 2,048 samples: 5 µs for the phases' start and 6 µs a round. The same bits
 * on every machine. Not thread-safe.
 */
public final class PhaseRecovery implements FrameSynthesis {
  /** Frames that stay open: as many as share samples with a finished one, and one for its slope. */
  public static final int LOOK_AHEAD = OverlapAdd.OVERLAP;

  private static final float MOMENTUM = 0.99f;
  private static final float PULL = MOMENTUM / (1 + MOMENTUM);
  private static final int TILE = 16;

  private final RowFft fft;
  private final OverlapAdd waveform;
  private final RealTimePghi pghi;
  private final int bins;
  private final int framesMax;
  private final int rounds;
  private final float silence;

  // The last finished frame, then those that are open, then room for new ones; frame by frame.
  private final float[] ln;
  private final float[] turns;
  private int known; // 1 once a frame is finished
  private int open;

  // Bin by bin, one column for each open frame.
  private final float[][] magnitude;
  private final float[][] phase;
  private final float[][] beforeRe;
  private final float[][] beforeIm;
  private final float[] kRe;
  private final float[] kIm;
  private final float[] jRe;
  private final float[] jIm;

  /**
   * @param fft samples in a frame, of which a quarter is the hop
   * @param framesMax most frames appended at once
   * @param rounds of Griffin-Lim
   * @param silence bins at or below this natural log magnitude are made silent
   */
  public PhaseRecovery(int fft, int framesMax, int rounds, float silence) {
    int hop = fft / OverlapAdd.OVERLAP;
    int columns = framesMax + LOOK_AHEAD;
    this.fft = new RowFft(fft, columns);
    this.waveform = new OverlapAdd(this.fft, hop, columns);
    this.pghi = new RealTimePghi(fft, hop);
    this.bins = fft / 2 + 1;
    this.framesMax = framesMax;
    this.rounds = rounds;
    this.silence = silence;
    this.ln = new float[(1 + columns) * bins];
    this.turns = new float[(1 + columns) * bins];
    this.magnitude = new float[bins][columns];
    this.phase = new float[bins][columns];
    this.beforeRe = new float[bins][columns];
    this.beforeIm = new float[bins][columns];
    this.kRe = new float[columns];
    this.kIm = new float[columns];
    this.jRe = new float[columns];
    this.jIm = new float[columns];
  }

  @Override
  public RowFft fft() {
    return fft;
  }

  @Override
  public float[][] re() {
    return beforeRe;
  }

  @Override
  public float[][] im() {
    return beforeIm;
  }

  /**
   * Adds {@code frames} rows of natural log magnitudes and gives out what became final.
   *
   * @param last whether these were the last
   */
  public Finished append(float[] lnTM, int frames, boolean last) {
    if (frames > framesMax) {
      throw new IllegalArgumentException(frames + " frames at once, at most " + framesMax);
    }
    int from = (known + open) * bins;
    System.arraycopy(lnTM, 0, ln, from, frames * bins);
    for (int i = from; i < from + frames * bins; i++) {
      ln[i] = Math.max(ln[i], silence);
    }
    open += frames;
    int count = last ? open : Math.max(0, open - LOOK_AHEAD);
    if (count == 0) {
      return new Finished(0, waveform.emit(0, last));
    }
    start();
    for (int round = 0; round < rounds; round++) {
      fft.inverse(open);
      waveform.reframe(open);
      fft.forward(open);
      project(round);
    }
    keepSpectrum(count);
    fft.inverse(count);
    float[] samples = waveform.emit(count, last);
    forget(count);
    return new Finished(count, samples);
  }

  /** Keeps the last finished frame and the open ones. */
  private void forget(int count) {
    int from = (known + count - 1) * bins;
    int frames = 1 + open - count;
    System.arraycopy(ln, from, ln, 0, frames * bins);
    for (int m = 0; m < bins; m++) {
      double angle = StrictMath.atan2(beforeIm[m][count - 1], beforeRe[m][count - 1]);
      turns[m] = (float) (angle / (2 * Math.PI));
    }
    known = 1;
    open -= count;
  }

  /** Magnitudes and first phases of the open frames, in the transform's rows. */
  private void start() {
    pghi.integrate(ln, turns, known + open, known, silence);
    turn(ln, magnitude);
    turn(turns, phase);
    for (int m = 0; m < bins; m++) {
      exponential(magnitude[m], silence, open);
    }
    int half = bins - 1;
    for (int k = 0; k <= half / 2; k++) {
      int j = half - k;
      rotate(magnitude[k], phase[k], kRe, kIm, open);
      rotate(magnitude[j], phase[j], jRe, jIm, open);
      fft.pack(k, kRe, kIm, jRe, jIm, open);
    }
  }

  /** From frame by frame to bin by bin, in tiles of bins. */
  private void turn(float[] fromTM, float[][] toMT) {
    for (int tile = 0; tile < bins; tile += TILE) {
      int end = Math.min(bins, tile + TILE);
      for (int t = 0; t < open; t++) {
        int row = (known + t) * bins;
        for (int m = tile; m < end; m++) {
          toMT[m][t] = fromTM[row + m];
        }
      }
    }
  }

  /**
   * e^x by Taylor's series of x/64 and six squarings, 0 at and below silence: 3e-5 of relative
   * error between ±20, the same on every machine.
   */
  static void exponential(float[] x, float silence, int frames) {
    for (int t = 0; t < frames; t++) {
      float heard = Math.min(1f, Math.max(0f, (x[t] - silence) * 1e30f));
      float u = x[t] * (1f / 64);
      float e = 1 + u * (1 + u * (0.5f + u * (1f / 6 + u * (1f / 24 + u * (1f / 120)))));
      e *= e;
      e *= e;
      e *= e;
      e *= e;
      e *= e;
      e *= e;
      x[t] = e * heard;
    }
  }

  /**
   * Polar to Cartesian: sine and cosine of half the angle by Taylor's series, then doubled; 4e-6 of
   * error for phases within ±half a turn.
   */
  static void rotate(float[] magnitude, float[] turns, float[] re, float[] im, int frames) {
    for (int t = 0; t < frames; t++) {
      float x = turns[t] * (float) Math.PI;
      float y = x * x;
      re[t] =
          1
              + y
                  * (-1f / 2
                      + y * (1f / 24 + y * (-1f / 720 + y * (1f / 40320 + y * (-1f / 3628800)))));
      im[t] = x * (1 + y * (-1f / 6 + y * (1f / 120 + y * (-1f / 5040 + y * (1f / 362880)))));
    }
    for (int t = 0; t < frames; t++) {
      float c = re[t];
      float s = im[t];
      re[t] = magnitude[t] * (1 - 2 * s * s);
      im[t] = magnitude[t] * (2 * s * c);
    }
  }

  /** The wanted magnitudes, with the phases of the frames' own waveform, carried on by momentum. */
  private void project(int round) {
    int half = bins - 1;
    float pull = round == 0 ? 0 : PULL;
    for (int k = 0; k <= half / 2; k++) {
      int j = half - k;
      fft.unpack(k, kRe, kIm, jRe, jIm, open);
      project(kRe, kIm, beforeRe[k], beforeIm[k], magnitude[k], pull, open);
      if (j == k) {
        System.arraycopy(kRe, 0, jRe, 0, open);
        System.arraycopy(kIm, 0, jIm, 0, open);
      } else {
        project(jRe, jIm, beforeRe[j], beforeIm[j], magnitude[j], pull, open);
      }
      fft.pack(k, kRe, kIm, jRe, jIm, open);
    }
  }

  private static void project(
      float[] re,
      float[] im,
      float[] beforeRe,
      float[] beforeIm,
      float[] magnitude,
      float pull,
      int frames) {
    for (int t = 0; t < frames; t++) {
      float x = re[t];
      float y = im[t];
      float r = x - pull * beforeRe[t];
      float s = y - pull * beforeIm[t];
      beforeRe[t] = x;
      beforeIm[t] = y;
      float scale = magnitude[t] / (float) Math.sqrt(r * r + s * s + 1e-20f);
      re[t] = r * scale;
      im[t] = s * scale;
    }
  }

  private void keepSpectrum(int count) {
    int half = bins - 1;
    for (int k = 0; k <= half / 2; k++) {
      int j = half - k;
      fft.unpack(k, beforeRe[k], beforeIm[k], beforeRe[j], beforeIm[j], count);
    }
  }
}
