package org.descant.models.codec.discriminator;

import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Tensor;

/**
 * A convolution over rows and columns whose filters have a direction and a length of their own
 * (Salimans and Kingma, "Weight Normalization", 2016).
 */
final class NormedConv {
  /** Length of a filter whose numbers are uniform within one over the root of their count. */
  private static final double LENGTH = 1 / Math.sqrt(3);

  private final Parameter direction;
  private final Parameter length;
  private final Parameter bias;
  private final Tensor.Conv2d shape;
  private double products;

  NormedConv(
      ParameterStore store,
      String name,
      int in,
      int out,
      int rows,
      int columns,
      Tensor.Conv2d shape) {
    long fan = (long) in * rows * columns;
    this.direction =
        store.declareUndecayed(name + ".direction", Initializer.fanIn(fan), out, in, rows, columns);
    this.length = store.declare(name + ".length", Initializer.constant(LENGTH), out);
    this.bias = store.declare(name + ".bias", Initializer.fanIn(fan), out);
    this.shape = shape;
  }

  /** {@code [batch, in, rows, columns]} to {@code [batch, out, rows, columns]}. */
  Tensor apply(Tensor x) {
    Tensor v = direction.tensor();
    Tensor norm = v.flatten(1, -1).square().sum(1, false).sqrt();
    Tensor weight = v.mul(length.tensor().div(norm).view(-1, 1, 1, 1));
    Tensor y = x.conv2d(weight, bias.tensor(), shape);
    products = (double) y.count() / y.size(1) * v.count();
    return y;
  }

  /** Multiplications of the last {@link #apply}. */
  double products() {
    return products;
  }
}
