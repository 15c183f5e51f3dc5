package org.descant.attribution;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.audio.analysis.Fingerprint;
import org.descant.models.ModelCard;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;

/**
 * Says which recordings shaped a clip of one model: by {@link TokenInfluence}, in milliseconds.
 * Immutable and safe for many threads.
 */
public final class Attributor {
  private final AttributionIndex index;

  private Attributor(AttributionIndex index) {
    this.index = index;
  }

  /**
   * Opens the index in a model's folder.
   *
   * @throws AttributionException when the index is missing, damaged, or of other weights
   * @throws org.descant.models.ModelException when the folder has no card
   */
  public static Attributor open(Path modelFolder) {
    AttributionIndex index = AttributionIndex.read(modelFolder);
    ModelCard card = ModelCard.read(modelFolder);
    if (!index.modelId().equals(card.id())
        || !index.recordings().equals(AttributionIndex.trainedOn(card))) {
      throw new AttributionException(
          "%s belongs to other weights than the model in %s: build it again with `%s`"
              .formatted(
                  AttributionIndex.FILE, modelFolder, AttributionIndex.command(modelFolder)));
    }
    return new Attributor(index);
  }

  /** Recordings that weights are given for, sorted by ISRC. */
  public List<Isrc> recordings() {
    return index.recordings();
  }

  /**
   * What a training recording sounds like once the model's codec has coded and decoded it: what a
   * model would make that recites it, which {@link org.descant.audio.analysis.CopiedSpan} often
   * does not find by the recording itself.
   *
   * @throws AttributionException when the model did not learn from it
   */
  public Fingerprint throughCodec(Isrc recording) {
    return index.throughCodec(recording);
  }

  /**
   * Weights of all recordings that the model was trained on, sorted by ISRC; not negative, with the
   * sum 1. The same codes give the same weights.
   *
   * @param codes {@code [codebook][frame]} as the model drew them, or of the latents it made
   * @throws AttributionException when the codes are not the model's
   */
  public List<RecordingWeight> attribute(int[][] codes) {
    double[] weights = TokenInfluence.shares(index.influence().scores(codes));
    List<RecordingWeight> named = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      named.add(new RecordingWeight(index.recordings().get(i), weights[i]));
    }
    return List.copyOf(named);
  }
}
