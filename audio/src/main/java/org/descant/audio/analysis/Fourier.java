package org.descant.audio.analysis;

import org.jtransforms.fft.FloatFFT_1D;
import pl.edu.icm.jlargearrays.ConcurrencyUtils;

/** Transforms that run on the caller's thread. */
final class Fourier {
  static {
    // JTransforms would start a pool of non-daemon threads for long transforms, and a program that
    // is done would hang on them for a minute.
    ConcurrencyUtils.setNumberOfThreads(1);
  }

  private Fourier() {}

  /** A plan for real input of so many samples; for one thread at a time. */
  static FloatFFT_1D ofSize(int samples) {
    return new FloatFFT_1D(samples);
  }
}
