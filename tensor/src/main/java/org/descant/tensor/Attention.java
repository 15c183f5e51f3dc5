package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Scaled dot-product attention, by hand where libtorch's kernel is slow. Thread-safe.
 *
 * <p>libtorch's fused attention is 40 times slower than products in bf16 on CPUs (it falls back to
 * a scalar loop), so training multiplies chunk by chunk: a chunk of queries sees only keys up to
 * its own end, which saves 38 % of the arithmetic at 512 tokens and keeps tensors within 32 MiB. In
 * decoding, one query against a contiguous fp32 cache, the fused kernel runs at memory speed.
 */
public final class Attention {
  /** Query rows per chunk; in {@link SelfAttention} 256 were 8 % slower and 64 17 %. */
  public static final int CHUNK = 128;

  private static final double MASKED = -1e9;

  /** Masks kept: a run uses a few sequence lengths. */
  private static final int MASKS_MAX = 64;

  private record MaskKey(long rows, long columns, DType type) {}

  private static final ConcurrentHashMap<MaskKey, Tensor> MASKS = new ConcurrentHashMap<>();

  private Attention() {}

  /**
   * Causal self-attention for training and prefill: query i sees keys 0 … i.
   *
   * @param q [batch, heads, time, width], like k and v
   * @return [batch, heads, time, width]
   */
  public static Tensor causal(Tensor q, Tensor k, Tensor v) {
    return causal(q, k, v, CHUNK);
  }

  /** The same with another number of query rows per chunk. */
  public static Tensor causal(Tensor q, Tensor k, Tensor v, int chunk) {
    if (q.dim() != 4 || chunk < 1) {
      throw new TensorException(
          "Attention needs [batch, heads, time, width] and a positive chunk, not " + q + ".");
    }
    if (q.device().kind() == Device.Kind.CUDA) {
      return q.fusedAttention(k, v, true);
    }
    long rows = q.size(0) * q.size(1);
    long time = q.size(2);
    long width = q.size(3);
    Tensor queries = q.reshape(rows, time, width);
    Tensor keys = k.reshape(rows, time, width).transpose(1, 2);
    Tensor values = v.reshape(rows, time, width);
    DType type = Autocast.isActive() ? DType.BF16 : q.dtype();
    double scale = 1 / Math.sqrt(width);
    // The gradient of a split is one cat; that of a narrow is zeros, a copy and an addition.
    List<Tensor> chunks = queries.split(chunk, 1);
    List<Tensor> parts = new ArrayList<>();
    long to = 0;
    for (Tensor part : chunks) {
      to += part.size(1);
      Tensor seenKeys = to == time ? keys : keys.narrow(2, 0, to);
      Tensor seenValues = to == time ? values : values.narrow(1, 0, to);
      Tensor scores = part.bmmPlus(mask(part.size(1), to, type), seenKeys, scale);
      parts.add(scores.softmax(-1).matmul(seenValues));
    }
    Tensor joined = parts.size() == 1 ? parts.getFirst() : Tensor.cat(parts, 1);
    return joined.view(q.shape());
  }

  /**
   * Attention of new queries over everything cached, for decoding.
   *
   * @param q [batch, heads, 1, width], fp32
   * @param keys cache [batch, heads, capacity, width], contiguous fp32, of which the first {@code
   *     length} positions are filled; like {@code values}
   */
  public static Tensor step(Tensor q, Tensor keys, Tensor values, long length) {
    requireFp32(q);
    requireFp32(keys);
    if (q.size(2) != 1) {
      throw new TensorException("A decoding step has one query, not " + q + ".");
    }
    return q.fusedAttention(keys.narrow(2, 0, length), values.narrow(2, 0, length), false);
  }

  /**
   * Attention over a fixed memory (cross-attention), by plain products: a memory is short, so
   * nothing is gained by a fused kernel, and gradients flow.
   *
   * @param q [batch, heads, time, width]
   * @param keys [batch, heads, memory, width], like {@code values}
   * @param mask added to the scores, of a shape that broadcasts to [batch, heads, time, memory]; 0
   *     where a query may look, very negative elsewhere (a row masked everywhere looks evenly);
   *     null masks nothing
   * @return [batch, heads, time, width]
   */
  public static Tensor cross(Tensor q, Tensor keys, Tensor values, @Nullable Tensor mask) {
    Tensor scores = q.matmul(keys.transpose(2, 3)).mul(1 / Math.sqrt(q.size(3)));
    return (mask == null ? scores : scores.add(mask)).softmax(-1).matmul(values);
  }

  private static void requireFp32(Tensor tensor) {
    if (tensor.dtype() != DType.F32) {
      throw new TensorException(
          "Decoding attends in fp32 (bf16 is 6 times slower on a CPU), this is " + tensor + ".");
    }
  }

  /**
   * 0 where query row r of the last {@code rows} positions may see a column, else very negative.
   */
  static Tensor mask(long rows, long columns, DType type) {
    MaskKey key = new MaskKey(rows, columns, type);
    Tensor cached = MASKS.get(key);
    if (cached != null) {
      return cached;
    }
    Tensor made = Tensor.full(MASKED, rows, columns).triu(columns - rows + 1).to(type);
    if (MASKS.size() < MASKS_MAX) {
      Tensor kept = made.retain();
      Tensor earlier = MASKS.putIfAbsent(key, kept);
      if (earlier != null) {
        kept.close();
        return earlier;
      }
      return kept;
    }
    return made;
  }
}
