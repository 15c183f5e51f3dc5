package org.descant.models.phase;

import java.util.Arrays;
import org.descant.models.ModelException;

/**
 * Short-time Fourier transform of a waveform with a periodic Hann window, frames centred on
 * multiples of the hop; {@link OverlapAdd} is the way back.
 *
 * <p>Samples outside the waveform are silence. Spectra are planar rows of {@code bins()} real and
 * imaginary parts. Not thread-safe (scratch memory).
 */
public final class Stft {
  final int size;
  final int hop;
  final float[] window;
  private final RealFft fft;
  private final float[] scratch;

  public Stft(int size, int hop) {
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
  public void frame(float[] signal, int start, float[] re, float[] im, int offset) {
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
}
