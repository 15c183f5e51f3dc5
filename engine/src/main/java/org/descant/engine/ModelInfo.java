package org.descant.engine;

import java.util.List;
import java.util.Map;
import org.descant.rights.Isrc;
import org.jspecify.annotations.Nullable;

/**
 * What a loaded model is and what it was made of.
 *
 * @param id {@code sha256:} and the hash of its weights
 * @param datasetRoot of the dataset it was trained on
 * @param recordings all of that dataset; held-out ones were only listened to
 * @param evaluation its figures, by name
 * @param reliability how sure attribution is with this model, null when that was never measured
 * @param pulledFrom the hub's name of a model that was pulled, which has no rights manifest and is
 *     for study only; null for one that was trained under this house's rules
 */
public record ModelInfo(
    String id,
    String name,
    String datasetRoot,
    List<TrainedOn> recordings,
    Map<String, Double> evaluation,
    @Nullable Reliability reliability,
    @Nullable String pulledFrom) {

  /** A recording of the dataset; {@code tempoBpm} 0 and {@code key} empty when unknown. */
  public record TrainedOn(
      Isrc isrc,
      String title,
      String artist,
      List<String> tags,
      double tempoBpm,
      String key,
      boolean heldOut) {}

  /**
   * Rank correlation between predicted and measured influence, and the command that measured it.
   */
  public record Reliability(String method, double score, int groups, String command) {}

  /** Recordings that shaped the weights. */
  public List<Isrc> trainedOn() {
    return recordings.stream().filter(r -> !r.heldOut()).map(TrainedOn::isrc).toList();
  }
}
