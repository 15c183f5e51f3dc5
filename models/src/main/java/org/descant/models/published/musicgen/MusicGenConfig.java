package org.descant.models.published.musicgen;

import org.descant.models.ModelException;
import org.descant.models.published.weights.PublishedConfig;

/**
 * The shape of a MusicGen decoder (Copet et al. 2023), as {@code config.json} states it under
 * {@code decoder}. Keys that do not change what inference computes (dropout, {@code
 * scale_embedding}, which the reference reads and never applies) are not kept.
 *
 * @param vocabulary codes of a codebook; one more embedding row holds the special token
 * @param width of the hidden states
 * @param layers transformer layers
 * @param heads of every attention
 * @param inner width of the feed-forward layers
 * @param codebooks streams of codes: one per codebook, and with two channels one per codebook and
 *     channel, left before right
 * @param channels 1, or 2 for a stereo model
 * @param textWidth of the text encoder's states
 * @param projected whether a linear layer brings the text's states to {@code width}
 */
public record MusicGenConfig(
    int vocabulary,
    int width,
    int layers,
    int heads,
    int inner,
    int codebooks,
    int channels,
    int textWidth,
    boolean projected) {
  /** Sinusoidal positions divide by half the width less one. */
  private static final int WIDTH_MIN = 4;

  private static final int CODEBOOKS_MAX = 64;

  /**
   * Reads the shape from a whole model's configuration.
   *
   * @throws ModelException naming the key that cannot be served
   */
  public static MusicGenConfig of(PublishedConfig root) {
    root.requireModelType("musicgen");
    PublishedConfig decoder = root.child("decoder");
    decoder.requireModelType("musicgen_decoder");
    PublishedConfig text = root.child("text_encoder");
    int width = decoder.whole("hidden_size", 1024, WIDTH_MIN);
    int heads = decoder.whole("num_attention_heads", 16, 1);
    if (width % heads != 0) {
      throw decoder.refusal("num_attention_heads", "hidden_size must be a multiple of it");
    }
    int codebooks = decoder.whole("num_codebooks", 4, 1);
    if (codebooks > CODEBOOKS_MAX) {
      throw decoder.refusal("num_codebooks", "1 to " + CODEBOOKS_MAX + " are");
    }
    int channels = decoder.whole("audio_channels", 1, 1);
    if (channels > 2) {
      throw decoder.refusal("audio_channels", "1 and 2 are");
    }
    if (channels == 2 && codebooks % 2 != 0) {
      throw decoder.refusal("num_codebooks", "a stereo model needs an even number");
    }
    int textWidth = text.whole("d_model", text.whole("hidden_size", 512, 1), 1);
    if (decoder.has("cross_attention_hidden_size")
        && (decoder.whole("cross_attention_hidden_size", width, 1) != textWidth
            || textWidth != width)) {
      throw decoder.refusal(
          "cross_attention_hidden_size",
          "the reference runs only where it, hidden_size and the text encoder's d_model are one");
    }
    return new MusicGenConfig(
        decoder.whole("vocab_size", 2048, 1),
        width,
        decoder.whole("num_hidden_layers", 24, 1),
        heads,
        decoder.whole("ffn_dim", 4096, 1),
        codebooks,
        channels,
        textWidth,
        textWidth != width);
  }

  /** Width of one attention head. */
  public int headWidth() {
    return width / heads;
  }

  /** The most lanes, up to this, that heads, inner width and vocabulary divide by. */
  public int lanes(int atMost) {
    int lanes = Math.max(1, atMost);
    while (heads % lanes != 0 || inner % lanes != 0 || vocabulary % lanes != 0) {
      lanes--;
    }
    return lanes;
  }

  /** Codebooks of the codec: streams of one channel. */
  public int codebooksPerChannel() {
    return codebooks / channels;
  }

  /** Steps that a stream's codes are delayed by: left and right of one codebook alike. */
  public int delay(int stream) {
    return stream / channels;
  }

  /**
   * Weights that one decoding step multiplies with: the bytes to read are this times their size.
   */
  public long weightsPerStep() {
    long layer = 6L * width * width + 2L * width * inner;
    return layers * layer + (long) codebooks * vocabulary * width;
  }
}
