package org.descant.models.codec.discriminator;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Tensor;

/**
 * Looks at a picture of time and frequency, cut into five bands with convolutions of their own (the
 * multi-band part of the STFT discriminator of Kumar et al., "High-Fidelity Audio Compression with
 * Improved RVQGAN", 2023; there with 32 channels).
 */
final class BandDiscriminator {
  private static final double[] EDGES = {0, 0.1, 0.25, 0.5, 0.75, 1};
  private static final int ROWS = 3;
  private static final int COLUMNS = 9;
  private static final Tensor.Conv2d FIRST = new Tensor.Conv2d(1, 1, 1, COLUMNS / 2);
  private static final Tensor.Conv2d HALVING = new Tensor.Conv2d(1, 2, 1, COLUMNS / 2);
  private static final Tensor.Conv2d SMALL = new Tensor.Conv2d(1, 1, 1, 1);
  private static final int HALVINGS = 3;

  private final int bins;
  private final List<List<NormedConv>> bands = new ArrayList<>();
  private final NormedConv last;

  /**
   * @param in numbers of a bin
   * @param channels of all layers
   * @param bins of a frame
   */
  BandDiscriminator(ParameterStore store, String name, int in, int channels, int bins) {
    this.bins = bins;
    for (int band = 0; band < EDGES.length - 1; band++) {
      String prefix = name + ".band" + band + ".";
      List<NormedConv> layers = new ArrayList<>();
      layers.add(new NormedConv(store, prefix + 0, in, channels, ROWS, COLUMNS, FIRST));
      for (int i = 1; i <= HALVINGS; i++) {
        layers.add(new NormedConv(store, prefix + i, channels, channels, ROWS, COLUMNS, HALVING));
      }
      layers.add(
          new NormedConv(store, prefix + (HALVINGS + 1), channels, channels, ROWS, ROWS, SMALL));
      bands.add(layers);
    }
    last = new NormedConv(store, name + ".last", channels, 1, ROWS, ROWS, SMALL);
  }

  /** Judges pictures, [batch, in, frames, bins]. */
  Verdict judge(Tensor picture) {
    if (picture.size(3) != bins) {
      throw new ModelException(
          "This discriminator sees %d bins, was given %d".formatted(bins, picture.size(3)));
    }
    List<Tensor> features = new ArrayList<>();
    List<Tensor> ends = new ArrayList<>();
    for (int band = 0; band < bands.size(); band++) {
      int from = (int) (EDGES[band] * bins);
      int to = (int) (EDGES[band + 1] * bins);
      Tensor x = picture.narrow(3, from, to - from);
      for (NormedConv layer : bands.get(band)) {
        x = layer.apply(x).leakyRelu(PeriodDiscriminator.SLOPE);
        features.add(x);
      }
      ends.add(x);
    }
    return new Verdict(last.apply(Tensor.cat(ends, 3)), features);
  }

  double products() {
    return bands.stream().flatMap(List::stream).mapToDouble(NormedConv::products).sum()
        + last.products();
  }
}
