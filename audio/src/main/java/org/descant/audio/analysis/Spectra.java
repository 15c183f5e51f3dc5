package org.descant.audio.analysis;

import org.descant.audio.AudioException;
import org.jtransforms.fft.FloatFFT_1D;

/**
 * Short-time Fourier magnitudes. Frames are centred: frame {@code t} is the Hann-windowed stretch
 * around sample {@code t * hop}, with silence beyond the ends, so {@code n} samples have {@code 1 +
 * n / hop} frames. A full-scale sine has magnitude near {@code fftSize / 4} in its bin.
 */
public final class Spectra {
  /** Takes one frame's {@code fftSize / 2 + 1} magnitudes; the array is used again for the next. */
  @FunctionalInterface
  public interface FrameConsumer {
    void accept(int frame, float[] magnitudes);
  }

  private Spectra() {}

  /** How many centred frames so many samples have. */
  public static int frameCount(int samples, int hop) {
    return 1 + samples / hop;
  }

  /**
   * All frames at once: {@code [frame][bin]}. Of half an hour this takes gigabytes; prefer {@link
   * #forEachFrame}.
   *
   * @param fftSize a power of two from 16 to 65536
   * @param hop samples from one frame to the next, at least 1
   */
  public static float[][] magnitudes(float[] samples, int fftSize, int hop) {
    check(fftSize, hop);
    float[][] all = new float[frameCount(samples.length, hop)][];
    forEachFrame(samples, fftSize, hop, (frame, magnitudes) -> all[frame] = magnitudes.clone());
    return all;
  }

  /** The frames one after another, in memory of one frame. */
  public static void forEachFrame(float[] samples, int fftSize, int hop, FrameConsumer consumer) {
    check(fftSize, hop);
    float[] window = hann(fftSize);
    FloatFFT_1D fft = Fourier.ofSize(fftSize);
    float[] buffer = new float[fftSize];
    float[] magnitudes = new float[fftSize / 2 + 1];
    int frames = frameCount(samples.length, hop);
    for (int frame = 0; frame < frames; frame++) {
      int start = frame * hop - fftSize / 2;
      int first = Math.max(0, -start);
      int last = Math.min(fftSize, samples.length - start);
      for (int i = 0; i < fftSize; i++) {
        buffer[i] = i >= first && i < last ? samples[start + i] * window[i] : 0;
      }
      fft.realForward(buffer);
      magnitudes[0] = Math.abs(buffer[0]);
      magnitudes[fftSize / 2] = Math.abs(buffer[1]);
      for (int bin = 1; bin < fftSize / 2; bin++) {
        float re = buffer[2 * bin];
        float im = buffer[2 * bin + 1];
        magnitudes[bin] = (float) Math.sqrt(re * re + im * im);
      }
      consumer.accept(frame, magnitudes);
    }
  }

  private static void check(int fftSize, int hop) {
    if (Integer.bitCount(fftSize) != 1 || fftSize < 16 || fftSize > 65_536 || hop < 1) {
      throw new AudioException(
          "A spectrum needs a power of two from 16 to 65536 and a hop of 1 or more, was %d and %d."
              .formatted(fftSize, hop));
    }
  }

  /** The periodic Hann window. */
  static float[] hann(int size) {
    float[] window = new float[size];
    for (int i = 0; i < size; i++) {
      window[i] = (float) (0.5 - 0.5 * StrictMath.cos(2 * StrictMath.PI * i / size));
    }
    return window;
  }
}
