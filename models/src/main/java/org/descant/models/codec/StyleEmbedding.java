package org.descant.models.codec;

import org.descant.models.ModelException;

/**
 * How a recording sounds, apart from what is played: mean and deviation of its codec latents (the
 * statistics that style transfer matches, as in Huang and Belongie 2017). 64 numbers for latents of
 * 32.
 *
 * <p>In training the embedding comes from another excerpt of the same recording, so it cannot name
 * the place that is to be predicted.
 */
public final class StyleEmbedding {
  private StyleEmbedding() {}

  /**
   * The embedding of one or two channels at the codec's rate; a few seconds at least make sense.
   */
  public static float[] of(MagnitudeCodec codec, float[][] channels) {
    CodecLatents latents = CodecLatents.of(codec, channels);
    return latents.statistics(0, latents.frames());
  }

  /** The embedding of a mono waveform. */
  public static float[] of(MagnitudeCodec codec, float[] mono) {
    return of(codec, new float[][] {mono});
  }

  /** Cosine of the angle between two embeddings, −1 to 1. */
  public static double similarity(float[] a, float[] b) {
    if (a.length != b.length) {
      throw new ModelException(
          "Embeddings of " + a.length + " and " + b.length + " numbers cannot be compared");
    }
    double dot = 0;
    double aa = 1e-12;
    double bb = 1e-12;
    for (int i = 0; i < a.length; i++) {
      dot += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    return dot / Math.sqrt(aa * bb);
  }
}
