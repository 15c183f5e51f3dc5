package org.descant.models.codec.discriminator;

import java.util.List;
import org.descant.tensor.Tensor;

/**
 * What one network thinks of a batch.
 *
 * @param score for each place, high where it sounds true: 1 is sure, 0 is sure of the contrary
 * @param features of its layers, from the input on, for feature matching
 */
public record Verdict(Tensor score, List<Tensor> features) {
  public Verdict {
    features = List.copyOf(features);
  }
}
