package org.descant.models.codec;

import org.descant.models.ModelException;

/**
 * The codec's view of a sound before quantising: one row of numbers per frame, layer-normed.
 * Neighbouring sounds have neighbouring rows, which is what attribution compares.
 *
 * @param rows frame after frame, {@code size} numbers each
 * @param size numbers per frame
 */
@SuppressWarnings("ArrayRecordComponent") // Plain numbers, made and read, never compared.
public record CodecLatents(float[] rows, int size) {

  public CodecLatents {
    if (size < 1 || rows.length == 0 || rows.length % size != 0) {
      throw new ModelException(
          "Latents are whole rows of " + size + " numbers, got " + rows.length + " numbers");
    }
  }

  /** The latents of one or two channels at the codec's rate. */
  public static CodecLatents of(MagnitudeCodec codec, float[][] channels) {
    return new CodecLatents(codec.encodeLatents(channels), codec.config().latent());
  }

  public int frames() {
    return rows.length / size;
  }

  /**
   * Mean and standard deviation of each number over frames {@code from .. to-1}: 2 · size numbers.
   */
  public float[] statistics(int from, int to) {
    if (from < 0 || to <= from || to > frames()) {
      throw new ModelException(
          "No frames from " + from + " to " + to + " in latents of " + frames() + " frames");
    }
    float[] result = new float[2 * size];
    int count = to - from;
    for (int i = 0; i < size; i++) {
      double sum = 0;
      double squares = 0;
      for (int t = from; t < to; t++) {
        double x = rows[t * size + i];
        sum += x;
        squares += x * x;
      }
      double mean = sum / count;
      result[i] = (float) mean;
      result[size + i] = (float) Math.sqrt(Math.max(0, squares / count - mean * mean));
    }
    return result;
  }
}
