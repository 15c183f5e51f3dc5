package org.descant.models.phase;

/**
 * Frames of a spectrum to a waveform, as they come: where the phases are from is the
 * implementation's affair. Not thread-safe.
 */
public sealed interface FrameSynthesis permits PhaseRecovery, GivenPhases {
  /** Transforms of the frames; free between calls, for signals that share these frames' phases. */
  RowFft fft();

  /** Real parts of the frames that the last call finished: bin by bin, a column for each. */
  float[][] re();

  /** Imaginary parts of those frames. */
  float[][] im();

  /**
   * What a call finished.
   *
   * @param count frames, whose bins are in {@link #re} and {@link #im} until the next call
   * @param samples those that became final
   */
  @SuppressWarnings("ArrayRecordComponent") // Handed over once, never compared.
  record Finished(int count, float[] samples) {}
}
