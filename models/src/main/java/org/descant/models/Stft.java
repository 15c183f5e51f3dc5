package org.descant.models;

import java.util.Arrays;

/**
 * Short-time Fourier transform with a periodic Hann window, frames centred on multiples of the hop.
 *
 * <p>Samples outside the waveform are silence. Spectra are planar rows of {@code bins()} real and
 * imaginary parts. Not thread-safe (scratch memory).
 */
final class Stft {
  final int size;
  final int hop;
  final float[] window;
  private final RealFft fft;
  private final float[] scratch;

  Stft(int size, int hop) {
    if (hop < 1 || size % hop != 0 || size / hop < 2) {
      throw new ModelException("The hop must divide the window at least twice, was " + hop);
    }
    this.size = size;
    this.hop = hop;
    this.fft = new RealFft(size);
    this.scratch = new float[size];
    this.window = new float[size];
    for (int i = 0; i < size; i++) {
      window[i] = (float) (0.5 - 0.5 * StrictMath.cos(2 * Math.PI * i / size));
    }
  }

  int bins() {
    return size / 2 + 1;
  }

  /**
   * Transforms frames {@code 0 .. frames-1} of {@code signal} into rows of {@code re} and {@code
   * im}.
   */
  void analyse(float[] signal, int frames, float[] re, float[] im) {
    for (int t = 0; t < frames; t++) {
      frame(signal, t * hop - size / 2, re, im, t * bins());
    }
  }

  /** Transforms the one frame that starts at sample {@code start} (which may lie outside). */
  void frame(float[] signal, int start, float[] re, float[] im, int offset) {
    int from = Math.max(0, -start);
    int to = Math.min(size, signal.length - start);
    if (from > 0 || to < size) {
      Arrays.fill(scratch, 0f);
    }
    for (int i = from; i < to; i++) {
      scratch[i] = signal[start + i] * window[i];
    }
    fft.forward(scratch, 0, re, im, offset);
  }

  /** Adds the windowed inverse transform of one frame to {@code sum} from {@code start} on. */
  void overlapAdd(float[] re, float[] im, int offset, float[] sum, int start) {
    fft.inverse(re, im, offset, scratch, 0);
    for (int i = 0; i < size; i++) {
      sum[start + i] += scratch[i] * window[i];
    }
  }

  /** Adds the squared window to {@code norm} from {@code start} on. */
  void overlapNorm(float[] norm, int start) {
    for (int i = 0; i < size; i++) {
      norm[start + i] += window[i] * window[i];
    }
  }

  /**
   * Overlap-add of frames that arrive in pieces. Output starts at the centre of frame 0; a sample
   * is given out as soon as no later frame can reach it.
   */
  final class Synthesis {
    private float[] sum = new float[size];
    private float[] norm = new float[size];
    private long frames; // added so far
    private long start = -size / 2L; // absolute sample of sum[0]

    /** Adds {@code count} frames and returns the samples that are final now. */
    float[] add(float[] re, float[] im, int count, boolean last) {
      int reach = (int) ((frames + Math.max(0, count - 1)) * hop - size / 2 - start) + size;
      if (sum.length < reach) {
        sum = Arrays.copyOf(sum, reach);
        norm = Arrays.copyOf(norm, reach);
      }
      for (int t = 0; t < count; t++, frames++) {
        int at = (int) (frames * hop - size / 2 - start);
        overlapAdd(re, im, t * bins(), sum, at);
        overlapNorm(norm, at);
      }
      // The next frame starts half a window before its centre; at the end every frame owns its hop.
      long end = last ? frames * hop : frames * hop - size / 2;
      int count0 = (int) Math.max(0, Math.min(sum.length, end - start));
      int skip = (int) Math.min(count0, Math.max(0, -start));
      float[] out = new float[count0 - skip];
      for (int i = 0; i < out.length; i++) {
        out[i] = sum[skip + i] / Math.max(norm[skip + i], 1e-3f);
      }
      sum = Arrays.copyOfRange(sum, count0, Math.max(count0, sum.length));
      norm = Arrays.copyOfRange(norm, count0, Math.max(count0, norm.length));
      start += count0;
      return out;
    }
  }
}
