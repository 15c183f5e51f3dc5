package org.descant.models.lm;

import org.descant.models.ModelException;

/**
 * Shape of a {@link TokenLm}.
 *
 * @param width model width
 * @param layers transformer layers
 * @param heads attention heads; {@code width / heads} must be even
 * @param keyValueHeads heads of keys and values; fewer than {@code heads} is grouped-query
 *     attention
 * @param hidden inner width of SwiGLU
 * @param codebooks codebooks of the codec that are modelled
 * @param codebookSize entries per codebook
 * @param styleSize numbers in a style embedding
 * @param context steps that attention looks back, and the longest training sequence
 * @param spans whether it learns to fill spans: it has a vector for each part of a {@link
 *     SpanLayout}
 * @param melody whether it is told a melody (see {@link
 *     org.descant.models.condition.Conditioning.Group#MELODY})
 */
public record TokenLmConfig(
    int width,
    int layers,
    int heads,
    int keyValueHeads,
    int hidden,
    int codebooks,
    int codebookSize,
    int styleSize,
    int context,
    boolean spans,
    boolean melody) {

  /** About 7 million parameters. */
  public static final TokenLmConfig DEMO = new TokenLmConfig(256, 6, 4, 4, 704, 4, 1024, 64, 640);

  /** About 2 million parameters, for runs of a minute. */
  public static final TokenLmConfig TINY = new TokenLmConfig(128, 3, 4, 4, 352, 4, 1024, 64, 640);

  public TokenLmConfig {
    require(width >= 8 && width <= 8192, "width", width);
    require(layers >= 1 && layers <= 128, "layers", layers);
    require(heads >= 1 && width % heads == 0 && (width / heads) % 2 == 0, "heads", heads);
    require(
        keyValueHeads >= 1 && keyValueHeads <= heads && heads % keyValueHeads == 0,
        "keyValueHeads",
        keyValueHeads);
    require(hidden >= 8 && hidden <= 65536, "hidden", hidden);
    require(codebooks >= 1 && codebooks <= 32, "codebooks", codebooks);
    require(codebookSize >= 2 && codebookSize <= 65536, "codebookSize", codebookSize);
    require(styleSize >= 1 && styleSize <= 4096, "styleSize", styleSize);
    require(context >= 16 && context <= 65536, "context", context);
  }

  /** A model that neither fills spans nor follows a melody. */
  public TokenLmConfig(
      int width,
      int layers,
      int heads,
      int keyValueHeads,
      int hidden,
      int codebooks,
      int codebookSize,
      int styleSize,
      int context) {
    this(
        width,
        layers,
        heads,
        keyValueHeads,
        hidden,
        codebooks,
        codebookSize,
        styleSize,
        context,
        false,
        false);
  }

  /** The same shape with or without spans and melody. */
  public TokenLmConfig with(boolean fillsSpans, boolean followsMelody) {
    return new TokenLmConfig(
        width,
        layers,
        heads,
        keyValueHeads,
        hidden,
        codebooks,
        codebookSize,
        styleSize,
        context,
        fillsSpans,
        followsMelody);
  }

  int headSize() {
    return width / heads;
  }

  private static void require(boolean holds, String key, int value) {
    if (!holds) {
      throw new ModelException("The language model's " + key + " cannot be " + value);
    }
  }
}
