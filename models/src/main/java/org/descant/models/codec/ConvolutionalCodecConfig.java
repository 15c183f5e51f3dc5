package org.descant.models.codec;

import java.util.List;
import org.descant.models.ModelException;

/**
 * Shape of a {@link ConvolutionalCodec}.
 *
 * @param encoderWidth channels after the first convolution; doubled by each of the ratios
 * @param ratios by which the encoder shortens time, first one first; the decoder has them backwards
 * @param decoderWidth channels after the decoder's first convolution; halved by each of the ratios
 * @param latent channels between encoder and decoder
 * @param codebooks residual codebooks
 * @param codebookSize entries of each, a power of two
 * @param codebookDim numbers of an entry
 * @param sampleRate of the waveforms
 */
public record ConvolutionalCodecConfig(
    int encoderWidth,
    List<Integer> ratios,
    int decoderWidth,
    int latent,
    int codebooks,
    int codebookSize,
    int codebookDim,
    int sampleRate) {

  /**
   * About 4.8 million parameters at the house codec's frame and bit rate: 43.07 frames of 4 × 10
   * bits a second, 1.72 kb/s. A quarter of the published widths.
   */
  public static final ConvolutionalCodecConfig PEER =
      new ConvolutionalCodecConfig(16, List.of(4, 4, 8, 8), 384, 256, 4, 1024, 8, 44_100);

  private static final int CHANNELS_MAX = 1 << 14;
  private static final int RATIOS_MAX = 8;

  public ConvolutionalCodecConfig {
    ratios = List.copyOf(ratios);
    require(encoderWidth >= 1, "encoderWidth", encoderWidth, "at least 1");
    require(
        !ratios.isEmpty()
            && ratios.size() <= RATIOS_MAX
            && ratios.stream().allMatch(ratio -> ratio >= 2 && ratio <= 64 && ratio % 2 == 0),
        "ratios",
        ratios,
        "1 to " + RATIOS_MAX + " even numbers from 2 to 64, so that frames are whole");
    require(
        (long) encoderWidth << ratios.size() <= CHANNELS_MAX,
        "encoderWidth",
        encoderWidth,
        "doubled by each ratio at most " + CHANNELS_MAX);
    require(
        decoderWidth <= CHANNELS_MAX && decoderWidth >> ratios.size() >= 1,
        "decoderWidth",
        decoderWidth,
        "at most " + CHANNELS_MAX + ", and at least 1 when halved by each ratio");
    require(latent >= 1 && latent <= CHANNELS_MAX, "latent", latent, "1 to " + CHANNELS_MAX);
    require(codebooks >= 1 && codebooks <= 32, "codebooks", codebooks, "1 to 32");
    require(
        codebookSize >= 2 && codebookSize <= 65_536 && Integer.bitCount(codebookSize) == 1,
        "codebookSize",
        codebookSize,
        "a power of two up to 65536");
    require(codebookDim >= 1 && codebookDim <= 1024, "codebookDim", codebookDim, "1 to 1024");
    require(
        sampleRate >= 1000 && sampleRate <= 192_000, "sampleRate", sampleRate, "1000 to 192000");
  }

  /** Samples that one frame of codes stands for. */
  public int samplesPerFrame() {
    return ratios.stream().reduce(1, Math::multiplyExact);
  }

  private static void require(boolean holds, String key, Object value, String allowed) {
    if (!holds) {
      throw new ModelException(
          "The convolutional codec's %s cannot be %s; it is %s.".formatted(key, value, allowed));
    }
  }
}
