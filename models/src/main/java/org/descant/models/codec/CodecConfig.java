package org.descant.models.codec;

import org.descant.models.ModelException;

/**
 * Shape of a {@link MagnitudeCodec}.
 *
 * @param width channels of the ConvNeXt blocks
 * @param encoderBlocks blocks before the quantiser
 * @param decoderBlocks blocks after it
 * @param expansion widening inside a block
 * @param latent numbers per latent frame
 * @param codebooks residual codebooks
 * @param codebookSize entries per codebook
 * @param stereoBands bands of the parametric side signal; 0 makes the codec mono
 * @param griffinLimRounds rounds of phase recovery when decoding
 */
public record CodecConfig(
    int width,
    int encoderBlocks,
    int decoderBlocks,
    int expansion,
    int latent,
    int codebooks,
    int codebookSize,
    int stereoBands,
    int griffinLimRounds) {

  /** About 4.9 million parameters; 4 codebooks of 1024: 1.72 kb/s. */
  public static final CodecConfig DEMO = new CodecConfig(256, 4, 5, 3, 32, 4, 1024, 12, 5);

  /** About 1 million parameters, for runs of a minute. */
  public static final CodecConfig TINY = new CodecConfig(128, 2, 3, 3, 32, 4, 1024, 12, 5);

  public CodecConfig {
    require(width >= 8 && width <= 4096, "width", width);
    require(encoderBlocks >= 1 && encoderBlocks <= 64, "encoderBlocks", encoderBlocks);
    require(decoderBlocks >= 1 && decoderBlocks <= 64, "decoderBlocks", decoderBlocks);
    require(expansion >= 1 && expansion <= 8, "expansion", expansion);
    require(latent >= 2 && latent <= 1024, "latent", latent);
    require(codebooks >= 1 && codebooks <= 32, "codebooks", codebooks);
    require(codebookSize >= 2 && codebookSize <= 65536, "codebookSize", codebookSize);
    require(stereoBands >= 0 && stereoBands <= 64, "stereoBands", stereoBands);
    require(griffinLimRounds >= 0 && griffinLimRounds <= 256, "griffinLimRounds", griffinLimRounds);
  }

  private static void require(boolean holds, String key, int value) {
    if (!holds) {
      throw new ModelException("The codec's " + key + " cannot be " + value);
    }
  }
}
