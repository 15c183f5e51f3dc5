package org.descant.models.published.codec;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.published.weights.Layer;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.Tensor;

/**
 * The convolutional encoder and decoder of DAC (Kumar et al. 2023): residual units of dilation 1, 3
 * and 9 around strided convolutions, with the Snake activation (Ziyin et al. 2020,
 * arXiv:2006.08195) {@code x + sin²(αx) / α}, whose α is stored as it is, not as a logarithm.
 */
final class DacNet {
  private static final int KERNEL = 7;
  private static final int LAST_ENCODER_KERNEL = 3;
  private static final int[] DILATIONS = {1, 3, 9};
  private static final double ALPHA_MIN = 1e-9;

  private final PublishedWeights weights;
  private final Owned owned;

  DacNet(PublishedWeights weights, Owned owned) {
    this.weights = weights;
    this.owned = owned;
  }

  /** Waveforms [batch, 1, samples] to latents [batch, width, frames]. */
  Layer encoder(List<Integer> ratios, int first, int width) {
    List<Layer> layers = new ArrayList<>();
    layers.add(conv("encoder.conv1", 1, first, KERNEL, Tensor.Conv.same(KERNEL)));
    int wide = first;
    for (int i = 0; i < ratios.size(); i++) {
      String block = "encoder.block." + i;
      int ratio = ratios.get(i);
      addUnits(layers, block, wide);
      layers.add(snake(block + ".snake1", wide));
      layers.add(conv(block + ".conv1", wide, wide * 2, 2 * ratio, strided(ratio)));
      wide *= 2;
    }
    layers.add(snake("encoder.snake1", wide));
    layers.add(
        conv(
            "encoder.conv2",
            wide,
            width,
            LAST_ENCODER_KERNEL,
            Tensor.Conv.same(LAST_ENCODER_KERNEL)));
    return Layer.stack(layers);
  }

  /** Latents [batch, width, frames] to waveforms [batch, 1, samples]. */
  Layer decoder(List<Integer> ratios, int width, int first) {
    List<Layer> layers = new ArrayList<>();
    layers.add(conv("decoder.conv1", width, first, KERNEL, Tensor.Conv.same(KERNEL)));
    for (int i = 0; i < ratios.size(); i++) {
      String block = "decoder.block." + i;
      // Halved from the start each time: odd widths round down once, as published.
      int in = first >> i;
      int out = first >> (i + 1);
      layers.add(snake(block + ".snake1", in));
      layers.add(convTranspose(block + ".conv_t1", in, out, ratios.get(i)));
      addUnits(layers, block, out);
    }
    int last = first >> ratios.size();
    layers.add(snake("decoder.snake1", last));
    layers.add(conv("decoder.conv2", last, 1, KERNEL, Tensor.Conv.same(KERNEL)));
    layers.add(Tensor::tanh);
    return Layer.stack(layers);
  }

  /** Frames on each side that a frame of the decoder's samples sees, at most. */
  static int decoderReach(List<Integer> ratios) {
    int half = (KERNEL - 1) / 2;
    int samples = half;
    for (int ratio : ratios.reversed()) {
      for (int dilation : DILATIONS) {
        samples += half * dilation;
      }
      samples = Math.ceilDiv(samples, ratio) + 2;
    }
    return samples + half;
  }

  private void addUnits(List<Layer> layers, String block, int wide) {
    for (int i = 0; i < DILATIONS.length; i++) {
      String unit = block + ".res_unit" + (i + 1);
      int dilation = DILATIONS[i];
      Tensor.Conv keeping =
          Tensor.Conv.PLAIN.withDilation(dilation).withPadding((KERNEL - 1) / 2 * (long) dilation);
      Layer change =
          Layer.stack(
              List.of(
                  snake(unit + ".snake1", wide),
                  conv(unit + ".conv1", wide, wide, KERNEL, keeping),
                  snake(unit + ".snake2", wide),
                  conv(unit + ".conv2", wide, wide, 1, Tensor.Conv.PLAIN)));
      layers.add(x -> change.forward(x).addInPlace(x));
    }
  }

  /** Twice the stride as kernel, half of it (rounded up) as padding on both sides. */
  private static Tensor.Conv strided(int ratio) {
    return Tensor.Conv.PLAIN.withStride(ratio).withPadding(Math.ceilDiv(ratio, 2));
  }

  private Layer conv(String name, int in, int out, int kernel, Tensor.Conv shape) {
    Tensor weight = owned.keep(weights.normedWeight(name, out, in, kernel));
    Tensor bias = owned.keep(weights.tensor(name + ".bias", out));
    return x -> x.conv1d(weight, bias, shape);
  }

  private Layer convTranspose(String name, int in, int out, int ratio) {
    Tensor weight = owned.keep(weights.normedWeight(name, in, out, 2L * ratio));
    Tensor bias = owned.keep(weights.tensor(name + ".bias", out));
    return x -> x.convTranspose1d(weight, bias, strided(ratio), 0);
  }

  private Layer snake(String name, int channels) {
    Tensor alpha = owned.keep(weights.tensor(name + ".alpha", 1, channels, 1));
    Tensor inverse = owned.keep(alpha.add(ALPHA_MIN).reciprocal());
    return x -> x.mul(alpha).sin().square().mulInPlace(inverse).addInPlace(x);
  }
}
