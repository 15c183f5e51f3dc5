package org.descant.models.flow;

import org.descant.models.ModelException;

/**
 * Shape of a {@link FlowModel}.
 *
 * @param width model width
 * @param layers transformer layers
 * @param heads attention heads; {@code width / heads} must be even
 * @param hidden inner width of SwiGLU
 * @param latent numbers per latent frame of the codec
 * @param styleSize numbers in a style embedding
 * @param context frames that are made or learned at once, at most
 */
public record FlowConfig(
    int width, int layers, int heads, int hidden, int latent, int styleSize, int context) {

  /** About 6 million parameters; 640 frames are 15 seconds. */
  public static final FlowConfig DEMO = new FlowConfig(256, 6, 4, 704, 32, 64, 640);

  /** About 2 million parameters, for runs of a minute. */
  public static final FlowConfig TINY = new FlowConfig(128, 3, 4, 352, 32, 64, 640);

  public FlowConfig {
    require(width >= 8 && width <= 8192, "width", width);
    require(layers >= 1 && layers <= 128, "layers", layers);
    require(heads >= 1 && width % heads == 0 && (width / heads) % 2 == 0, "heads", heads);
    require(hidden >= 8 && hidden <= 65536, "hidden", hidden);
    require(latent >= 1 && latent <= 1024, "latent", latent);
    require(styleSize >= 1 && styleSize <= 4096, "styleSize", styleSize);
    require(context >= 1 && context <= 65536, "context", context);
  }

  int headSize() {
    return width / heads;
  }

  private static void require(boolean holds, String key, int value) {
    if (!holds) {
      throw new ModelException("The flow model's " + key + " cannot be " + value);
    }
  }
}
