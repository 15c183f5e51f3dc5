package org.descant.models.codec.discriminator;

import java.util.List;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Tensor;

/**
 * Tells what was decoded from what was recorded. One thread at a time; closing frees the weights.
 */
public sealed interface Discriminator extends AutoCloseable
    permits SoundDiscriminator, SpectrumDiscriminator {

  /** All that it learns. */
  ParameterStore parameters();

  /**
   * What it thinks of a batch, one verdict for each of its networks.
   *
   * @param batch what it judges, of any length from its least on
   */
  List<Verdict> judge(Tensor batch);

  /** Multiplications of the last {@link #judge}. */
  double products();

  @Override
  void close();
}
