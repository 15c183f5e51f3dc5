package org.descant.audio.analysis;

import org.descant.audio.AudioException;
import org.descant.audio.Pcm;

/** The outline of a sound, for drawing. */
public final class Waveform {
  private static final int BUCKETS_MAX = 1_000_000;

  private Waveform() {}

  /**
   * The lowest and the highest sample of all channels in each of {@code buckets} equal parts.
   *
   * @return {@code [0][bucket]} the lowest, {@code [1][bucket]} the highest; 0 in a part without
   *     samples, which occurs only if there are more parts than frames
   */
  public static float[][] peaks(Pcm pcm, int buckets) {
    if (buckets < 1 || buckets > BUCKETS_MAX) {
      throw new AudioException(
          "A waveform has 1 to %d buckets, was asked for %d.".formatted(BUCKETS_MAX, buckets));
    }
    float[][] peaks = new float[2][buckets];
    for (int b = 0; b < buckets; b++) {
      int from = (int) ((long) b * pcm.frames() / buckets);
      int to = (int) ((b + 1L) * pcm.frames() / buckets);
      float low = Float.POSITIVE_INFINITY;
      float high = Float.NEGATIVE_INFINITY;
      for (float[] channel : pcm.channels()) {
        for (int i = from; i < to; i++) {
          low = Math.min(low, channel[i]);
          high = Math.max(high, channel[i]);
        }
      }
      peaks[0][b] = from == to ? 0 : low;
      peaks[1][b] = from == to ? 0 : high;
    }
    return peaks;
  }
}
