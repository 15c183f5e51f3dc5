package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.GradMode;
import org.jspecify.annotations.Nullable;

/**
 * Cross entropy of a linear layer's outputs, without ever holding all logits. Stateless.
 *
 * <p>Logits are made for some rows at a time, turned into their loss and at once into the gradients
 * of rows, weight and bias, while they are in the cache ("cut cross-entropy", Wijmans et al. 2024,
 * as a loop over rows). Against {@code linear} and {@code crossEntropy} this saves four passes over
 * an fp32 tensor of rows × classes, and its memory. Without gradients only the loss is computed.
 *
 * <p>The gradients reach autograd as constants: the result is the loss plus an inner product of
 * each input with its gradient, minus the same number. So it may be scaled, summed and
 * differentiated once; a second derivative is not there.
 */
public final class HeadLoss {
  /** Logits held at a time: 2 MB in fp32, which a core's caches take. */
  private static final long LOGITS = 1 << 19;

  /** Fewer rows than this make products too flat to be fast. */
  private static final long ROWS_MIN = 128;

  private HeadLoss() {}

  /**
   * The mean over rows of −log softmax(row · weightᵀ + bias)[target].
   *
   * @param rows [rows, width]; products run in bf16 inside an {@link Autocast} region of bf16
   * @param weight [classes, width]
   * @param bias [classes], or null
   * @param target I64 [rows], on the same device; {@link Tensor#IGNORE} leaves a row out
   * @return a scalar; NaN when every row is left out
   */
  public static Tensor crossEntropy(
      Tensor rows, Tensor weight, @Nullable Tensor bias, Tensor target) {
    if (rows.dim() != 2 || weight.dim() != 2 || rows.size(0) != target.count()) {
      throw new TensorException(
          "A head's loss needs rows [n, width], weight [classes, width] and n targets, not "
              + rows
              + ", "
              + weight
              + ", "
              + target
              + ".");
    }
    boolean learns =
        GradMode.is_enabled()
            && (rows.requiresGrad()
                || weight.requiresGrad()
                || (bias != null && bias.requiresGrad()));
    try (Scope scope = Scope.open()) {
      Tensor value;
      Sums sums;
      try (NoGrad noGrad = NoGrad.open()) {
        sums = new Sums(rows, weight, bias, target, learns);
        value = sums.loss;
      }
      if (!learns) {
        return scope.keep(value);
      }
      Tensor product = rows.mul(sums.ofRows()).sum().add(weight.mul(sums.ofWeight).sum());
      if (bias != null) {
        product = product.add(bias.mul(sums.ofBias).sum());
      }
      return scope.keep(product.sub(product.detach()).add(value));
    }
  }

  /** The loss and the gradients, chunk by chunk. */
  private static final class Sums {
    Tensor loss;
    private final List<Tensor> partsOfRows = new ArrayList<>();
    final Tensor ofWeight;
    final Tensor ofBias;

    Sums(Tensor rows, Tensor weight, @Nullable Tensor bias, Tensor target, boolean learns) {
      DType type = Autocast.isActive() ? DType.BF16 : rows.dtype();
      Tensor x = rows.detach().to(type);
      Tensor w = weight.detach().to(type);
      Tensor b = bias == null ? null : bias.detach().to(type);
      Tensor known = target.maskedFill(target.eq(Tensor.IGNORE), 0);
      Tensor counts = target.ne(Tensor.IGNORE).to(DType.F32);
      Tensor share = counts.div(counts.sum());
      ofWeight = weight.detach().zerosLike();
      ofBias = weight.detach().select(1, 0).zerosLike();
      loss = share.select(0, 0).mul(0.0);
      long chunk = Math.max(ROWS_MIN, LOGITS / weight.size(0));
      for (long from = 0; from < x.size(0); from += chunk) {
        long length = Math.min(chunk, x.size(0) - from);
        try (Scope scope = Scope.open()) {
          Tensor part = x.narrow(0, from, length);
          Tensor shares = share.narrow(0, from, length).unsqueeze(1);
          Tensor classes = known.narrow(0, from, length).unsqueeze(1);
          Tensor log = part.linear(w, b).to(DType.F32).logSoftmax(-1);
          loss.subInPlace(log.gather(1, classes).mul(shares).sum());
          if (learns) {
            Tensor gradient = log.expInPlace();
            gradient.scatterAddInPlace(1, classes, shares.zerosLike().fill(-1));
            Tensor g = gradient.mulInPlace(shares).to(type);
            partsOfRows.add(scope.keep(g.matmul(w)));
            ofWeight.addInPlace(g.transpose(0, 1).matmul(part));
            ofBias.addInPlace(gradient.sum(0, false));
          }
        }
      }
    }

    Tensor ofRows() {
      return partsOfRows.size() == 1 ? partsOfRows.getFirst() : Tensor.cat(partsOfRows, 0);
    }
  }
}
