package org.descant.models.codec.discriminator;

import java.util.List;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Tensor;

/**
 * Judges spectrograms in scaled decibels, [batch, frames, bins]: one {@link BandDiscriminator}
 * whose scores are of patches, on magnitudes in place of complex numbers. Ours: a codec that
 * recovers its phases makes no waveform in training.
 */
public final class SpectrumDiscriminator implements Discriminator {
  private final ParameterStore store;
  private final BandDiscriminator network;

  /** A network that knows nothing yet. */
  public SpectrumDiscriminator(int channels, int bins, long seed) {
    store = new ParameterStore(seed);
    network = new BandDiscriminator(store, "decibels", 1, channels, bins);
    store.build();
  }

  @Override
  public ParameterStore parameters() {
    return store;
  }

  @Override
  public List<Verdict> judge(Tensor spectrumBTM) {
    return List.of(network.judge(spectrumBTM.unsqueeze(1)));
  }

  @Override
  public double products() {
    return network.products();
  }

  @Override
  public void close() {
    store.close();
  }
}
