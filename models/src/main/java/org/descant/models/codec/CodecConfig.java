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
 * @param griffinLimRounds rounds of phase recovery when decoding; not used where the network makes
 *     the phases
 * @param phases where the decoder's phases come from; {@link Phases#RECOVERED} in what was written
 *     before there was a choice
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
    int griffinLimRounds,
    Phases phases) {

  /** Where phases come from. */
  public enum Phases {
    /** Signal processing on the decoded magnitudes. */
    RECOVERED,
    /** The network, as in Vocos (Siuzdak 2023). */
    NETWORK
  }

  /** About 4.9 million parameters; 4 codebooks of 1024: 1.72 kb/s. */
  public static final CodecConfig DEMO = new CodecConfig(256, 4, 5, 3, 32, 4, 1024, 12, 5);

  /** About 1 million parameters, for runs of a minute. */
  public static final CodecConfig TINY = new CodecConfig(128, 2, 3, 3, 32, 4, 1024, 12, 5);

  /** A codec whose phases are recovered. */
  public CodecConfig(
      int width,
      int encoderBlocks,
      int decoderBlocks,
      int expansion,
      int latent,
      int codebooks,
      int codebookSize,
      int stereoBands,
      int griffinLimRounds) {
    this(
        width,
        encoderBlocks,
        decoderBlocks,
        expansion,
        latent,
        codebooks,
        codebookSize,
        stereoBands,
        griffinLimRounds,
        Phases.RECOVERED);
  }

  public CodecConfig {
    phases = phases == null ? Phases.RECOVERED : phases; // as a card from before reads
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

  /** The same shape with other phases. */
  public CodecConfig with(Phases other) {
    return new CodecConfig(
        width,
        encoderBlocks,
        decoderBlocks,
        expansion,
        latent,
        codebooks,
        codebookSize,
        stereoBands,
        griffinLimRounds,
        other);
  }

  private static void require(boolean holds, String key, int value) {
    if (!holds) {
      throw new ModelException("The codec's " + key + " cannot be " + value);
    }
  }
}
