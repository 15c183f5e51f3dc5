package org.descant.models.published.weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.descant.tensor.PackedLinear;
import org.descant.tensor.QuantizedLinear;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One matrix product without a bias, {@code x Wᵀ}, made of parts that lie below one another in W
 * and that the published model keeps as layers of their own (query, key and value; the heads). An
 * adapter may run beside it. Reading is thread-safe while the adapter stays.
 */
public final class Projection implements AutoCloseable {
  /** How weights lie in memory. */
  public enum Form {
    /** fp32 tensors as published; gradients flow through, which training needs. */
    PLAIN,
    /** fp32 laid out for decoding, which reads them at memory speed. */
    PACKED,
    /**
     * int8 with one scale per row, activations quantised on the fly: a quarter of the bytes, about
     * 1 % of error a layer.
     */
    INT8
  }

  /** A layer inside: its published module name, and which of the module's rows are here. */
  public record Part(String module, long from, long rows) {}

  private final List<Part> parts;
  private final long column;
  private final long inputs;
  private final Function<Tensor, Tensor> product;
  private final AutoCloseable weight;
  private @Nullable LowRank beside;

  /** Two thin matrices whose product is added to W: down [rank, in], up [out, rank]. */
  public record LowRank(Tensor down, Tensor up) {}

  private Projection(
      List<Part> parts,
      long column,
      long inputs,
      Function<Tensor, Tensor> product,
      AutoCloseable weight) {
    this.parts = parts;
    this.column = column;
    this.inputs = inputs;
    this.product = product;
    this.weight = weight;
  }

  /**
   * Takes W [out, in], which may be freed afterwards.
   *
   * @param column of the published modules that is W's first
   */
  public static Projection of(List<Part> parts, long column, Tensor weight, Form form) {
    long inputs = weight.size(1);
    return switch (form) {
      case PLAIN -> {
        Tensor kept = weight.contiguous().retain();
        yield new Projection(parts, column, inputs, x -> x.linear(kept), kept);
      }
      case PACKED -> {
        PackedLinear packed = new PackedLinear(weight, null);
        yield new Projection(parts, column, inputs, packed::apply, packed);
      }
      case INT8 -> {
        QuantizedLinear quantized = new QuantizedLinear(weight, null);
        yield new Projection(parts, column, inputs, quantized::apply, quantized);
      }
    };
  }

  /** Sets what runs beside W from now on, null for nothing. The tensors stay the caller's. */
  public void beside(@Nullable LowRank adapter) {
    this.beside = adapter;
  }

  /** x [..., in] to [..., out]. */
  public Tensor apply(Tensor x) {
    Tensor y = product.apply(x);
    LowRank adapter = beside;
    return adapter == null ? y : y.add(x.linear(adapter.down()).linear(adapter.up()));
  }

  /** What runs beside W now. */
  public @Nullable LowRank beside() {
    return beside;
  }

  /**
   * What an adapter of some of the parts is for the whole: their A below one another, and their
   * scaled B on a diagonal of blocks. Null when it adapts none of them.
   */
  public @Nullable LowRank joined(LoraAdapter adapter) {
    List<Tensor> downs = new ArrayList<>();
    for (Part part : parts) {
      LoraAdapter.Pair pair = adapter.pair(part.module());
      if (pair != null) {
        downs.add(pair.down().narrow(1, column, inputs));
      }
    }
    if (downs.isEmpty()) {
      return null;
    }
    long ranks = downs.stream().mapToLong(down -> down.size(0)).sum();
    long before = 0;
    List<Tensor> ups = new ArrayList<>();
    for (Part part : parts) {
      LoraAdapter.Pair pair = adapter.pair(part.module());
      if (pair == null) {
        ups.add(Tensor.zeros(part.rows(), ranks));
      } else {
        long rank = pair.down().size(0);
        Tensor scaled =
            pair.up().narrow(0, part.from(), part.rows()).mul(adapter.settings().scale(rank));
        ups.add(scaled.pad(before, ranks - before - rank, 0));
        before += rank;
      }
    }
    return new LowRank(Tensor.cat(downs, 0), Tensor.cat(ups, 0));
  }

  @Override
  public void close() {
    try {
      weight.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("closing a weight throws nothing checked", e);
    }
  }
}
