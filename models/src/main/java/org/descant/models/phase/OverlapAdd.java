package org.descant.models.phase;

import java.util.Arrays;

/**
 * The way between frames side by side in a {@link RowFft} and the waveform they overlap to: Hann
 * window, a hop of a quarter of it, frames centred on multiples of the hop. Samples come out as
 * soon as no later frame can reach them.
 *
 * <p>The waveform is kept as one row for each of the hop's samples and one column for each hop, so
 * that adding a frame's quarter is adding a row shifted by whole columns. Quarters of frames that
 * were emitted and still reach into the waveform are its tail. Not thread-safe.
 */
public final class OverlapAdd {
  /** Frames that share a sample. */
  static final int OVERLAP = 4;

  /** Columns that the frames before reach into, and that the last frame reaches beyond its own. */
  private static final int REACH = OVERLAP - 1;

  /** Frames are centred: the first begins half a window, two hops, before the waveform. */
  private static final int LEAD = OVERLAP / 2;

  private static final float NORM_MIN = 1e-3f;

  /** Rows that are turned into samples side by side; divides every hop. */
  private static final int TILE = 16;

  private final RowFft fft;
  private final int hop;
  private final float[] square; // window squared
  private final float[] in; // window for synthesis, with the inverse transform's factor
  private final float[] out; // window for analysis, over the squared windows' sum
  private final float evenNorm; // that sum where all four frames are there
  private final float[][] sums; // [hop][columns]
  private final float[][] tails; // [hop][REACH]
  private final float[][] shifted; // a row moved by 0..3 columns, silence around it
  private final float[][] edges; // [2 * REACH][hop]: factors of the first and last columns
  private int edgesOf = -1; // what edges were last computed for
  private long emitted; // frames

  /**
   * @param fft of frames of four hops
   * @param frames most frames at once
   */
  public OverlapAdd(RowFft fft, int hop, int frames) {
    this.fft = fft;
    this.hop = hop;
    int size = OVERLAP * hop;
    this.square = new float[size];
    this.in = new float[size];
    this.out = new float[size];
    double sum = 0;
    for (int i = 0; i < size; i++) {
      double window = 0.5 - 0.5 * StrictMath.cos(2 * Math.PI * i / size);
      square[i] = (float) (window * window);
      sum += window * window;
    }
    this.evenNorm = (float) (sum / hop);
    for (int i = 0; i < size; i++) {
      double window = 0.5 - 0.5 * StrictMath.cos(2 * Math.PI * i / size);
      in[i] = (float) (window * 2 / size);
      out[i] = (float) (window / evenNorm);
    }
    int columns = frames + REACH;
    this.sums = new float[hop][columns];
    this.tails = new float[hop][REACH];
    this.shifted = new float[OVERLAP][columns];
    this.edges = new float[2 * REACH][hop];
  }

  /** Adds up the tail and the inverse transforms of the first {@code frames} columns. */
  private void add(int frames) {
    int columns = frames + REACH;
    for (int q = 0; q < OVERLAP; q++) {
      Arrays.fill(shifted[q], q + frames, columns, 0);
    }
    for (int r = 0; r < hop; r++) {
      for (int q = 0; q < OVERLAP; q++) {
        System.arraycopy(fft.samples(q * hop + r), 0, shifted[q], q, frames);
      }
      float[] sum = sums[r];
      weigh(
          sum,
          shifted[0],
          shifted[1],
          shifted[2],
          shifted[3],
          in[r],
          in[hop + r],
          in[2 * hop + r],
          in[3 * hop + r],
          columns);
      for (int s = 0; s < REACH; s++) {
        sum[s] += tails[r][s];
      }
    }
  }

  private static void weigh(
      float[] sum,
      float[] a,
      float[] b,
      float[] c,
      float[] d,
      float wa,
      float wb,
      float wc,
      float wd,
      int columns) {
    for (int s = 0; s < columns; s++) {
      sum[s] = a[s] * wa + b[s] * wb + c[s] * wc + d[s] * wd;
    }
  }

  /**
   * Where fewer than four frames overlap, sums are divided by less than in the middle: the columns
   * 0..2 and {@code frames .. frames+2} times these factors.
   */
  private void findEdges(int frames) {
    int shape = (int) Math.min(emitted, REACH) * OVERLAP + Math.min(frames, REACH);
    if (shape == edgesOf) {
      return;
    }
    edgesOf = shape;
    for (int e = 0; e < 2 * REACH; e++) {
      int column = e < REACH ? e : frames + e - REACH;
      for (int r = 0; r < hop; r++) {
        float norm = 0;
        for (int q = 0; q < OVERLAP; q++) {
          int frame = column - q;
          if (frame < frames && frame >= -emitted) {
            norm += square[q * hop + r];
          }
        }
        edges[e][r] = evenNorm / Math.max(norm, NORM_MIN);
      }
    }
  }

  private void scaleEdges(int frames) {
    for (int r = 0; r < hop; r++) {
      float[] sum = sums[r];
      for (int s = 0; s < Math.min(REACH, frames); s++) {
        sum[s] *= edges[s][r];
      }
      for (int s = 0; s < REACH; s++) {
        sum[frames + s] *= edges[REACH + s][r];
      }
    }
  }

  /**
   * Replaces the frames by those of the waveform that they and the tail make together, ready for
   * {@link RowFft#forward}: the projection of Griffin and Lim.
   */
  void reframe(int frames) {
    add(frames);
    findEdges(frames);
    scaleEdges(frames);
    for (int r = 0; r < hop; r++) {
      for (int q = 0; q < OVERLAP; q++) {
        float[] row = fft.samples(q * hop + r);
        System.arraycopy(sums[r], q, row, 0, frames);
        scale(row, out[q * hop + r], frames);
      }
    }
  }

  private static void scale(float[] row, float factor, int frames) {
    for (int t = 0; t < frames; t++) {
      row[t] *= factor;
    }
  }

  /**
   * Adds the first {@code frames} frames for good and returns the samples that are final now.
   *
   * @param last whether these were the last: then every frame has given its hop
   */
  public float[] emit(int frames, boolean last) {
    add(frames);
    int end = last && emitted + frames > 0 ? frames + LEAD : frames;
    int skip = (int) Math.min(Math.max(0, LEAD - emitted), end);
    for (int r = 0; r < hop; r++) {
      for (int s = 0; s < REACH; s++) {
        tails[r][s] = sums[r][frames + s];
      }
    }
    findEdges(frames);
    scaleEdges(frames);
    float[] samples = new float[(end - skip) * hop];
    for (int tile = 0; tile < hop; tile += TILE) {
      for (int s = skip; s < end; s++) {
        int at = (s - skip) * hop;
        for (int r = tile; r < tile + TILE; r++) {
          samples[at + r] = sums[r][s] / evenNorm;
        }
      }
    }
    emitted += frames;
    return samples;
  }
}
