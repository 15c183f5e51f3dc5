package org.descant.models.published.musicgen;

import org.descant.models.ModelException;
import org.descant.models.published.weights.PublishedConfig;
import org.jspecify.annotations.Nullable;

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
 * @param melody of a model that a melody leads, else null
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
    boolean projected,
    @Nullable Melody melody) {
  /** Published as {@code model_type}. */
  private static final String PLAIN = "musicgen";

  private static final String LED = "musicgen_melody";

  /** Sinusoidal positions divide by half the width less one. */
  private static final int WIDTH_MIN = 4;

  private static final int CODEBOOKS_MAX = 64;
  private static final int CHROMA_MAX = 1024;
  private static final int MELODY_FRAMES_MAX = 8192;

  /**
   * How a melody comes in. Such a decoder has no cross-attention: the melody's frames stand before
   * the text's states, and both before the codes, which attend to them as to their own past.
   *
   * @param classes pitch classes of a frame
   * @param frames that stand before the text: a shorter melody is repeated, a longer one cut
   * @param projected whether a linear layer brings frames to the decoder's width
   */
  public record Melody(int classes, int frames, boolean projected) {}

  /**
   * Reads the shape from a whole model's configuration.
   *
   * @throws ModelException naming the key that cannot be served
   */
  public static MusicGenConfig of(PublishedConfig root) {
    boolean led = root.text("model_type", PLAIN).equals(LED);
    root.requireModelType(led ? LED : PLAIN);
    PublishedConfig decoder = root.child("decoder");
    decoder.requireModelType((led ? LED : PLAIN) + "_decoder");
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
    if (!led
        && decoder.has("cross_attention_hidden_size")
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
        textWidth != width,
        led ? melody(root, width) : null);
  }

  private static Melody melody(PublishedConfig root, int width) {
    int classes = root.whole("num_chroma", 12, 1);
    if (classes > CHROMA_MAX) {
      throw root.refusal("num_chroma", "1 to " + CHROMA_MAX + " are");
    }
    int frames = root.whole("chroma_length", 235, 1);
    if (frames > MELODY_FRAMES_MAX) {
      throw root.refusal("chroma_length", "1 to " + MELODY_FRAMES_MAX + " are");
    }
    return new Melody(classes, frames, classes != width);
  }

  /**
   * Fails for a model that a melody leads: such a one is decoded here and not tuned.
   *
   * @throws ModelException naming the key
   */
  static void requireTunable(PublishedConfig root) {
    if (root.text("model_type", PLAIN).equals(LED)) {
      throw root.refusal("model_type", "it is played here; what is tuned is a \"" + PLAIN + "\"");
    }
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
    long layer = (melody == null ? 6L : 4L) * width * width + 2L * width * inner;
    return layers * layer + (long) codebooks * vocabulary * width;
  }
}
