package org.descant.tensor;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The cross-attention of a whole decoder, one position at a time, over memory that stays. fp32 on
 * the CPU, without gradients; the numbers are those of {@link Attention#cross}. Belongs to one
 * decoding session and its thread.
 */
public final class StepMemory implements AutoCloseable {
  private final List<Tensor> keys;
  private final List<Tensor> values;
  private final @Nullable Tensor mask;
  private final long rows;
  private final long heads;
  private final long positions;
  private final long width;
  private final HeadProducts products;

  /**
   * Copies what it needs.
   *
   * @param keys of each layer, [rows, heads, memory, width], like {@code values}
   * @param mask added to the scores, [rows, 1, 1, memory]: 0 where to look, very negative
   *     elsewhere; null looks everywhere
   */
  public StepMemory(List<Tensor> keys, List<Tensor> values, @Nullable Tensor mask) {
    Tensor first = keys.getFirst();
    rows = first.size(0);
    heads = first.size(1);
    positions = first.size(2);
    width = first.size(3);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      this.keys = keys.stream().map(StepMemory::kept).toList();
      this.values = values.stream().map(StepMemory::kept).toList();
      this.mask = mask == null ? null : kept(mask.reshape(rows, 1, positions));
    }
    products = new HeadProducts(rows, heads, positions, width);
  }

  private static Tensor kept(Tensor tensor) {
    return tensor.detach().to(DType.F32).copy().contiguous().retain();
  }

  /**
   * Attends.
   *
   * @param query [rows, heads × width], fp32 and contiguous
   * @return [rows, heads × width], overwritten by the next call
   */
  public Tensor read(int layer, Tensor query) {
    if (query.dtype() != DType.F32
        || query.dim() != 2
        || query.size(0) != rows
        || query.size(1) != heads * width) {
      throw new TensorException(
          "A step reads with fp32 [%d, %d], was given %s.".formatted(rows, heads * width, query));
    }
    return products.attend(
        HeadProducts.address(query),
        heads * width,
        HeadProducts.address(keys.get(layer)),
        HeadProducts.address(values.get(layer)),
        positions * width,
        positions,
        mask);
  }

  @Override
  public void close() {
    products.close();
    keys.forEach(Tensor::close);
    values.forEach(Tensor::close);
    if (mask != null) {
      mask.close();
    }
  }
}
