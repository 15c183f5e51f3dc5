package org.descant.training.stage;

import java.util.List;
import java.util.Objects;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.shards.FieldFile;
import org.jspecify.annotations.Nullable;

/**
 * What the last stage learns from and is measured on. Codes and latents of a run lie mapped in
 * fields of the dataset, and may be read until this is closed.
 *
 * @param trained copies of the trained recordings
 * @param heldOut the held-out recordings as they are
 * @param styles latents of every recording of the dataset, by its index, for style embeddings
 * @param fields that they lie in; none where all is in memory
 */
public record Tokens(
    List<Coded> trained, List<Coded> heldOut, List<Latents> styles, List<FieldFile> fields)
    implements AutoCloseable {
  public Tokens {
    trained = List.copyOf(trained);
    heldOut = List.copyOf(heldOut);
    styles = List.copyOf(styles);
    fields = List.copyOf(fields);
  }

  /**
   * One copy of a recording as codes with its conditions.
   *
   * @param recording index in the dataset
   * @param copy how it was played
   * @param codes of its codec
   * @param frames conditions, one a frame
   * @param global conditions of the whole, without a style
   * @param latents what the codes were made from, where a flow model learns from it; else null
   */
  public record Coded(
      int recording,
      Copy copy,
      Codes codes,
      FrameConditions frames,
      GlobalConditions global,
      @Nullable Latents latents) {
    int length() {
      return codes.length();
    }

    Latents requireLatents() {
      return Objects.requireNonNull(latents, "latents of a copy for a flow model");
    }
  }

  @Override
  public void close() {
    fields.forEach(FieldFile::close);
  }
}
