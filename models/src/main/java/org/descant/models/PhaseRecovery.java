package org.descant.models;

import java.util.Arrays;

/**
 * Phases for a stream of magnitude frames: PGHI, then rounds of fast Griffin-Lim.
 *
 * <p>Griffin-Lim with momentum as in Perraudin, Balazs, Søndergaard, "A fast Griffin-Lim
 * algorithm", WASPAA 2013. The stream is worked on in blocks of {@link #BLOCK} frames. Each block
 * is seen with {@link #CONTEXT} finished frames before it, whose phases stay, so that a block
 * continues where the last one ended, and with {@link #LOOK_AHEAD} frames after it, which are
 * estimated too and estimated again in the next block. Blocks start at fixed frames: the result
 * does not depend on how the frames were pushed. Not thread-safe.
 */
final class PhaseRecovery {
  static final int BLOCK = 32;
  static final int CONTEXT = 6;
  static final int LOOK_AHEAD = 6;
  private static final float MOMENTUM = 0.99f;

  private final Stft stft;
  private final Pghi pghi;
  private final int bins;
  private final int rounds;
  private final float silence;
  private final long seed;

  // The frames at hand: some finished ones (context), then those that wait.
  private float[] magnitude = new float[0];
  private float[] re = new float[0];
  private float[] im = new float[0];
  private int held;
  private int finished;
  private long firstFrame;

  /**
   * @param rounds Griffin-Lim rounds after PGHI
   * @param silence magnitudes at or below this are made silent
   */
  PhaseRecovery(Stft stft, int rounds, float silence, long seed) {
    this.stft = stft;
    this.pghi = new Pghi(stft.size, stft.hop);
    this.bins = stft.bins();
    this.rounds = rounds;
    this.silence = silence;
    this.seed = seed;
  }

  /** Finished complex frames, rows of bins. */
  @SuppressWarnings("ArrayRecordComponent") // Handed over once, never compared.
  record Frames(float[] re, float[] im, int count) {}

  /** Adds {@code frames} rows of linear magnitudes; returns the frames that are finished now. */
  Frames append(float[] magnitudeTM, int frames, boolean last) {
    int cells = (held + frames) * bins;
    magnitude = Arrays.copyOf(magnitude, cells);
    re = Arrays.copyOf(re, cells);
    im = Arrays.copyOf(im, cells);
    System.arraycopy(magnitudeTM, 0, magnitude, held * bins, frames * bins);
    held += frames;

    float[] outRe = new float[0];
    float[] outIm = new float[0];
    int count = 0;
    while (held - finished >= BLOCK + LOOK_AHEAD || (last && held > finished)) {
      int block = Math.min(BLOCK, held - finished);
      int view = Math.min(held, finished + block + LOOK_AHEAD);
      solve(view, finished);
      outRe = concat(outRe, re, finished * bins, block * bins);
      outIm = concat(outIm, im, finished * bins, block * bins);
      count += block;
      finished += block;
      forget(Math.max(0, finished - CONTEXT));
    }
    return new Frames(outRe, outIm, count);
  }

  private static float[] concat(float[] head, float[] tail, int from, int length) {
    float[] joined = Arrays.copyOf(head, head.length + length);
    System.arraycopy(tail, from, joined, head.length, length);
    return joined;
  }

  private void forget(int frames) {
    int from = frames * bins;
    int to = held * bins;
    magnitude = Arrays.copyOfRange(magnitude, from, to);
    re = Arrays.copyOfRange(re, from, to);
    im = Arrays.copyOfRange(im, from, to);
    held -= frames;
    finished -= frames;
    firstFrame += frames;
  }

  /** Phases of frames {@code known .. frames-1}, given those before. */
  private void solve(int frames, int known) {
    int cells = frames * bins;
    float[] ln = new float[cells];
    float[] phase = new float[cells];
    float lnSilence = (float) Math.log(silence);
    for (int i = 0; i < cells; i++) {
      ln[i] = magnitude[i] <= silence ? lnSilence : (float) Math.log(magnitude[i]);
    }
    for (int i = 0; i < known * bins; i++) {
      phase[i] = (float) Math.atan2(im[i], re[i]);
    }
    pghi.integrate(ln, phase, frames, known, lnSilence, seed, firstFrame);
    for (int i = known * bins; i < cells; i++) {
      if (magnitude[i] <= silence) {
        re[i] = 0;
        im[i] = 0;
      } else {
        re[i] = magnitude[i] * (float) Math.cos(phase[i]);
        im[i] = magnitude[i] * (float) Math.sin(phase[i]);
      }
    }
    griffinLim(frames, known);
  }

  private void griffinLim(int frames, int known) {
    int cells = frames * bins;
    int length = (frames - 1) * stft.hop + stft.size;
    float[] norm = new float[length];
    for (int t = 0; t < frames; t++) {
      stft.overlapNorm(norm, t * stft.hop);
    }
    for (int i = 0; i < length; i++) {
      norm[i] = 1 / Math.max(norm[i], 1e-3f);
    }
    float[] signal = new float[length];
    float[] nowRe = new float[cells];
    float[] nowIm = new float[cells];
    float[] beforeRe = new float[cells];
    float[] beforeIm = new float[cells];
    float pull = MOMENTUM / (1 + MOMENTUM);
    for (int round = 0; round < rounds; round++) {
      Arrays.fill(signal, 0);
      for (int t = 0; t < frames; t++) {
        stft.overlapAdd(re, im, t * bins, signal, t * stft.hop);
      }
      for (int i = 0; i < length; i++) {
        signal[i] *= norm[i];
      }
      for (int t = known; t < frames; t++) {
        stft.frame(signal, t * stft.hop, nowRe, nowIm, t * bins);
      }
      float momentum = round == 0 ? 0 : pull;
      for (int i = known * bins; i < cells; i++) {
        float r = nowRe[i] - momentum * beforeRe[i];
        float s = nowIm[i] - momentum * beforeIm[i];
        float scale =
            magnitude[i] <= silence ? 0 : magnitude[i] / (float) Math.sqrt(r * r + s * s + 1e-20f);
        re[i] = r * scale;
        im[i] = s * scale;
      }
      float[] r = beforeRe;
      float[] s = beforeIm;
      beforeRe = nowRe;
      beforeIm = nowIm;
      nowRe = r;
      nowIm = s;
    }
  }
}
