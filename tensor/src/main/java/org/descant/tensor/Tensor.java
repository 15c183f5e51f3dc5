package org.descant.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * An n-dimensional array in native memory, with automatic differentiation.
 *
 * <p>Every operation makes its result inside the calling thread's innermost {@link Scope}, which
 * frees it. {@link Scope#keep} hands a tensor to the enclosing scope; {@link #retain} makes a
 * second handle that lives until its {@link #close}. Using a tensor after its scope closed throws
 * {@link TensorException}. Shapes follow libtorch's rules: broadcasting, negative dimensions count
 * from the end, a {@code -1} in {@link #reshape} is inferred.
 *
 * <p>Methods that end in {@code InPlace}, and {@link #zero}, {@link #fill} and {@link #copyFrom},
 * change this tensor and return it. Reading one tensor from several threads is safe; changing it is
 * not.
 */
public final class Tensor implements AutoCloseable {
  private final org.bytedeco.pytorch.Tensor handle;

  private Tensor(org.bytedeco.pytorch.Tensor handle) {
    this.handle = handle;
  }

  // ---------------------------------------------------------------- life

  /** The native handle, alive. */
  org.bytedeco.pytorch.Tensor unwrap() {
    if (handle.isNull()) {
      throw new TensorException(
          "This tensor was freed: its scope closed or it was closed; hand it out with"
              + " scope.keep(t), or hold t.retain().");
    }
    return handle;
  }

  /**
   * A second handle on the same data and the same place in the autograd graph, which no scope
   * frees: for long-lived owners, who must {@link #close} it.
   */
  public Tensor retain() {
    org.bytedeco.pytorch.Tensor copy = new org.bytedeco.pytorch.Tensor(unwrap());
    return new Tensor(copy.retainReference());
  }

  /** Whether the native memory of this handle is gone. */
  public boolean isFreed() {
    return handle.isNull();
  }

  /**
   * Frees what {@link #retain} or an outermost {@link Scope#keep} made; a second call does nothing.
   */
  @Override
  public void close() {
    if (!handle.isNull()) {
      handle.close();
    }
  }

  /** Runs native code whose result belongs to the current scope; its errors become one sentence. */
  static Tensor op(String name, Supplier<org.bytedeco.pytorch.Tensor> call) {
    Scope.require(name);
    try {
      return new Tensor(call.get());
    } catch (TensorException e) {
      throw e;
    } catch (RuntimeException e) {
      throw TensorException.fromNative(name, e);
    }
  }

  /** Another handle on what autograd passes to a hook; belongs to the current scope. */
  static Tensor of(TensorBase passed) {
    return op("gradient", () -> new org.bytedeco.pytorch.Tensor(passed));
  }

  /** Runs native code that changes this tensor. */
  Tensor change(String name, Supplier<org.bytedeco.pytorch.Tensor> call) {
    Scope.require(name);
    try {
      var alias = call.get(); // borrowed: this very tensor again
      assert alias.address() == handle.address() : name;
      return this;
    } catch (TensorException e) {
      throw e;
    } catch (RuntimeException e) {
      throw TensorException.fromNative(name, e);
    }
  }

  private static List<Tensor> ops(String name, Supplier<TensorVector> call) {
    Scope.require(name);
    try {
      TensorVector vector = call.get();
      Tensor[] result = new Tensor[(int) vector.size()];
      for (int i = 0; i < result.length; i++) {
        // get(i) points into the vector; a copy of the handle owns its data.
        result[i] = new Tensor(new org.bytedeco.pytorch.Tensor(vector.get(i)));
      }
      return List.of(result);
    } catch (TensorException e) {
      throw e;
    } catch (RuntimeException e) {
      throw TensorException.fromNative(name, e);
    }
  }

  private static Ranked ranked(String name, Supplier<T_TensorTensor_T> call) {
    List<Tensor> pair =
        ops(
            name,
            () -> {
              T_TensorTensor_T both = call.get();
              TensorVector vector = new TensorVector();
              return vector.push_back(both.get0()).push_back(both.get1());
            });
    return new Ranked(pair.get(0), pair.get(1));
  }

  private static TensorVector vector(List<Tensor> tensors) {
    TensorVector vector = new TensorVector();
    for (Tensor tensor : tensors) {
      vector.push_back(tensor.unwrap());
    }
    return vector;
  }

  private static TensorOptional optional(@Nullable Tensor tensor) {
    return tensor == null ? Ops.NO_TENSOR : new TensorOptional(tensor.unwrap());
  }

  /** Values with the places they came from (I64). */
  public record Ranked(Tensor values, Tensor indices) {}

  // ---------------------------------------------------------------- making

  /** Zeros, fp32. */
  public static Tensor zeros(long... shape) {
    return zeros(DType.F32, shape);
  }

  public static Tensor zeros(DType type, long... shape) {
    return op("zeros", () -> torch.zeros(shape, Ops.options(type)));
  }

  /** Ones, fp32. */
  public static Tensor ones(long... shape) {
    return full(1.0, DType.F32, shape);
  }

  public static Tensor ones(DType type, long... shape) {
    return full(1.0, type, shape);
  }

  /** One value everywhere, fp32. */
  public static Tensor full(double value, long... shape) {
    return full(value, DType.F32, shape);
  }

  public static Tensor full(double value, DType type, long... shape) {
    return op("full", () -> torch.full(shape, Ops.scalar(value), Ops.options(type)));
  }

  /** Uninitialised memory: write all of it before reading any. */
  public static Tensor empty(DType type, long... shape) {
    return op("empty", () -> torch.empty(shape, Ops.options(type), Ops.NO_FORMAT));
  }

  /** 0, 1, … end-1 as I64. */
  public static Tensor arange(long end) {
    return arange(0, end, 1);
  }

  /** start, start+step, … below end as I64. */
  public static Tensor arange(long start, long end, long step) {
    return op(
        "arange",
        () ->
            torch.arange(
                Ops.scalar(start), Ops.scalar(end), Ops.scalar(step), Ops.options(DType.I64)));
  }

  /** {@code count} evenly spaced fp32 values from start to end, both included. */
  public static Tensor linspace(double start, double end, long count) {
    return op(
        "linspace",
        () -> torch.linspace(Ops.scalar(start), Ops.scalar(end), count, Ops.options(DType.F32)));
  }

  /** Periodic Hann window of n samples, fp32. */
  public static Tensor hannWindow(long n) {
    return op("hannWindow", () -> torch.hann_window(n, true, Ops.options(DType.F32)));
  }

  /** The identity matrix, fp32. */
  public static Tensor eye(long n) {
    return op("eye", () -> torch.eye(n, Ops.options(DType.F32)));
  }

  /** A 0-dimensional fp32 tensor. */
  public static Tensor scalar(double value) {
    return full(value, DType.F32);
  }

  /** An fp32 tensor with these values in row-major order; no shape means one dimension. */
  public static Tensor of(float[] values, long... shape) {
    return empty(DType.F32, shapeFor(values.length, shape)).copyFrom(values);
  }

  /** An F64 tensor with these values. */
  public static Tensor of(double[] values, long... shape) {
    return empty(DType.F64, shapeFor(values.length, shape)).copyFrom(MemorySegment.ofArray(values));
  }

  /** An I64 tensor with these values. */
  public static Tensor of(long[] values, long... shape) {
    return empty(DType.I64, shapeFor(values.length, shape)).copyFrom(values);
  }

  /** An I64 tensor with these values. */
  public static Tensor of(int[] values, long... shape) {
    return of(Arrays.stream(values).asLongStream().toArray(), shape);
  }

  private static long[] shapeFor(int length, long[] shape) {
    return shape.length == 0 ? new long[] {length} : shape;
  }

  /** Zeros with this tensor's shape, type and device. */
  public Tensor zerosLike() {
    return op("zerosLike", () -> torch.zeros_like(unwrap()));
  }

  // ---------------------------------------------------------------- looking

  /** How many dimensions. */
  public int dim() {
    return (int) unwrap().dim();
  }

  /** The length of one dimension; negative counts from the end. */
  public long size(int dim) {
    org.bytedeco.pytorch.Tensor self = unwrap();
    long dims = self.dim();
    if (dim < -dims || dim >= dims) {
      throw new TensorException("Dimension %d is outside %s.".formatted(dim, this));
    }
    return self.size(dim);
  }

  public long[] shape() {
    org.bytedeco.pytorch.Tensor self = unwrap();
    long[] shape = new long[(int) self.dim()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = self.size(i);
    }
    return shape;
  }

  /** How many elements. */
  public long count() {
    return unwrap().numel();
  }

  public DType dtype() {
    return DType.of(unwrap().scalar_type());
  }

  public Device device() {
    org.bytedeco.pytorch.Tensor self = unwrap();
    if (self.is_cpu()) {
      return Device.CPU;
    }
    try (var native_ = self.device()) {
      return Device.cuda(native_.index());
    }
  }

  public boolean isContiguous() {
    return unwrap().is_contiguous();
  }

  /** Whether both see the same memory from the same place on. */
  public boolean sharesDataWith(Tensor other) {
    return unwrap().data_ptr().address() == other.unwrap().data_ptr().address();
  }

  @Override
  public String toString() {
    return handle.isNull()
        ? "Tensor (freed)"
        : "Tensor %s %s %s".formatted(dtype(), Arrays.toString(shape()), device());
  }

  // ---------------------------------------------------------------- data in and out

  /**
   * The memory of a contiguous CPU tensor, in its own byte order (little-endian). Valid while the
   * tensor is: reading it later reads freed memory, so keep it inside this package.
   */
  @SuppressWarnings("restricted")
  MemorySegment memory() {
    org.bytedeco.pytorch.Tensor self = unwrap();
    if (!self.is_cpu() || !self.is_contiguous()) {
      throw new TensorException(
          "Direct access needs a contiguous CPU tensor; call contiguous() or to(Device.CPU) on "
              + this);
    }
    long bytes = self.nbytes();
    return bytes == 0
        ? MemorySegment.NULL
        : MemorySegment.ofAddress(self.data_ptr().address()).reinterpret(bytes);
  }

  /** Overwrites a contiguous CPU tensor with raw bytes of its own element type. */
  public Tensor copyFrom(MemorySegment source) {
    MemorySegment target = memory();
    if (source.byteSize() != target.byteSize()) {
      throw new TensorException(
          "%s takes %d bytes, was given %d.".formatted(this, target.byteSize(), source.byteSize()));
    }
    MemorySegment.copy(source, 0, target, 0, target.byteSize());
    return this;
  }

  /** Overwrites an fp32 tensor, in row-major order. */
  public Tensor copyFrom(float[] values) {
    requireType(DType.F32, "float[]");
    return copyFrom(MemorySegment.ofArray(values));
  }

  /** Overwrites an I64 tensor, in row-major order. */
  public Tensor copyFrom(long[] values) {
    requireType(DType.I64, "long[]");
    return copyFrom(MemorySegment.ofArray(values));
  }

  /** Overwrites this tensor with another of a broadcastable shape, converting type and device. */
  public Tensor copyFrom(Tensor source) {
    return change("copyFrom", () -> unwrap().copy_(source.unwrap()));
  }

  private void requireType(DType type, String given) {
    if (dtype() != type) {
      throw new TensorException("%s cannot be filled from a %s.".formatted(this, given));
    }
  }

  /** Writes the raw bytes, row-major, into {@code target}, which must have exactly that size. */
  public void copyTo(MemorySegment target) {
    try (Scope scope = Scope.open()) {
      MemorySegment source = detach().to(Device.CPU).contiguous().memory();
      if (source.byteSize() != target.byteSize()) {
        throw new TensorException(
            "%s has %d bytes, the target holds %d."
                .formatted(this, source.byteSize(), target.byteSize()));
      }
      MemorySegment.copy(source, 0, target, 0, source.byteSize());
    }
  }

  /**
   * Writes the values, row-major and converted to fp32, into {@code target} of exactly that length.
   */
  public void copyTo(float[] target) {
    try (Scope scope = Scope.open()) {
      to(DType.F32).copyTo(MemorySegment.ofArray(target));
    }
  }

  /** The values in row-major order, converted to fp32. */
  public float[] toFloats() {
    try (Scope scope = Scope.open()) {
      Tensor plain = detach().to(Device.CPU).to(DType.F32).contiguous();
      return plain.count() == 0 ? new float[0] : plain.memory().toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** The values in row-major order, converted to F64. */
  public double[] toDoubles() {
    try (Scope scope = Scope.open()) {
      Tensor plain = detach().to(Device.CPU).to(DType.F64).contiguous();
      return plain.count() == 0 ? new double[0] : plain.memory().toArray(ValueLayout.JAVA_DOUBLE);
    }
  }

  /** The values in row-major order, converted to I64 (fractions are cut). */
  public long[] toLongs() {
    try (Scope scope = Scope.open()) {
      Tensor plain = detach().to(Device.CPU).to(DType.I64).contiguous();
      return plain.count() == 0 ? new long[0] : plain.memory().toArray(ValueLayout.JAVA_LONG);
    }
  }

  /** The values in row-major order, converted to I32. */
  public int[] toInts() {
    try (Scope scope = Scope.open()) {
      Tensor plain = detach().to(Device.CPU).to(DType.I32).contiguous();
      return plain.count() == 0 ? new int[0] : plain.memory().toArray(ValueLayout.JAVA_INT);
    }
  }

  /** The only element. On a GPU this waits for the device: at most once a step. */
  public double item() {
    requireOneElement();
    return unwrap().item_double();
  }

  /** The only element as a whole number. */
  public long itemLong() {
    requireOneElement();
    return unwrap().item_long();
  }

  private void requireOneElement() {
    if (count() != 1) {
      throw new TensorException("item() needs exactly one element, this is " + this + ".");
    }
  }

  // ---------------------------------------------------------------- autograd

  /** Marks a leaf for gradients (or not) and returns it. */
  public Tensor requiresGrad(boolean wanted) {
    try {
      unwrap().set_requires_grad(wanted);
    } catch (RuntimeException e) {
      throw TensorException.fromNative("requiresGrad", e);
    }
    return this;
  }

  public boolean requiresGrad() {
    return unwrap().requires_grad();
  }

  /** The same data outside the autograd graph. */
  public Tensor detach() {
    return op("detach", () -> unwrap().detach());
  }

  /** Adds d(this)/d(leaf) to the gradient of every leaf; this must have one element. */
  public void backward() {
    Scope.require("backward");
    try (Profiler.Range range = Profiler.range("backward")) {
      unwrap().backward();
    } catch (TensorException e) {
      throw e;
    } catch (RuntimeException e) {
      throw TensorException.fromNative("backward", e);
    }
  }

  /** Backward from any shape: {@code gradient} is the derivative with respect to this tensor. */
  public void backward(Tensor gradient) {
    Scope.require("backward");
    try (Profiler.Range range = Profiler.range("backward")) {
      unwrap().backward(gradient.unwrap(), new BoolOptional(), false, new TensorArrayRefOptional());
    } catch (TensorException e) {
      throw e;
    } catch (RuntimeException e) {
      throw TensorException.fromNative("backward", e);
    }
  }

  /** Whether a gradient has arrived (or was preset). */
  public boolean hasGrad() {
    return unwrap().grad().defined();
  }

  /** The gradient, sharing its memory. */
  public Tensor grad() {
    if (!hasGrad()) {
      throw new TensorException("No gradient has reached " + this + " yet; call backward() first.");
    }
    return op("grad", () -> new org.bytedeco.pytorch.Tensor(unwrap().grad()));
  }

  /** Makes later backward passes add into {@code gradient}'s memory. */
  void presetGrad(Tensor gradient) {
    unwrap().mutable_grad().put(gradient.unwrap());
  }

  // ---------------------------------------------------------------- type, place, copies

  /** This tensor in another element type; the same handle's data when nothing changes. */
  public Tensor to(DType type) {
    return op("to", () -> unwrap().to(type.scalarType));
  }

  /** This tensor on another device. */
  public Tensor to(Device device) {
    if (device.equals(device())) {
      return op("to", () -> new org.bytedeco.pytorch.Tensor(unwrap()));
    }
    device.requireAvailable();
    return op("to", () -> unwrap().to(device.toNative(), unwrap().scalar_type()));
  }

  /** A copy with its own memory, inside the autograd graph. */
  public Tensor copy() {
    return op("copy", () -> unwrap().clone(Ops.NO_FORMAT));
  }

  /** This tensor with row-major memory; no copy when it already has it. */
  public Tensor contiguous() {
    return op("contiguous", () -> unwrap().contiguous());
  }

  // ---------------------------------------------------------------- shape

  public Tensor reshape(long... shape) {
    return op("reshape", () -> unwrap().reshape(shape));
  }

  /** Like {@link #reshape} but never copies; fails when the memory order does not allow it. */
  public Tensor view(long... shape) {
    return op("view", () -> unwrap().view(shape));
  }

  public Tensor transpose(int dim0, int dim1) {
    return op("transpose", () -> unwrap().transpose(dim0, dim1));
  }

  public Tensor permute(long... dims) {
    return op("permute", () -> unwrap().permute(dims));
  }

  public Tensor unsqueeze(int dim) {
    return op("unsqueeze", () -> unwrap().unsqueeze(dim));
  }

  /** Drops one dimension of length 1. */
  public Tensor squeeze(int dim) {
    return op("squeeze", () -> unwrap().squeeze(dim));
  }

  /** Merges dimensions from {@code first} to {@code last}, both included. */
  public Tensor flatten(int first, int last) {
    return op("flatten", () -> unwrap().flatten(first, last));
  }

  /** Repeats dimensions of length 1 without copying. -1 keeps a length. */
  public Tensor expand(long... shape) {
    return op("expand", () -> unwrap().expand(shape));
  }

  /** Copies the whole tensor so many times along each dimension. */
  public Tensor repeat(long... times) {
    return op("repeat", () -> unwrap().repeat(times));
  }

  /** Repeats each slice along {@code dim} {@code times} times in a row. */
  public Tensor repeatInterleave(long times, int dim) {
    return op(
        "repeatInterleave",
        () -> unwrap().repeat_interleave(times, new LongOptional(dim), new LongOptional()));
  }

  /** A view of {@code length} slices from {@code start} on. */
  public Tensor narrow(int dim, long start, long length) {
    return op("narrow", () -> unwrap().narrow(dim, start, length));
  }

  /** Every {@code step}-th slice from {@code start} to before {@code end}, as a view. */
  public Tensor slice(int dim, long start, long end, long step) {
    return op(
        "slice", () -> unwrap().slice(dim, new LongOptional(start), new LongOptional(end), step));
  }

  /** One slice, with the dimension dropped, as a view. */
  public Tensor select(int dim, long index) {
    return op("select", () -> torch.select(unwrap(), dim, index));
  }

  /** Overlapping windows along {@code dim}, as a view with a new last dimension of {@code size}. */
  public Tensor unfold(int dim, long size, long step) {
    return op("unfold", () -> unwrap().unfold(dim, size, step));
  }

  public Tensor flip(long... dims) {
    return op("flip", () -> unwrap().flip(dims));
  }

  /** Rotates along one dimension: element i moves to i + shift. */
  public Tensor roll(long shift, int dim) {
    return op("roll", () -> unwrap().roll(new long[] {shift}, new long[] {dim}));
  }

  /**
   * Keeps the lower triangle of the last two dimensions up to {@code diagonal}, zeroes the rest.
   */
  public Tensor tril(long diagonal) {
    return op("tril", () -> unwrap().tril(diagonal));
  }

  /** Keeps the upper triangle from {@code diagonal} on, zeroes the rest. */
  public Tensor triu(long diagonal) {
    return op("triu", () -> unwrap().triu(diagonal));
  }

  /** Adds {@code before} and {@code after} constant elements to the last dimension. */
  public Tensor pad(long before, long after, double value) {
    return op(
        "pad",
        () -> torch.constant_pad_nd(unwrap(), new long[] {before, after}, Ops.scalar(value)));
  }

  /**
   * Pads the last dimension from the tensor itself. The tensor needs 2 or 3 dimensions.
   *
   * @param mode "reflect", "replicate" or "circular"
   */
  public Tensor pad(long before, long after, String mode) {
    return op("pad", () -> torch.pad(unwrap(), new long[] {before, after}, mode, Ops.NO_DOUBLE));
  }

  /** Joins along an existing dimension. */
  public static Tensor cat(List<Tensor> tensors, int dim) {
    return op("cat", () -> torch.cat(vector(tensors), dim));
  }

  /** Joins along a new dimension. */
  public static Tensor stack(List<Tensor> tensors, int dim) {
    return op("stack", () -> torch.stack(vector(tensors), dim));
  }

  /** Views of {@code size} slices each; the last may be shorter. */
  public List<Tensor> split(long size, int dim) {
    return ops("split", () -> unwrap().split(size, dim));
  }

  /** Views with these sizes, which add up to the dimension; their gradients are one cat. */
  public List<Tensor> splitSizes(int dim, long... sizes) {
    return ops("splitSizes", () -> torch.split_with_sizes(unwrap(), sizes, dim));
  }

  /** {@code count} views of nearly equal length. */
  public List<Tensor> chunk(long count, int dim) {
    return ops("chunk", () -> unwrap().chunk(count, dim));
  }

  /** Every slice along {@code dim}, as views. */
  public List<Tensor> unbind(int dim) {
    return ops("unbind", () -> unwrap().unbind(dim));
  }

  // ---------------------------------------------------------------- choosing

  public Tensor indexSelect(int dim, Tensor indices) {
    return op("indexSelect", () -> unwrap().index_select(dim, indices.unwrap()));
  }

  /** out[i][j] = this[index[i][j]][j] for dim 0, and so on; {@code indices} is I64. */
  public Tensor gather(int dim, Tensor indices) {
    return op("gather", () -> unwrap().gather(dim, indices.unwrap()));
  }

  /** A copy with {@code source} written to the places {@code indices} (I64) names along dim. */
  public Tensor scatter(int dim, Tensor indices, Tensor source) {
    return op("scatter", () -> unwrap().scatter(dim, indices.unwrap(), source.unwrap()));
  }

  public Tensor scatter(int dim, Tensor indices, double value) {
    return op("scatter", () -> unwrap().scatter(dim, indices.unwrap(), Ops.scalar(value)));
  }

  /** Adds {@code source} to the places that {@code indices} names along dim. */
  public Tensor scatterAddInPlace(int dim, Tensor indices, Tensor source) {
    return change(
        "scatterAdd", () -> unwrap().scatter_add_(dim, indices.unwrap(), source.unwrap()));
  }

  /** Adds slice i of {@code source} to slice indices[i] of this. */
  public Tensor indexAddInPlace(int dim, Tensor indices, Tensor source) {
    return change("indexAdd", () -> unwrap().index_add_(dim, indices.unwrap(), source.unwrap()));
  }

  /** Overwrites slice indices[i] of this with slice i of {@code source}. */
  public Tensor indexCopyInPlace(int dim, Tensor indices, Tensor source) {
    return change("indexCopy", () -> unwrap().index_copy_(dim, indices.unwrap(), source.unwrap()));
  }

  /** Rows of this [vocabulary, width] table for I64 indices of any shape: [..., width]. */
  public Tensor embedding(Tensor indices) {
    return op("embedding", () -> torch.embedding(unwrap(), indices.unwrap()));
  }

  /** Takes from this where {@code mask} (BOOL) holds, else from {@code other}. */
  public Tensor where(Tensor mask, Tensor other) {
    return op("where", () -> torch.where(mask.unwrap(), unwrap(), other.unwrap()));
  }

  public Tensor maskedFill(Tensor mask, double value) {
    return op("maskedFill", () -> unwrap().masked_fill(mask.unwrap(), Ops.scalar(value)));
  }

  /** The elements where {@code mask} (BOOL) holds, in one dimension. */
  public Tensor maskedSelect(Tensor mask) {
    return op("maskedSelect", () -> unwrap().masked_select(mask.unwrap()));
  }

  /** Coordinates of the elements that are not zero: [found, dimensions], I64. */
  public Tensor nonzero() {
    return op("nonzero", () -> unwrap().nonzero());
  }

  /** I64 indices to 0/1 rows of {@code classes} (I64). */
  public Tensor oneHot(long classes) {
    return op("oneHot", () -> torch.one_hot(unwrap(), classes));
  }

  /**
   * How often each value of a one-dimensional I64 tensor occurs; at least {@code minLength} bins.
   */
  public Tensor bincount(long minLength) {
    return op("bincount", () -> unwrap().bincount(Ops.NO_TENSOR, minLength));
  }

  // ---------------------------------------------------------------- order

  public Tensor argmax(int dim, boolean keepDim) {
    return op("argmax", () -> unwrap().argmax(new LongOptional(dim), keepDim));
  }

  public Tensor argmin(int dim, boolean keepDim) {
    return op("argmin", () -> unwrap().argmin(new LongOptional(dim), keepDim));
  }

  /** The k largest along {@code dim}, sorted downwards. */
  public Ranked topk(long k, int dim) {
    return ranked("topk", () -> unwrap().topk(k, dim, true, true));
  }

  /** All values along {@code dim}, sorted; equal values keep their order. */
  public Ranked sort(int dim, boolean descending) {
    return ranked("sort", () -> unwrap().sort(new BoolOptional(true), dim, descending));
  }

  // ---------------------------------------------------------------- arithmetic

  public Tensor add(Tensor other) {
    return op("add", () -> unwrap().add(other.unwrap()));
  }

  public Tensor add(double value) {
    return op("add", () -> unwrap().add(Ops.scalar(value)));
  }

  public Tensor add(long value) {
    return op("add", () -> unwrap().add(Ops.scalar(value)));
  }

  public Tensor sub(Tensor other) {
    return op("sub", () -> unwrap().sub(other.unwrap()));
  }

  public Tensor sub(double value) {
    return op("sub", () -> unwrap().sub(Ops.scalar(value)));
  }

  public Tensor sub(long value) {
    return op("sub", () -> unwrap().sub(Ops.scalar(value)));
  }

  public Tensor mul(Tensor other) {
    return op("mul", () -> unwrap().mul(other.unwrap()));
  }

  public Tensor mul(double value) {
    return op("mul", () -> unwrap().mul(Ops.scalar(value)));
  }

  public Tensor mul(long value) {
    return op("mul", () -> unwrap().mul(Ops.scalar(value)));
  }

  /** True division: whole numbers become fp32. */
  public Tensor div(Tensor other) {
    return op("div", () -> unwrap().div(other.unwrap()));
  }

  /** True division: whole numbers become fp32. */
  public Tensor div(double value) {
    return op("div", () -> unwrap().div(Ops.scalar(value)));
  }

  public Tensor floorDivide(long value) {
    return op("floorDivide", () -> unwrap().floor_divide(Ops.scalar(value)));
  }

  /** The remainder with the divisor's sign. */
  public Tensor remainder(long value) {
    return op("remainder", () -> unwrap().remainder(Ops.scalar(value)));
  }

  public Tensor addInPlace(Tensor other) {
    return change("addInPlace", () -> unwrap().add_(other.unwrap()));
  }

  /** this += factor × other. */
  public Tensor addInPlace(Tensor other, double factor) {
    return change("addInPlace", () -> unwrap().add_(other.unwrap(), Ops.scalar(factor)));
  }

  public Tensor addInPlace(double value) {
    return change("addInPlace", () -> unwrap().add_(Ops.scalar(value)));
  }

  public Tensor subInPlace(Tensor other) {
    return change("subInPlace", () -> unwrap().sub_(other.unwrap()));
  }

  public Tensor mulInPlace(Tensor other) {
    return change("mulInPlace", () -> unwrap().mul_(other.unwrap()));
  }

  public Tensor mulInPlace(double value) {
    return change("mulInPlace", () -> unwrap().mul_(Ops.scalar(value)));
  }

  public Tensor divInPlace(Tensor other) {
    return change("divInPlace", () -> unwrap().div_(other.unwrap()));
  }

  /** this = a × b. */
  Tensor setProduct(Tensor a, Tensor b) {
    return change("setProduct", () -> torch.mul_out(unwrap(), a.unwrap(), b.unwrap()));
  }

  /** this = gradient × silu'(x). */
  Tensor setSiluGradient(Tensor gradient, Tensor x) {
    return change(
        "setSiluGradient", () -> torch.silu_backward_out(unwrap(), gradient.unwrap(), x.unwrap()));
  }

  /** this += factor × a × b. */
  Tensor addProductInPlace(Tensor a, Tensor b, double factor) {
    return change(
        "addProductInPlace", () -> unwrap().addcmul_(a.unwrap(), b.unwrap(), Ops.scalar(factor)));
  }

  /** this = scale × (a · b) for batches of matrices. */
  Tensor setBatchProduct(Tensor a, Tensor b, double scale) {
    return change(
        "setBatchProduct",
        () ->
            torch.baddbmm_out(
                unwrap(), unwrap(), a.unwrap(), b.unwrap(), Ops.scalar(0), Ops.scalar(scale)));
  }

  /** this += scale × (a · b) for batches of matrices. */
  Tensor addBatchProductInPlace(Tensor a, Tensor b, double scale) {
    return change(
        "addBatchProductInPlace",
        () ->
            torch.baddbmm_out(
                unwrap(), unwrap(), a.unwrap(), b.unwrap(), Ops.ONE, Ops.scalar(scale)));
  }

  /** this += weight × (target − this). */
  public Tensor lerpInPlace(Tensor target, double weight) {
    return change("lerpInPlace", () -> unwrap().lerp_(target.unwrap(), Ops.scalar(weight)));
  }

  public Tensor zero() {
    return change("zero", () -> unwrap().zero_());
  }

  public Tensor fill(double value) {
    return change("fill", () -> unwrap().fill_(Ops.scalar(value)));
  }

  public Tensor neg() {
    return op("neg", () -> unwrap().neg());
  }

  public Tensor abs() {
    return op("abs", () -> unwrap().abs());
  }

  public Tensor sign() {
    return op("sign", () -> unwrap().sign());
  }

  public Tensor square() {
    return op("square", () -> unwrap().square());
  }

  public Tensor sqrt() {
    return op("sqrt", () -> unwrap().sqrt());
  }

  public Tensor rsqrt() {
    return op("rsqrt", () -> unwrap().rsqrt());
  }

  public Tensor reciprocal() {
    return op("reciprocal", () -> unwrap().reciprocal());
  }

  public Tensor pow(double exponent) {
    return op("pow", () -> unwrap().pow(Ops.scalar(exponent)));
  }

  /** base ^ this, element by element. */
  public Tensor powOf(double base) {
    return op("powOf", () -> torch.pow(Ops.scalar(base), unwrap()));
  }

  public Tensor exp() {
    return op("exp", () -> unwrap().exp());
  }

  public Tensor expInPlace() {
    return change("expInPlace", () -> unwrap().exp_());
  }

  public Tensor log() {
    return op("log", () -> unwrap().log());
  }

  public Tensor log1p() {
    return op("log1p", () -> unwrap().log1p());
  }

  public Tensor log10() {
    return op("log10", () -> unwrap().log10());
  }

  public Tensor sin() {
    return op("sin", () -> unwrap().sin());
  }

  public Tensor cos() {
    return op("cos", () -> unwrap().cos());
  }

  /** The angle of the point (x = other, y = this), in radians. */
  public Tensor atan2(Tensor x) {
    return op("atan2", () -> unwrap().atan2(x.unwrap()));
  }

  public Tensor floor() {
    return op("floor", () -> unwrap().floor());
  }

  /** To the nearest whole number, halves to even. */
  public Tensor round() {
    return op("round", () -> unwrap().round());
  }

  public Tensor clamp(double min, double max) {
    return op(
        "clamp",
        () ->
            unwrap()
                .clamp(new ScalarOptional(Ops.scalar(min)), new ScalarOptional(Ops.scalar(max))));
  }

  public Tensor clampMin(double min) {
    return op("clampMin", () -> unwrap().clamp_min(Ops.scalar(min)));
  }

  public Tensor clampMax(double max) {
    return op("clampMax", () -> unwrap().clamp_max(Ops.scalar(max)));
  }

  public Tensor maximum(Tensor other) {
    return op("maximum", () -> unwrap().maximum(other.unwrap()));
  }

  public Tensor minimum(Tensor other) {
    return op("minimum", () -> unwrap().minimum(other.unwrap()));
  }

  // ---------------------------------------------------------------- comparing (BOOL results)

  public Tensor eq(Tensor other) {
    return op("eq", () -> unwrap().eq(other.unwrap()));
  }

  public Tensor eq(double value) {
    return op("eq", () -> unwrap().eq(Ops.scalar(value)));
  }

  public Tensor ne(double value) {
    return op("ne", () -> unwrap().ne(Ops.scalar(value)));
  }

  public Tensor lt(Tensor other) {
    return op("lt", () -> unwrap().lt(other.unwrap()));
  }

  public Tensor lt(double value) {
    return op("lt", () -> unwrap().lt(Ops.scalar(value)));
  }

  public Tensor le(double value) {
    return op("le", () -> unwrap().le(Ops.scalar(value)));
  }

  public Tensor gt(Tensor other) {
    return op("gt", () -> unwrap().gt(other.unwrap()));
  }

  public Tensor gt(double value) {
    return op("gt", () -> unwrap().gt(Ops.scalar(value)));
  }

  public Tensor ge(double value) {
    return op("ge", () -> unwrap().ge(Ops.scalar(value)));
  }

  public Tensor not() {
    return op("not", () -> unwrap().logical_not());
  }

  public Tensor and(Tensor other) {
    return op("and", () -> unwrap().logical_and(other.unwrap()));
  }

  public Tensor or(Tensor other) {
    return op("or", () -> unwrap().logical_or(other.unwrap()));
  }

  public Tensor isNaN() {
    return op("isNaN", () -> unwrap().isnan());
  }

  /** Whether every element is neither infinite nor NaN. */
  public boolean allFinite() {
    try (Scope scope = Scope.open()) {
      return op("allFinite", () -> torch.isfinite(unwrap()).all()).itemLong() == 1;
    }
  }

  // ---------------------------------------------------------------- reducing

  public Tensor sum() {
    return op("sum", () -> unwrap().sum(Ops.NO_DTYPE));
  }

  public Tensor sum(int dim, boolean keepDim) {
    return sum(new long[] {dim}, keepDim);
  }

  public Tensor sum(long[] dims, boolean keepDim) {
    return op("sum", () -> unwrap().sum(dims, keepDim, Ops.NO_DTYPE));
  }

  public Tensor mean() {
    return op("mean", () -> unwrap().mean(Ops.NO_DTYPE));
  }

  public Tensor mean(int dim, boolean keepDim) {
    return mean(new long[] {dim}, keepDim);
  }

  public Tensor mean(long[] dims, boolean keepDim) {
    return op("mean", () -> unwrap().mean(dims, keepDim, Ops.NO_DTYPE));
  }

  /** Variance along {@code dim}; {@code unbiased} divides by n − 1. */
  public Tensor var(int dim, boolean unbiased, boolean keepDim) {
    return op("var", () -> unwrap().var(new long[] {dim}, unbiased, keepDim));
  }

  /** The largest element. */
  public Tensor amax() {
    return op("amax", () -> unwrap().amax());
  }

  public Tensor amax(int dim, boolean keepDim) {
    return op("amax", () -> unwrap().amax(new long[] {dim}, keepDim));
  }

  /** The smallest element. */
  public Tensor amin() {
    return op("amin", () -> unwrap().amin());
  }

  public Tensor amin(int dim, boolean keepDim) {
    return op("amin", () -> unwrap().amin(new long[] {dim}, keepDim));
  }

  /** Euclidean norms along a dimension. */
  public Tensor norm(int dim, boolean keepDim) {
    return op(
        "norm",
        () ->
            torch.linalg_vector_norm(
                unwrap(), Ops.scalar(2), new long[] {dim}, keepDim, Ops.NO_DTYPE));
  }

  /** The Euclidean norm of all elements. */
  public Tensor norm() {
    return op("norm", () -> unwrap().norm());
  }

  public Tensor logSumExp(int dim, boolean keepDim) {
    return op("logSumExp", () -> unwrap().logsumexp(new long[] {dim}, keepDim));
  }

  public Tensor cumsum(int dim) {
    return op("cumsum", () -> unwrap().cumsum(dim, Ops.NO_DTYPE));
  }

  // ---------------------------------------------------------------- networks

  /** Matrix product of the last two dimensions, the others broadcast. */
  public Tensor matmul(Tensor other) {
    return op("matmul", () -> unwrap().matmul(other.unwrap()));
  }

  /** bias + scale × (this · other) for batches of matrices; one fused operation. */
  Tensor bmmPlus(Tensor bias, Tensor other, double scale) {
    return op(
        "bmmPlus",
        () -> torch.baddbmm(bias.unwrap(), unwrap(), other.unwrap(), Ops.ONE, Ops.scalar(scale)));
  }

  /** libtorch's fused attention of this (the queries) over keys and values. */
  Tensor fusedAttention(Tensor keys, Tensor values, boolean causal) {
    return op(
        "attention",
        () ->
            torch.scaled_dot_product_attention(
                unwrap(),
                keys.unwrap(),
                values.unwrap(),
                Ops.NO_TENSOR,
                0.0,
                causal,
                Ops.NO_DOUBLE,
                false));
  }

  /** x Wᵀ + b: this [..., in], weight [out, in], bias [out] or null. */
  public Tensor linear(Tensor weight, @Nullable Tensor bias) {
    return op(
        "linear",
        () ->
            bias == null
                ? torch.linear(unwrap(), weight.unwrap())
                : torch.linear(unwrap(), weight.unwrap(), new TensorOptional(bias.unwrap())));
  }

  /** x Wᵀ without a bias. */
  public Tensor linear(Tensor weight) {
    return linear(weight, null);
  }

  /** Stride, zero padding on both sides, dilation and groups of a convolution. */
  public record Conv(long stride, long padding, long dilation, long groups) {
    /** Stride 1, no padding, no dilation, one group. */
    public static final Conv PLAIN = new Conv(1, 0, 1, 1);

    public Conv {
      if (stride < 1 || padding < 0 || dilation < 1 || groups < 1) {
        throw new TensorException(
            "A convolution needs stride, dilation and groups of at least 1 and no negative padding:"
                + " %d, %d, %d, %d.".formatted(stride, dilation, groups, padding));
      }
    }

    /** Keeps the length for an odd kernel: padding = (kernel − 1) / 2. */
    public static Conv same(long kernel) {
      return new Conv(1, (kernel - 1) / 2, 1, 1);
    }

    /** One filter per channel, length kept for an odd kernel. */
    public static Conv depthwise(long kernel, long channels) {
      return new Conv(1, (kernel - 1) / 2, 1, channels);
    }

    public Conv withStride(long value) {
      return new Conv(value, padding, dilation, groups);
    }

    public Conv withPadding(long value) {
      return new Conv(stride, value, dilation, groups);
    }

    public Conv withDilation(long value) {
      return new Conv(stride, padding, value, groups);
    }

    public Conv withGroups(long value) {
      return new Conv(stride, padding, dilation, value);
    }
  }

  /** This [batch, in, time], weight [out, in / groups, kernel], bias [out] or null. */
  public Tensor conv1d(Tensor weight, @Nullable Tensor bias, Conv conv) {
    return op(
        "conv1d",
        () ->
            torch.conv1d(
                unwrap(),
                weight.unwrap(),
                optional(bias),
                new long[] {conv.stride},
                new long[] {conv.padding},
                new long[] {conv.dilation},
                conv.groups));
  }

  /** Strides and zero paddings of a convolution over rows and columns. */
  public record Conv2d(long rowStride, long columnStride, long rowPadding, long columnPadding) {
    public Conv2d {
      if (rowStride < 1 || columnStride < 1 || rowPadding < 0 || columnPadding < 0) {
        throw new TensorException(
            "A convolution needs strides of at least 1 and no negative padding: %d, %d, %d, %d."
                .formatted(rowStride, columnStride, rowPadding, columnPadding));
      }
    }
  }

  /** This [batch, in, rows, columns], weight [out, in, rows, columns], bias [out] or null. */
  public Tensor conv2d(Tensor weight, @Nullable Tensor bias, Conv2d conv) {
    return op(
        "conv2d",
        () ->
            torch.conv2d(
                unwrap(),
                weight.unwrap(),
                optional(bias),
                new long[] {conv.rowStride, conv.columnStride},
                new long[] {conv.rowPadding, conv.columnPadding},
                new long[] {1, 1},
                1));
  }

  /** This [batch, in, time], weight [in, out / groups, kernel], bias [out] or null. */
  public Tensor convTranspose1d(
      Tensor weight, @Nullable Tensor bias, Conv conv, long outputPadding) {
    return op(
        "convTranspose1d",
        () ->
            torch.conv_transpose1d(
                unwrap(),
                weight.unwrap(),
                optional(bias),
                new long[] {conv.stride},
                new long[] {conv.padding},
                new long[] {outputPadding},
                conv.groups,
                new long[] {conv.dilation}));
  }

  /**
   * Stacked LSTM layers (Hochreiter and Schmidhuber 1997) over this [time, batch, in], from zero
   * states, without dropout.
   *
   * @param weights four tensors a layer: input weight [4 × hidden, in], hidden weight [4 × hidden,
   *     hidden] and the two biases [4 × hidden]; gates in the order input, forget, cell, output
   * @return the last layer's outputs, [time, batch, hidden]
   */
  public Tensor lstm(List<Tensor> weights) {
    if (weights.isEmpty() || weights.size() % 4 != 0) {
      throw new TensorException(
          "An LSTM takes four weights a layer, was given %d.".formatted(weights.size()));
    }
    long layers = weights.size() / 4;
    Tensor state = zeros(dtype(), layers, size(1), weights.get(1).size(1));
    return op(
        "lstm",
        () -> {
          T_TensorTensorTensor_T all =
              torch.lstm(
                  unwrap(),
                  vector(List.of(state, state)),
                  vector(weights),
                  true,
                  layers,
                  0.0,
                  false,
                  false,
                  false);
          return new org.bytedeco.pytorch.Tensor(all.get0()); // get0() points into the tuple
        });
  }

  /** Normalises the last dimension to mean 0 and variance 1, then scales and shifts (Ba 2016). */
  public Tensor layerNorm(@Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return op(
        "layerNorm",
        () ->
            torch.layer_norm(
                unwrap(), new long[] {size(-1)}, optional(weight), optional(bias), epsilon, true));
  }

  /** Divides the last dimension by its root mean square, then scales (Zhang and Sennrich 2019). */
  public Tensor rmsNorm(@Nullable Tensor weight, double epsilon) {
    if (weight != null
        && weight.dim() == 1
        && dtype() == DType.F32
        && weight.dtype() == DType.F32
        && (HandGradient.isWanted(this, weight) || Autocast.isActive())
        && device().kind() == Device.Kind.CPU) {
      return RmsNorm.apply(this, weight, epsilon);
    }
    return op(
        "rmsNorm",
        () ->
            torch.rms_norm(
                unwrap(), new long[] {size(-1)}, optional(weight), new DoubleOptional(epsilon)));
  }

  /** Normalises groups of channels of this [batch, channels, ...]. */
  public Tensor groupNorm(
      long groups, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
    return op(
        "groupNorm",
        () -> torch.group_norm(unwrap(), groups, optional(weight), optional(bias), epsilon, true));
  }

  /** Exact (erf) form. */
  public Tensor gelu() {
    return op("gelu", () -> torch.gelu(unwrap()));
  }

  /** Tanh form. */
  public Tensor geluTanh() {
    return op("geluTanh", () -> torch.gelu(unwrap(), "tanh"));
  }

  public Tensor silu() {
    return op("silu", () -> torch.silu(unwrap()));
  }

  public Tensor relu() {
    return op("relu", () -> unwrap().relu());
  }

  /** x where it is positive, slope · x elsewhere. */
  public Tensor leakyRelu(double slope) {
    return op("leakyRelu", () -> torch.leaky_relu(unwrap(), Ops.scalar(slope)));
  }

  public Tensor elu() {
    return op("elu", () -> torch.elu(unwrap()));
  }

  public Tensor sigmoid() {
    return op("sigmoid", () -> unwrap().sigmoid());
  }

  public Tensor tanh() {
    return op("tanh", () -> unwrap().tanh());
  }

  public Tensor softplus() {
    return op("softplus", () -> torch.softplus(unwrap()));
  }

  public Tensor softmax(int dim) {
    return op("softmax", () -> unwrap().softmax(dim, Ops.NO_DTYPE));
  }

  /** Softmax over the last dimension, in place of the scores. */
  Tensor softmaxInPlace() {
    return change(
        "softmaxInPlace", () -> torch.softmax_out(unwrap(), unwrap(), dim() - 1, Ops.NO_DTYPE));
  }

  /**
   * Gradient of scores in place of that of their softmax over the last dimension.
   *
   * @param chances the softmax
   */
  Tensor softmaxGradientInPlace(Tensor chances) {
    return change("softmaxGradientInPlace", () -> Ops.softmaxGradient(unwrap(), chances.unwrap()));
  }

  public Tensor logSoftmax(int dim) {
    return op("logSoftmax", () -> unwrap().log_softmax(dim, Ops.NO_DTYPE));
  }

  /** Rows that {@link #crossEntropy} leaves out of the mean. */
  public static final long IGNORE = -100;

  /** Mean over rows of −log softmax(this)[target]: this [rows, classes], target I64 [rows]. */
  public Tensor crossEntropy(Tensor target) {
    return crossEntropy(target, 0.0);
  }

  /**
   * Mean cross entropy with label smoothing; rows whose target is {@link #IGNORE} do not count.
   *
   * @param smoothing share of the target's weight spread over all classes, 0 to 1
   */
  public Tensor crossEntropy(Tensor target, double smoothing) {
    long mean = 1;
    Tensor logits = inFullPrecision();
    return op(
        "crossEntropy",
        () ->
            torch.cross_entropy_loss(
                logits.unwrap(), target.unwrap(), Ops.NO_TENSOR, mean, IGNORE, smoothing));
  }

  /** Losses are sums of many small numbers: bf16's 8 bits are too few for them. */
  private Tensor inFullPrecision() {
    DType type = dtype();
    return type == DType.BF16 || type == DType.F16 ? to(DType.F32) : this;
  }

  /** Cross entropy of each row: [rows]; 0 where the target is {@link #IGNORE}. */
  public Tensor crossEntropyPerRow(Tensor target) {
    long none = 0;
    Tensor logits = inFullPrecision();
    return op(
        "crossEntropyPerRow",
        () ->
            torch.cross_entropy_loss(
                logits.unwrap(), target.unwrap(), Ops.NO_TENSOR, none, IGNORE, 0.0));
  }

  /** Euclidean distances between rows: this [..., n, d], other [..., m, d], result [..., n, m]. */
  public Tensor cdist(Tensor other) {
    return op("cdist", () -> torch.cdist(unwrap(), other.unwrap()));
  }

  /** Mean absolute difference. */
  public Tensor l1Loss(Tensor target) {
    return op("l1Loss", () -> torch.l1_loss(unwrap(), target.unwrap()));
  }

  /** Mean squared difference. */
  public Tensor mseLoss(Tensor target) {
    return op("mseLoss", () -> torch.mse_loss(unwrap(), target.unwrap()));
  }

  /** Mean binary cross entropy of logits against targets in 0..1. */
  public Tensor binaryCrossEntropy(Tensor target) {
    return op(
        "binaryCrossEntropy",
        () -> torch.binary_cross_entropy_with_logits(unwrap(), target.unwrap()));
  }

  /** Mean over windows of the last dimension of this [batch, channels, time]. */
  public Tensor avgPool1d(long kernel, long stride, long padding) {
    return op(
        "avgPool1d",
        () ->
            torch.avg_pool1d(
                unwrap(),
                new long[] {kernel},
                new long[] {stride},
                new long[] {padding},
                false,
                true));
  }

  /** Linear interpolation of [batch, channels, time] to a new length, corners not aligned. */
  public Tensor interpolateLinear(long length) {
    return op(
        "interpolateLinear",
        () -> torch.upsample_linear1d(unwrap(), new long[] {length}, false, Ops.NO_DOUBLE));
  }

  /** Nearest-neighbour interpolation of [batch, channels, time] to a new length. */
  public Tensor interpolateNearest(long length) {
    return op(
        "interpolateNearest",
        () -> torch.upsample_nearest1d(unwrap(), new long[] {length}, Ops.NO_DOUBLE));
  }

  // ---------------------------------------------------------------- spectra

  /**
   * Short-time Fourier transform of [time] or [batch, time]: COMPLEX64 [batch, n/2+1, frames], n =
   * the window's length, frames centred on multiples of hop over a reflected signal; 1 + time/hop
   * frames.
   */
  public Tensor stft(Tensor window, long hop) {
    long n = window.count();
    return op(
        "stft",
        () ->
            torch.stft(
                unwrap(),
                n,
                new LongOptional(hop),
                new LongOptional(n),
                new TensorOptional(window.unwrap()),
                true,
                "reflect",
                false,
                new BoolOptional(true),
                new BoolOptional(true),
                new BoolOptional()));
  }

  /**
   * The inverse of {@link #stft}: [batch, samples], samples ≤ 0 leaves the length to the frames.
   */
  public Tensor istft(Tensor window, long hop, long samples) {
    long n = window.count();
    return op(
        "istft",
        () ->
            torch.istft(
                unwrap(),
                n,
                new LongOptional(hop),
                new LongOptional(n),
                new TensorOptional(window.unwrap()),
                true,
                false,
                new BoolOptional(true),
                samples > 0 ? new LongOptional(samples) : Ops.NO_LONG,
                false));
  }

  /** Fourier transform of real values along the last dimension: n/2+1 COMPLEX64 values. */
  public Tensor rfft() {
    return op("rfft", () -> torch.fft_rfft(unwrap()));
  }

  /** The inverse of {@link #rfft} with n real values. */
  public Tensor irfft(long n) {
    return op(
        "irfft",
        () ->
            torch.fft_irfft(
                unwrap(), new LongOptional(n), -1, new org.bytedeco.pytorch.StringViewOptional()));
  }

  /** A COMPLEX64 tensor seen as fp32 with a last dimension of 2: real, imaginary. */
  public Tensor viewAsReal() {
    return op("viewAsReal", () -> torch.view_as_real(unwrap()));
  }

  /** The inverse of {@link #viewAsReal}. */
  public Tensor viewAsComplex() {
    return op("viewAsComplex", () -> torch.view_as_complex(unwrap()));
  }

  /** The phase of complex values, in radians. */
  public Tensor angle() {
    return op("angle", () -> unwrap().angle());
  }

  /** Complex values with this magnitude and the given phase in radians; both fp32. */
  public Tensor polar(Tensor phase) {
    return op("polar", () -> torch.polar(unwrap(), phase.unwrap()));
  }
}
