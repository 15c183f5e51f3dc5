package org.descant.models.published.codec;

import java.util.List;
import org.descant.models.published.weights.PublishedConfig;

/**
 * An EnCodec's configuration, checked. Names and defaults are those of the published files.
 *
 * @param bandwidths kilobits per second that {@code encode} may be asked for; the last one sets how
 *     many codebooks there are
 * @param chunkSamples samples of one chunk, 0 when a recording is coded as one piece
 * @param chunkStride samples from one chunk's start to the next
 * @param ratios strides of the decoder in its order; the encoder goes the other way
 * @param groupNorm normalise over channels and time instead of normalised weights
 * @param trimRight share of a transposed convolution's surplus that is cut at the end
 */
record EnCodecConfig(
    List<Double> bandwidths,
    int sampleRate,
    int channels,
    boolean normalize,
    int chunkSamples,
    int chunkStride,
    int width,
    int filters,
    int residualLayers,
    List<Integer> ratios,
    boolean groupNorm,
    int kernel,
    int lastKernel,
    int residualKernel,
    int dilationGrowth,
    boolean causal,
    String padMode,
    int compress,
    int lstmLayers,
    double trimRight,
    int codebookSize,
    boolean convShortcut) {
  private static final int RATIOS_MAX = 12;
  private static final int CODEBOOKS_MAX = 1024;
  private static final int LAYERS_MAX = 16;

  static EnCodecConfig of(PublishedConfig config) {
    config.requireModelType("encodec");
    int sampleRate = config.whole("sampling_rate", 24_000, 1);
    double chunkSeconds = config.has("chunk_length_s") ? config.number("chunk_length_s", 0) : 0;
    int chunkSamples = 0;
    int chunkStride = 0;
    if (config.has("chunk_length_s")) {
      if (chunkSeconds * sampleRate < 1 || chunkSeconds * sampleRate > EnCodec.SAMPLES_MAX) {
        throw config.refusal("chunk_length_s", "chunks of 1 sample to 2^24 samples are");
      }
      double overlap = config.number("overlap", -1);
      if (overlap < 0 || overlap >= 1) {
        throw config.refusal("overlap", "chunks need an overlap from 0 to below 1");
      }
      chunkSamples = (int) (chunkSeconds * sampleRate);
      chunkStride = Math.max(1, (int) ((1.0 - overlap) * chunkSamples));
    }

    String norm = config.text("norm_type", "weight_norm");
    if (!norm.equals("weight_norm") && !norm.equals("time_group_norm")) {
      throw config.refusal("norm_type", "weight_norm and time_group_norm are");
    }
    String padMode = config.text("pad_mode", "reflect");
    if (!List.of("reflect", "constant", "replicate", "circular").contains(padMode)) {
      throw config.refusal("pad_mode", "reflect, constant, replicate and circular are");
    }
    boolean causal = config.flag("use_causal_conv", true);
    double trimRight = config.number("trim_right_ratio", 1.0);
    if (trimRight < 0 || trimRight > 1 || (!causal && trimRight != 1.0)) {
      throw config.refusal(
          "trim_right_ratio", "0 to 1 is with use_causal_conv, and only 1 without it");
    }

    List<Integer> ratios = config.wholes("upsampling_ratios", List.of(8, 5, 4, 2), 1);
    if (ratios.size() > RATIOS_MAX) {
      throw config.refusal("upsampling_ratios", "at most " + RATIOS_MAX + " stages are");
    }
    int width = config.whole("hidden_size", 128, 1);
    if (config.whole("codebook_dim", width, 1) != width) {
      throw config.refusal("codebook_dim", "codebooks are as wide as hidden_size");
    }
    int codebookSize = config.whole("codebook_size", 1024, 2);
    if (Integer.bitCount(codebookSize) != 1) {
      throw config.refusal("codebook_size", "powers of two are");
    }
    int audioChannels = config.whole("audio_channels", 1, 1);
    if (audioChannels > 2) {
      throw config.refusal("audio_channels", "1 and 2 are");
    }
    int residualLayers = config.whole("num_residual_layers", 1, 0);
    int dilationGrowth = config.whole("dilation_growth_rate", 2, 1);
    if (residualLayers > LAYERS_MAX
        || Math.pow(dilationGrowth, Math.max(0, residualLayers - 1)) > EnCodec.SAMPLES_MAX) {
      throw config.refusal(
          "num_residual_layers", "at most " + LAYERS_MAX + " are, and no dilation above 2^24");
    }
    int lstmLayers = config.whole("num_lstm_layers", 2, 1);
    if (lstmLayers > LAYERS_MAX) {
      throw config.refusal("num_lstm_layers", "at most " + LAYERS_MAX + " are");
    }

    EnCodecConfig checked =
        new EnCodecConfig(
            config.numbers("target_bandwidths", List.of(1.5, 3.0, 6.0, 12.0, 24.0)),
            sampleRate,
            audioChannels,
            config.flag("normalize", false),
            chunkSamples,
            chunkStride,
            width,
            config.whole("num_filters", 32, 1),
            residualLayers,
            ratios,
            norm.equals("time_group_norm"),
            config.whole("kernel_size", 7, 1),
            config.whole("last_kernel_size", 7, 1),
            config.whole("residual_kernel_size", 3, 1),
            dilationGrowth,
            causal,
            padMode,
            config.whole("compress", 2, 1),
            lstmLayers,
            trimRight,
            codebookSize,
            config.flag("use_conv_shortcut", true));
    if (checked.compress > checked.filters && residualLayers > 0) {
      throw config.refusal("compress", "at most num_filters is");
    }
    if (checked.hop() > EnCodec.SAMPLES_MAX
        || (long) checked.filters << ratios.size() > EnCodec.SAMPLES_MAX) {
      throw config.refusal("upsampling_ratios", "the frame or its channels are too large");
    }
    if (checked.bandwidths.stream().anyMatch(bandwidth -> bandwidth <= 0)) {
      throw config.refusal("target_bandwidths", "positive numbers are");
    }
    if (checked.codebooks() < 1 || checked.codebooks() > CODEBOOKS_MAX) {
      throw config.refusal(
          "target_bandwidths",
          "the last one must pay for 1 to " + CODEBOOKS_MAX + " codebooks at this frame rate");
    }
    return checked;
  }

  /** Samples per frame. */
  long hop() {
    return ratios.stream().mapToLong(ratio -> ratio).reduce(1, Math::multiplyExact);
  }

  /** Frames per second, rounded up: the family counts bits with this whole number. */
  int frameRate() {
    return Math.toIntExact(Math.ceilDiv((long) sampleRate, hop()));
  }

  /** Codebooks that the last bandwidth pays for. */
  int codebooks() {
    double bits = 1000 * bandwidths.getLast();
    double perCodebook = (double) frameRate() * bitsPerCode();
    // The floor of the exact quotient; a rounded division could reach the next whole number.
    return (int) Math.rint((bits - bits % perCodebook) / perCodebook);
  }

  /** Codebooks to use for a bandwidth in kbit/s: what it pays for, at least one. */
  int codebooksFor(double bandwidth) {
    double paid = Math.floor(bandwidth * 1000 / ((double) bitsPerCode() * frameRate()));
    return (int) Math.min(codebooks(), Math.max(1, paid));
  }

  private int bitsPerCode() {
    return Integer.numberOfTrailingZeros(codebookSize);
  }
}
