package org.descant.models.published.codec;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.published.weights.Layer;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The convolutional encoder and decoder of EnCodec (Défossez et al. 2022, arXiv:2210.13438), after
 * SEANet (Tagliasacchi et al. 2020): residual blocks and strided convolutions around a residual
 * LSTM.
 *
 * <p>How the edges are padded is the whole difficulty. A convolution sees {@code (kernel − 1) ×
 * dilation + 1 − stride} samples more than it steps over: all of them before the signal when
 * causal, else half, the smaller half after it; the end is filled up to a whole frame besides. A
 * transposed convolution cuts its surplus by the same rule, only that the causal cut is at the end.
 * Signals too short to be reflected get zeros first.
 */
final class SeaNet {
  private static final double GROUP_NORM_EPSILON = 1e-5;

  private final EnCodecConfig config;
  private final PublishedWeights weights;
  private final Owned owned;

  private SeaNet(EnCodecConfig config, PublishedWeights weights, Owned owned) {
    this.config = config;
    this.weights = weights;
    this.owned = owned;
  }

  /** Waveforms [batch, channels, samples] to embeddings [batch, width, frames]. */
  static Layer encoder(EnCodecConfig config, PublishedWeights weights, Owned owned) {
    SeaNet net = new SeaNet(config, weights.under("layers."), owned);
    List<Layer> layers = new ArrayList<>();
    layers.add(net.conv("0", config.channels(), config.filters(), config.kernel(), 1, 1));
    int wide = config.filters();
    for (int ratio : config.ratios().reversed()) {
      net.addResidualBlocks(layers, wide);
      layers.add(Tensor::elu);
      layers.add(net.conv(next(layers), wide, wide * 2, ratio * 2, ratio, 1));
      wide *= 2;
    }
    layers.add(net.lstm(next(layers), wide));
    layers.add(Tensor::elu);
    layers.add(net.conv(next(layers), wide, config.width(), config.lastKernel(), 1, 1));
    return Layer.stack(layers);
  }

  /** Embeddings [batch, width, frames] to waveforms [batch, channels, frames × hop]. */
  static Layer decoder(EnCodecConfig config, PublishedWeights weights, Owned owned) {
    SeaNet net = new SeaNet(config, weights.under("layers."), owned);
    List<Layer> layers = new ArrayList<>();
    int wide = config.filters() << config.ratios().size();
    layers.add(net.conv("0", config.width(), wide, config.kernel(), 1, 1));
    layers.add(net.lstm(next(layers), wide));
    for (int ratio : config.ratios()) {
      layers.add(Tensor::elu);
      layers.add(net.convTranspose(next(layers), wide, wide / 2, ratio));
      wide /= 2;
      net.addResidualBlocks(layers, wide);
    }
    layers.add(Tensor::elu);
    layers.add(net.conv(next(layers), wide, config.channels(), config.lastKernel(), 1, 1));
    return Layer.stack(layers);
  }

  /** The published name of a layer is its place in the list. */
  private static String next(List<Layer> layers) {
    return String.valueOf(layers.size());
  }

  private void addResidualBlocks(List<Layer> layers, int wide) {
    int dilation = 1;
    for (int i = 0; i < config.residualLayers(); i++) {
      String name = next(layers);
      int narrow = wide / config.compress();
      Layer squeeze = conv(name + ".block.1", wide, narrow, config.residualKernel(), 1, dilation);
      Layer widen = conv(name + ".block.3", narrow, wide, 1, 1, 1);
      @Nullable Layer shortcut =
          config.convShortcut() ? conv(name + ".shortcut", wide, wide, 1, 1, 1) : null;
      layers.add(x -> {
        Tensor changed = widen.forward(squeeze.forward(x.elu()).elu());
        return changed.addInPlace(shortcut == null ? x : shortcut.forward(x));
      });
      dilation *= config.dilationGrowth();
    }
  }

  private Layer conv(String name, int in, int out, int kernel, int stride, int dilation) {
    Tensor weight = owned.keep(weights.normedWeight(name + ".conv", out, in, kernel));
    Tensor bias = owned.keep(weights.tensor(name + ".conv.bias", out));
    Layer norm = norm(name, out);
    Tensor.Conv shape = Tensor.Conv.PLAIN.withStride(stride).withDilation(dilation);
    long surplus = (long) (kernel - 1) * dilation + 1 - stride;
    long after = config.causal() ? 0 : surplus / 2;
    return x -> {
      long length = x.size(-1);
      long fill = Math.ceilDiv(length, stride) * stride - length;
      return norm.forward(pad(x, surplus - after, after + fill).conv1d(weight, bias, shape));
    };
  }

  private Layer convTranspose(String name, int in, int out, int ratio) {
    Tensor weight = owned.keep(weights.normedWeight(name + ".conv", in, out, 2L * ratio));
    Tensor bias = owned.keep(weights.tensor(name + ".conv.bias", out));
    Layer norm = norm(name, out);
    Tensor.Conv shape = Tensor.Conv.PLAIN.withStride(ratio);
    long after = config.causal() ? (long) Math.ceil(ratio * config.trimRight()) : ratio / 2;
    return x -> {
      Tensor all = norm.forward(x.convTranspose1d(weight, bias, shape, 0));
      return all.narrow(-1, ratio - after, all.size(-1) - ratio).contiguous();
    };
  }

  private Layer norm(String name, int channels) {
    if (!config.groupNorm()) {
      return x -> x;
    }
    Tensor weight = owned.keep(weights.tensor(name + ".norm.weight", channels));
    Tensor bias = owned.keep(weights.tensor(name + ".norm.bias", channels));
    return x -> x.groupNorm(1, weight, bias, GROUP_NORM_EPSILON);
  }

  private Layer lstm(String name, int wide) {
    List<Tensor> all = new ArrayList<>();
    for (int i = 0; i < config.lstmLayers(); i++) {
      all.add(owned.keep(weights.tensor(name + ".lstm.weight_ih_l" + i, 4L * wide, wide)));
      all.add(owned.keep(weights.tensor(name + ".lstm.weight_hh_l" + i, 4L * wide, wide)));
      all.add(owned.keep(weights.tensor(name + ".lstm.bias_ih_l" + i, 4L * wide)));
      all.add(owned.keep(weights.tensor(name + ".lstm.bias_hh_l" + i, 4L * wide)));
    }
    return x -> {
      Tensor timeFirst = x.permute(2, 0, 1).contiguous();
      return timeFirst.lstm(all).addInPlace(timeFirst).permute(1, 2, 0).contiguous();
    };
  }

  private Tensor pad(Tensor x, long before, long after) {
    if (before == 0 && after == 0) {
      return x;
    }
    if (config.padMode().equals("constant")) {
      return x.pad(before, after, 0.0);
    }
    long widest = Math.max(before, after);
    long missing = widest - x.size(-1) + 1;
    if (!config.padMode().equals("reflect") || missing <= 0) {
      return x.pad(before, after, config.padMode());
    }
    // Zeros make the signal long enough to be reflected; as many are cut off again at the end.
    Tensor padded = x.pad(0, missing, 0.0).pad(before, after, "reflect");
    return padded.narrow(-1, 0, padded.size(-1) - missing);
  }
}
