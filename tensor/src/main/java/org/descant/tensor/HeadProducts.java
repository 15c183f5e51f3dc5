package org.descant.tensor;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas;
import org.jspecify.annotations.Nullable;

/**
 * Attention of one query per head over memory that lies head by head, as two matrix-vector products
 * of OpenBLAS with a softmax of libtorch between them.
 *
 * <p>libtorch's fused kernel packs both sides of every product as if they were matrices; called
 * once per head and step, that costs more than the products: 5 to 13 times the time of these, which
 * read the memory at its speed. Holds scratch memory for one decoding session and its thread.
 */
final class HeadProducts implements AutoCloseable {
  private static final int ROW_MAJOR = 101;
  private static final int AS_IS = 111;
  private static final int TRANSPOSED = 112;
  private static final MethodHandle SGEMV = sgemv();

  private final int heads; // of all rows
  private final int width;
  private final float scale;
  private final Tensor scores;
  private final Tensor output;
  private final long scoresAddress;
  private final long outputAddress;
  private @Nullable Tensor filled; // view of the scores of so many positions
  private long filledLength;

  /** Scratch for {@code rows} of {@code heads} each, and up to {@code capacity} positions. */
  HeadProducts(long rows, long heads, long capacity, long width) {
    this.heads = Math.toIntExact(rows * heads);
    this.width = Math.toIntExact(width);
    this.scale = (float) (1 / Math.sqrt(width));
    try (Scope scope = Scope.open()) {
      scores = Tensor.empty(DType.F32, rows * heads * capacity).retain();
      output = Tensor.empty(DType.F32, rows, heads * width).retain();
    }
    scoresAddress = address(scores);
    outputAddress = address(output);
  }

  /** Where a contiguous CPU tensor's memory begins. */
  static long address(Tensor tensor) {
    return tensor.memory().address();
  }

  /**
   * Attends.
   *
   * @param queries address of the first row's queries, fp32, heads beside one another
   * @param queryStride floats from one row's queries to the next row's
   * @param keys address of [heads, capacity, width]
   * @param values like the keys
   * @param stride floats from one head's keys to the next head's
   * @param length positions to attend over
   * @param mask added to scores [rows, heads, length] by broadcasting, or null
   * @return [rows, heads × width], overwritten by the next call
   */
  Tensor attend(
      long queries,
      long queryStride,
      long keys,
      long values,
      long stride,
      long length,
      @Nullable Tensor mask) {
    int headsPerRow = Math.toIntExact(output.size(1) / width);
    int positions = Math.toIntExact(length);
    try {
      for (int head = 0; head < heads; head++) {
        long row = head / headsPerRow;
        long column = head % headsPerRow;
        SGEMV.invokeExact(
            ROW_MAJOR,
            AS_IS,
            positions,
            width,
            scale,
            keys + Float.BYTES * head * stride,
            width,
            queries + Float.BYTES * (row * queryStride + column * width),
            1,
            0f,
            scoresAddress + Float.BYTES * head * length,
            1);
      }
      Tensor chances = chances(length, headsPerRow, mask);
      long weights = address(chances);
      for (int head = 0; head < heads; head++) {
        SGEMV.invokeExact(
            ROW_MAJOR,
            TRANSPOSED,
            positions,
            width,
            1f,
            values + Float.BYTES * head * stride,
            width,
            weights + Float.BYTES * head * length,
            1,
            0f,
            outputAddress + (long) Float.BYTES * head * width,
            1);
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Throwable e) {
      throw new TensorException("OpenBLAS refused a matrix-vector product.", e);
    }
    return output;
  }

  private Tensor chances(long length, long headsPerRow, @Nullable Tensor mask) {
    Tensor view = filled;
    if (view == null || filledLength != length) {
      if (view != null) {
        view.close();
      }
      try (Scope scope = Scope.open()) {
        view =
            scores
                .narrow(0, 0, heads * length)
                .view(heads / headsPerRow, headsPerRow, length)
                .retain();
      }
      filled = view;
      filledLength = length;
    }
    return (mask == null ? view : view.addInPlace(mask)).softmax(-1);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle sgemv() {
    NativeRuntime.prepare();
    Loader.load(openblas.class);
    var symbol =
        SymbolLookup.loaderLookup()
            .find("cblas_sgemv")
            .orElseThrow(() ->
                new TensorException(
                    "The OpenBLAS beside libtorch has no cblas_sgemv; use the jar of the build."));
    // Addresses travel as numbers, which spares an object for each.
    return Linker.nativeLinker()
        .downcallHandle(
            symbol,
            FunctionDescriptor.ofVoid(
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_INT,
                JAVA_LONG,
                JAVA_INT,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_INT),
            Linker.Option.critical(false));
  }

  @Override
  public void close() {
    scores.close();
    output.close();
    if (filled != null) {
      filled.close();
    }
  }
}
