package org.descant.training.stage;

import java.util.List;
import java.util.Objects;
import org.descant.models.codec.CodecLatents;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.jspecify.annotations.Nullable;

/**
 * What the last stage learns from and is measured on.
 *
 * @param trained copies of the trained recordings
 * @param heldOut the held-out recordings as they are
 * @param styles latents of every recording of the dataset, by its index, for style embeddings
 */
public record Tokens(List<Coded> trained, List<Coded> heldOut, List<CodecLatents> styles) {
  public Tokens {
    trained = List.copyOf(trained);
    heldOut = List.copyOf(heldOut);
    styles = List.copyOf(styles);
  }

  /**
   * One copy of a recording as codes with its conditions.
   *
   * @param recording index in the dataset
   * @param copy how it was played
   * @param codes {@code [codebook][frame]}
   * @param frames conditions, one a frame
   * @param global conditions of the whole, without a style
   * @param latents what the codes were made from, where a flow model learns from it; else null
   */
  public record Coded(
      int recording,
      Copy copy,
      int[][] codes,
      FrameConditions frames,
      GlobalConditions global,
      @Nullable CodecLatents latents) {
    int length() {
      return codes[0].length;
    }

    CodecLatents requireLatents() {
      return Objects.requireNonNull(latents, "latents of a copy for a flow model");
    }
  }
}
