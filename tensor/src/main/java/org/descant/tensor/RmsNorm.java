package org.descant.tensor;

import java.util.List;

/**
 * Root mean square normalisation (Zhang and Sennrich 2019) as one operation with a gradient of its
 * own: eight passes over the rows where autograd needs about twenty. Inside an {@link Autocast}
 * region of bf16 its result is bf16, which is what the product after it would make of it.
 * Stateless.
 */
final class RmsNorm {
  private RmsNorm() {}

  /**
   * x / √(mean(x²) + epsilon) × weight, over the last dimension.
   *
   * @param x fp32 on the CPU
   * @param weight [width], fp32
   */
  static Tensor apply(Tensor x, Tensor weight, double epsilon) {
    long width = x.size(-1);
    Tensor rows = x.detach().reshape(-1, width);
    Tensor scale = weight.detach();
    Tensor factors;
    Tensor value;
    try (NoGrad noGrad = NoGrad.open()) {
      factors = rows.norm(-1, true).square().mulInPlace(1.0 / width).addInPlace(epsilon).rsqrt();
      value = rows.mul(factors).mulInPlace(scale).view(x.shape());
      if (Autocast.isActive()) {
        value = value.to(DType.BF16);
      }
    }
    if (!HandGradient.isWanted(x, weight)) {
      return value;
    }
    return HandGradient.attach(
        value,
        List.of(x, weight),
        gradient -> {
          // Must not be the gradient's own memory: it is changed below.
          Tensor given = gradient.reshape(-1, width);
          Tensor d = given.dtype() == DType.F32 ? given.copy() : given.to(DType.F32);
          Tensor products = d.mul(rows);
          Tensor dots = products.matmul(scale).unsqueeze(1);
          Tensor dWeight = products.transpose(0, 1).matmul(factors.squeeze(1));
          Tensor cube = factors.pow(3).mulInPlace(dots).mulInPlace(1.0 / width);
          d.mulInPlace(scale).mulInPlace(factors).addProductInPlace(rows, cube, -1);
          return List.of(d.view(x.shape()), dWeight);
        });
  }
}
