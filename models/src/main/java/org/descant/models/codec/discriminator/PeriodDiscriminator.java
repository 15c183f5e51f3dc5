package org.descant.models.codec.discriminator;

import java.util.ArrayList;
import java.util.List;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Tensor;

/**
 * Looks at every p-th sample: a waveform in rows of p, and convolutions down its columns (Kong,
 * Kim, Bae, "HiFi-GAN", 2020, multi-period discriminator; there the first layer has 32 channels).
 */
final class PeriodDiscriminator {
  static final double SLOPE = 0.1;
  private static final int KERNEL = 5;
  private static final int STRIDE = 3;
  private static final int[] WIDENING = {1, 4, 16, 32, 32};

  private final int period;
  private final List<NormedConv> layers = new ArrayList<>();
  private final NormedConv last;

  PeriodDiscriminator(ParameterStore store, int period, int channels) {
    this.period = period;
    String name = "period" + period + ".";
    int in = 1;
    for (int i = 0; i < WIDENING.length; i++) {
      int out = channels * WIDENING[i];
      int stride = i == WIDENING.length - 1 ? 1 : STRIDE;
      var shape = new Tensor.Conv2d(stride, 1, KERNEL / 2, 0);
      layers.add(new NormedConv(store, name + i, in, out, KERNEL, 1, shape));
      in = out;
    }
    last = new NormedConv(store, name + "last", in, 1, 3, 1, new Tensor.Conv2d(1, 1, 1, 0));
  }

  /** Judges waveforms, [batch, 1, samples]. */
  Verdict judge(Tensor sound) {
    long samples = sound.size(2);
    long missing = (period - samples % period) % period;
    Tensor x = missing == 0 ? sound : sound.pad(0, missing, "reflect");
    x = x.reshape(x.size(0), 1, (samples + missing) / period, period);
    List<Tensor> features = new ArrayList<>();
    for (NormedConv layer : layers) {
      x = layer.apply(x).leakyRelu(SLOPE);
      features.add(x);
    }
    return new Verdict(last.apply(x), features);
  }

  double products() {
    return layers.stream().mapToDouble(NormedConv::products).sum() + last.products();
  }
}
