package org.descant.tensor;

/**
 * Keys and values of one attention layer during decoding: contiguous fp32 [batch, heads, capacity,
 * width]. Belongs to one decoding session and its thread.
 */
public final class KvCache implements AutoCloseable {
  private final Tensor keys;
  private final Tensor values;
  private final long capacity;
  private long length;

  public KvCache(long batch, long heads, long capacity, long width) {
    this.capacity = capacity;
    try (Scope scope = Scope.open()) {
      keys = Tensor.zeros(batch, heads, capacity, width).retain();
      values = Tensor.zeros(batch, heads, capacity, width).retain();
    }
  }

  /**
   * Appends keys and values and attends with the queries that belong to them.
   *
   * @param q [batch, heads, new, width] like k and v; more than one new position only into an empty
   *     cache
   * @return [batch, heads, new, width]
   */
  public Tensor attend(Tensor q, Tensor k, Tensor v) {
    long added = k.size(2);
    if (added > 1 && length > 0) {
      throw new TensorException("Only an empty cache takes more than one position at once.");
    }
    if (length + added > capacity) {
      throw new TensorException(
          "The cache holds %d positions and %d are filled; open a longer session."
              .formatted(capacity, length));
    }
    keys.narrow(2, length, added).copyFrom(k);
    values.narrow(2, length, added).copyFrom(v);
    length += added;
    return added == 1 ? Attention.step(q, keys, values, length) : Attention.causal(q, k, v);
  }

  /** Positions filled. */
  public long length() {
    return length;
  }

  /** Forgets everything after the first {@code kept} positions. */
  public void truncate(long kept) {
    if (kept < 0 || kept > length) {
      throw new TensorException("Cannot keep %d of %d positions.".formatted(kept, length));
    }
    length = kept;
  }

  @Override
  public void close() {
    keys.close();
    values.close();
  }
}
