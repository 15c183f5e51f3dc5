package org.descant.tensor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The self-attention of a whole decoder, one position at a time after those it begins with: takes
 * query, key and value as one product gives them, keeps keys and values of each layer, and attends
 * over all of the past. fp32 on the CPU, without gradients.
 *
 * <p>The numbers are those of {@link Attention#causal}. Every layer attends once, then {@link
 * #advance} goes on to the next position. Belongs to one decoding session and its thread.
 */
public final class StepAttention implements AutoCloseable {
  private final long rows;
  private final long heads;
  private final long capacity;
  private final long width;
  private final List<Tensor> owned = new ArrayList<>(); // keys, then values of each layer
  private final MemorySegment[] keys; // a layer's [rows, heads, capacity, width]
  private final MemorySegment[] values;
  private final HeadProducts products;
  private long length;

  /** An empty past of so many layers that takes {@code capacity} positions. */
  public StepAttention(int layers, long rows, long heads, long capacity, long width) {
    this.rows = rows;
    this.heads = heads;
    this.capacity = capacity;
    this.width = width;
    keys = new MemorySegment[layers];
    values = new MemorySegment[layers];
    products = new HeadProducts(rows, heads, capacity, width);
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < layers; i++) {
        keys[i] = cache().memory();
        values[i] = cache().memory();
      }
    }
  }

  private Tensor cache() {
    Tensor made = Tensor.empty(DType.F32, rows, heads, capacity, width).retain();
    owned.add(made);
    return made;
  }

  /** Positions that are done. */
  public long length() {
    return length;
  }

  /**
   * Keeps this position's key and value in a layer, and attends from it.
   *
   * @param joined [rows, 3 × heads × width], fp32 and contiguous: query, key, value
   * @return [rows, heads × width], overwritten by the next call
   */
  public Tensor attend(int layer, Tensor joined) {
    long all = heads * width;
    if (joined.dtype() != DType.F32
        || joined.dim() != 2
        || joined.size(0) != rows
        || joined.size(1) != 3 * all) {
      throw new TensorException(
          "A step takes fp32 [%d, %d], was given %s.".formatted(rows, 3 * all, joined));
    }
    if (length == capacity) {
      throw new TensorException(
          "The cache holds %d positions and all are filled; open a longer session."
              .formatted(capacity));
    }
    MemorySegment from = joined.memory();
    long line = width * Float.BYTES;
    long row = all * Float.BYTES;
    for (long r = 0; r < rows; r++) {
      long key = r * 3 * row + row;
      for (long h = 0; h < heads; h++) {
        long to = ((r * heads + h) * capacity + length) * line;
        MemorySegment.copy(from, key + h * line, keys[layer], to, line);
        MemorySegment.copy(from, key + row + h * line, values[layer], to, line);
      }
    }
    return products.attend(
        from.address(),
        3 * all,
        keys[layer].address(),
        values[layer].address(),
        capacity * width,
        length + 1,
        null);
  }

  /**
   * Keeps the keys and values of the first positions in a layer, and attends from all of them at
   * once. When every layer has, {@link #advance} by as many.
   *
   * @param joined [rows × positions, 3 × heads × width], fp32, a row's positions below one another
   * @return [rows × positions, heads × width]
   */
  public Tensor attendAll(int layer, Tensor joined, long positions) {
    if (length > 0 || positions > capacity) {
      throw new TensorException(
          "Positions 0 to %d cannot be filled: %d are, of %d."
              .formatted(positions - 1, length, capacity));
    }
    Tensor heard = joined.view(rows, positions, 3, heads, width).permute(2, 0, 3, 1, 4);
    Tensor key = heard.select(0, 1);
    Tensor value = heard.select(0, 2);
    owned.get(2 * layer).narrow(2, 0, positions).copyFrom(key);
    owned.get(2 * layer + 1).narrow(2, 0, positions).copyFrom(value);
    return Attention.causal(heard.select(0, 0), key, value)
        .transpose(1, 2)
        .reshape(rows * positions, heads * width);
  }

  /** Goes on by some positions. */
  public void advance(long positions) {
    length += positions;
  }

  @Override
  public void close() {
    products.close();
    owned.forEach(Tensor::close);
  }
}
