package org.descant.models.codec;

import org.descant.models.ModelException;

/**
 * Sound to tokens and back.
 *
 * <p>Codes are {@code [codebook][frame]}, each in {@code 0 .. codebookSize-1}; coarse codebooks
 * come first, and a decoder accepts any number of leading codebooks. Waveforms are planar {@code
 * [channel][sample]} floats, full scale ±1, at {@link #sampleRate()}. Implementations are safe for
 * one thread at a time unless they say more.
 */
public interface Codec {

  /** Samples per second of the waveforms on both sides. */
  int sampleRate();

  /** Channels of a decoded waveform: 1 or 2. */
  int channels();

  /** Samples that one frame of codes stands for. */
  int samplesPerFrame();

  /** Codebooks of a full encoding. */
  int codebooks();

  /** Entries of each codebook. */
  int codebookSize();

  /** Frames of codes per second. */
  default double frameRate() {
    return (double) sampleRate() / samplesPerFrame();
  }

  /**
   * Encodes one or two channels; samples beyond the last whole frame are padded with silence.
   *
   * @throws ModelException when there are no samples, too many, or the channels differ in length
   */
  int[][] encode(float[][] channels);

  /** Encodes a mono waveform. */
  default int[][] encode(float[] mono) {
    return encode(new float[][] {mono});
  }

  /**
   * Decodes to {@link #channels()} channels of {@code frames * samplesPerFrame()} samples.
   *
   * @throws ModelException when a code is out of range or the codebooks differ in length
   */
  float[][] decode(int[][] codes);

  /** Starts a decoder that takes codes as they are made. */
  StreamingDecoder stream();

  /**
   * Decodes chunk by chunk; the concatenated output is the waveform that {@link Codec#decode}
   * gives. Output lags the input by the decoder's look-ahead. Not thread-safe.
   */
  interface StreamingDecoder extends AutoCloseable {

    /**
     * Adds frames of codes and returns the samples that became final, {@code [channel][sample]}.
     */
    float[][] push(int[][] codes);

    /** Ends the stream and returns what was still pending. */
    float[][] finish();

    @Override
    void close();
  }
}
