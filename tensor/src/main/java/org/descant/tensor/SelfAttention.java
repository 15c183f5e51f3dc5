package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Causal self-attention from projected queries, keys and values to what is seen, as one operation
 * with a gradient of its own: rotary positions (Su et al., "RoFormer", 2021) are turned while
 * queries and keys are laid out for the products, and products, softmax and its gradient write
 * where their results belong. Against the same in separate operators it saves about half of what is
 * not a product. Query rows go chunk by chunk as in {@link Attention#causal}. Stateless.
 */
public final class SelfAttention {
  private SelfAttention() {}

  /**
   * Angles of rotary positions: pairs (i, i + width / 2) of a head turn by them.
   *
   * @param cosine [time, width / 2], or [batch, time, width / 2] with each row's own; like {@code
   *     sine}
   */
  public record Rotation(Tensor cosine, Tensor sine) {
    private Rotation to(DType type) {
      return new Rotation(cosine.to(type), sine.to(type));
    }

    private Rotation overHeads() {
      return cosine.dim() == 2 ? this : new Rotation(cosine.unsqueeze(1), sine.unsqueeze(1));
    }

    /** to = from, turned: of [heads, batch, time, width]. */
    private void turn(Tensor from, Tensor to, int direction) {
      long half = from.size(3) / 2;
      Tensor a = from.narrow(3, 0, half);
      Tensor b = from.narrow(3, half, half);
      to.narrow(3, 0, half).setProduct(a, cosine).addProductInPlace(b, sine, -direction);
      to.narrow(3, half, half).setProduct(b, cosine).addProductInPlace(a, sine, direction);
    }
  }

  /**
   * What each position sees of itself and those before it.
   *
   * @param projected [batch, time, (heads + 2 · keyValueHeads) · width]: queries, keys, values
   * @param keyValueHeads that {@code heads / keyValueHeads} queries share (Ainslie et al. 2023)
   * @param rotation of queries and keys; null leaves them
   * @return [batch, time, heads · width], of the same type
   */
  public static Tensor causal(
      Tensor projected, int heads, int keyValueHeads, @Nullable Rotation rotation) {
    if (projected.dim() != 3
        || heads < 1
        || keyValueHeads < 1
        || heads % keyValueHeads != 0
        || projected.size(2) % (heads + 2L * keyValueHeads) != 0) {
      throw new TensorException(
          "Self-attention of %d heads over %d needs [batch, time, (heads + 2 keyValueHeads) width], not %s."
              .formatted(heads, keyValueHeads, projected));
    }
    if (projected.device().kind() == Device.Kind.CUDA) {
      return composed(projected, heads, keyValueHeads, rotation);
    }
    boolean learns = HandGradient.isWanted(projected);
    Pass pass;
    Tensor value;
    try (NoGrad noGrad = NoGrad.open()) {
      pass = new Pass(projected, heads, keyValueHeads, rotation);
      value = pass.forward(projected.detach(), learns);
    }
    return learns
        ? HandGradient.attach(
            value, List.of(projected), gradient -> List.of(pass.backward(gradient)))
        : value;
  }

  /** The same in separate operators, for devices whose own attention is fast. */
  private static Tensor composed(
      Tensor projected, int heads, int keyValueHeads, @Nullable Rotation rotation) {
    long batch = projected.size(0);
    long time = projected.size(1);
    long all = heads + 2L * keyValueHeads;
    Tensor laid = projected.view(batch, time, all, projected.size(2) / all).transpose(1, 2);
    List<Tensor> parts = laid.splitSizes(1, heads, keyValueHeads, keyValueHeads);
    Tensor q = parts.get(0);
    Tensor k = parts.get(1);
    Tensor v = parts.get(2);
    if (rotation != null) {
      q = turned(q, rotation);
      k = turned(k, rotation);
    }
    long shared = heads / keyValueHeads;
    if (shared > 1) {
      k = k.repeatInterleave(shared, 1);
      v = v.repeatInterleave(shared, 1);
    }
    return Attention.causal(q, k, v).transpose(1, 2).reshape(batch, time, q.size(3) * heads);
  }

  private static Tensor turned(Tensor x, Rotation rotation) {
    Rotation same = rotation.to(x.dtype()).overHeads();
    List<Tensor> halves = x.chunk(2, 3);
    Tensor a = halves.get(0);
    Tensor b = halves.get(1);
    return Tensor.cat(
        List.of(a.mul(same.cosine).sub(b.mul(same.sine)), b.mul(same.cosine).add(a.mul(same.sine))),
        3);
  }

  /** One forward and backward pass: what is kept between them. */
  private static final class Pass {
    private final long batch;
    private final long time;
    private final long width;
    private final int heads;
    private final int keyValueHeads;
    private final double scale;
    private final @Nullable Rotation rotation;
    private final DType type;

    /** [heads + 2 keyValueHeads, batch, time, width]. */
    private final Tensor laid;

    private final List<Tensor> probabilities = new ArrayList<>();

    Pass(Tensor projected, int heads, int keyValueHeads, @Nullable Rotation rotation) {
      this.heads = heads;
      this.keyValueHeads = keyValueHeads;
      batch = projected.size(0);
      time = projected.size(1);
      long all = heads + 2L * keyValueHeads;
      width = projected.size(2) / all;
      scale = 1 / Math.sqrt(width);
      type = projected.dtype();
      this.rotation = rotation == null ? null : rotation.to(type);
      laid = Tensor.empty(type, all, batch, time, width);
    }

    /** [batch, time, heads · width] as [heads, batch, time, width]. */
    private Tensor byHead(Tensor rows) {
      return rows.view(batch, time, rows.size(2) / width, width).permute(2, 0, 1, 3);
    }

    /** Rows {@code from .. from + count - 1} of a laid out tensor as batches of matrices. */
    private Tensor matrices(Tensor of, long from, long count) {
      return of.narrow(0, from, count).view(count * batch, time, width);
    }

    /** The first rows of matrices as columns; laid out by rows, which products read as it is. */
    private static Tensor columns(Tensor matrices, long count) {
      return matrices.narrow(1, 0, count).contiguous().transpose(1, 2);
    }

    private Tensor shared(Tensor matrices) {
      long times = heads / keyValueHeads;
      return times == 1
          ? matrices
          : matrices
              .view(keyValueHeads, 1, batch, time, width)
              .expand(keyValueHeads, times, batch, time, width)
              .reshape(heads * batch, time, width);
    }

    Tensor forward(Tensor projected, boolean learns) {
      Tensor source = byHead(projected);
      long turned = heads + keyValueHeads;
      if (rotation == null) {
        laid.copyFrom(source);
      } else {
        rotation.turn(source.narrow(0, 0, turned), laid.narrow(0, 0, turned), 1);
        laid.narrow(0, turned, keyValueHeads).copyFrom(source.narrow(0, turned, keyValueHeads));
      }
      Tensor q = matrices(laid, 0, heads);
      Tensor k = shared(matrices(laid, heads, keyValueHeads));
      Tensor v = shared(matrices(laid, turned, keyValueHeads));
      Tensor result = Tensor.empty(type, batch, time, heads * width);
      Tensor resultByHead = byHead(result);
      for (long from = 0; from < time; from += Attention.CHUNK) {
        long rows = Math.min(Attention.CHUNK, time - from);
        long to = from + rows;
        try (Scope scope = Scope.open()) {
          Tensor chances =
              Tensor.empty(type, (long) heads * batch, rows, to)
                  .setBatchProduct(q.narrow(1, from, rows), columns(k, to), scale);
          // Only the chunk's own keys can lie after a query.
          chances.narrow(2, from, rows).addInPlace(Attention.mask(rows, rows, type));
          chances.softmaxInPlace();
          resultByHead
              .narrow(2, from, rows)
              .copyFrom(chances.matmul(v.narrow(1, 0, to)).view(heads, batch, rows, width));
          if (learns) {
            probabilities.add(scope.keep(chances));
          }
        }
      }
      return result;
    }

    Tensor backward(Tensor gradient) {
      Tensor dOut =
          byHead(gradient.to(type).reshape(batch, time, heads * width))
              .contiguous()
              .view(heads * batch, time, width);
      long turned = heads + keyValueHeads;
      Tensor dLaid = Tensor.empty(type, turned + keyValueHeads, batch, time, width);
      boolean sharing = heads != keyValueHeads;
      Tensor q = matrices(laid, 0, heads);
      Tensor k = shared(matrices(laid, heads, keyValueHeads));
      Tensor v = shared(matrices(laid, turned, keyValueHeads));
      Tensor dQ = matrices(dLaid, 0, heads);
      Tensor dK = sharing ? Tensor.empty(type, q.shape()) : matrices(dLaid, heads, keyValueHeads);
      Tensor dV = sharing ? Tensor.empty(type, q.shape()) : matrices(dLaid, turned, keyValueHeads);
      // The last chunk sees everything, so it can set what the others add to.
      for (int i = probabilities.size() - 1; i >= 0; i--) {
        long from = (long) i * Attention.CHUNK;
        long rows = Math.min(Attention.CHUNK, time - from);
        long to = from + rows;
        try (Scope scope = Scope.open()) {
          Tensor chances = probabilities.get(i);
          Tensor dRows = dOut.narrow(1, from, rows).contiguous();
          Tensor dScores =
              Tensor.empty(type, (long) heads * batch, rows, to)
                  .setBatchProduct(dRows, columns(v, to), 1)
                  .softmaxGradientInPlace(chances);
          dQ.narrow(1, from, rows).setBatchProduct(dScores, k.narrow(1, 0, to), scale);
          Tensor dKeys = dK.narrow(1, 0, to);
          Tensor dValues = dV.narrow(1, 0, to);
          Tensor queries = q.narrow(1, from, rows).contiguous();
          if (to == time) {
            dKeys.setBatchProduct(dScores.transpose(1, 2), queries, scale);
            dValues.setBatchProduct(chances.transpose(1, 2), dRows, 1);
          } else {
            dKeys.addBatchProductInPlace(dScores.transpose(1, 2), queries, scale);
            dValues.addBatchProductInPlace(chances.transpose(1, 2), dRows, 1);
          }
        }
      }
      if (sharing) {
        matrices(dLaid, heads, keyValueHeads).copyFrom(summed(dK));
        matrices(dLaid, turned, keyValueHeads).copyFrom(summed(dV));
      }
      Tensor result = Tensor.empty(type, batch, time, (turned + keyValueHeads) * width);
      Tensor to = byHead(result);
      if (rotation == null) {
        to.copyFrom(dLaid);
      } else {
        rotation.turn(dLaid.narrow(0, 0, turned), to.narrow(0, 0, turned), -1);
        to.narrow(0, turned, keyValueHeads).copyFrom(dLaid.narrow(0, turned, keyValueHeads));
      }
      return result;
    }

    /** The gradients of the queries that share a key, added. */
    private Tensor summed(Tensor gradients) {
      return gradients
          .view(keyValueHeads, heads / keyValueHeads, batch, time, width)
          .sum(1, false)
          .view(keyValueHeads * batch, time, width);
    }
  }
}
