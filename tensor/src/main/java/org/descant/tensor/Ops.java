package org.descant.tensor;

import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;

/**
 * Native values that live as long as the process (an owning pointer costs 0.2 µs to make), and the
 * operators that have no static binding and go through the dispatcher. Everything cached here is
 * read-only after it is made, so threads share it.
 */
final class Ops {
  /** Scalars kept; a program uses a few dozen constants, and learning rates should not pile up. */
  private static final int SCALARS_MAX = 512;

  private static final ConcurrentHashMap<Double, Scalar> DOUBLES = new ConcurrentHashMap<>();
  private static final ConcurrentHashMap<Long, Scalar> LONGS = new ConcurrentHashMap<>();
  private static final ConcurrentHashMap<DType, TensorOptions> OPTIONS = new ConcurrentHashMap<>();

  static final TensorOptional NO_TENSOR;
  static final ScalarTypeOptional NO_DTYPE;
  static final LongOptional NO_LONG;
  static final DoubleOptional NO_DOUBLE;
  static final MemoryFormatOptional NO_FORMAT;
  static final Scalar ONE;

  private static final OperatorHandle FUSED_ADAMW;
  private static final OperatorHandle QUANTIZED_PREPACK;
  private static final OperatorHandle QUANTIZED_LINEAR;
  private static final OperatorHandle ENTER_RANGE;
  private static final OperatorHandle EXIT_RANGE;
  private static final OperatorHandle PACKED_PREPACK;
  private static final OperatorHandle PACKED_LINEAR;
  private static final OperatorHandle SOFTMAX_GRADIENT;
  private static final Type.TypePtr TENSOR_TYPE;

  static {
    NativeRuntime.prepare();
    NO_TENSOR = new TensorOptional().retainReference();
    NO_DTYPE = new ScalarTypeOptional().retainReference();
    NO_LONG = new LongOptional().retainReference();
    NO_DOUBLE = new DoubleOptional().retainReference();
    NO_FORMAT = new MemoryFormatOptional().retainReference();
    ONE = new Scalar(1.0).retainReference();
    FUSED_ADAMW = find("aten::_fused_adamw_");
    QUANTIZED_PREPACK = find("quantized::linear_prepack");
    QUANTIZED_LINEAR = find("quantized::linear_dynamic");
    ENTER_RANGE = find("profiler::_record_function_enter_new");
    EXIT_RANGE = find("profiler::_record_function_exit", "_RecordFunction");
    PACKED_PREPACK = find("prepacked::linear_clamp_prepack");
    PACKED_LINEAR = find("prepacked::linear_clamp_run");
    SOFTMAX_GRADIENT = find("aten::_softmax_backward_data", "out");
    TENSOR_TYPE = tensorType();
  }

  private Ops() {}

  static Scalar scalar(double value) {
    Scalar cached = DOUBLES.get(value);
    if (cached != null) {
      return cached;
    }
    Scalar made = new Scalar(value);
    if (DOUBLES.size() < SCALARS_MAX && DOUBLES.putIfAbsent(value, made) == null) {
      made.retainReference();
    }
    return made;
  }

  static Scalar scalar(long value) {
    Scalar cached = LONGS.get(value);
    if (cached != null) {
      return cached;
    }
    Scalar made = new Scalar(value);
    if (LONGS.size() < SCALARS_MAX && LONGS.putIfAbsent(value, made) == null) {
      made.retainReference();
    }
    return made;
  }

  /** CPU options of one element type. */
  static TensorOptions options(DType type) {
    return OPTIONS.computeIfAbsent(
        type, key -> new TensorOptions(key.scalarType).<TensorOptions>retainReference());
  }

  /**
   * One AdamW step over one flat range, in place (Loshchilov and Hutter 2019, as libtorch's fused
   * kernel). {@code step} is a one-element fp32 tensor that already counts this step.
   */
  static void fusedAdamW(
      Tensor parameters,
      Tensor gradients,
      Tensor firstMoment,
      Tensor secondMoment,
      Tensor step,
      double learningRate,
      double beta1,
      double beta2,
      double weightDecay,
      double epsilon) {
    try (PointerScope scope = new PointerScope()) {
      call(
          FUSED_ADAMW,
          list(parameters),
          list(gradients),
          list(firstMoment),
          list(secondMoment),
          list(),
          list(step),
          new IValue(learningRate),
          new IValue(beta1),
          new IValue(beta2),
          new IValue(weightDecay),
          new IValue(epsilon),
          new IValue(false),
          new IValue(false),
          new IValue(),
          new IValue());
    }
  }

  /**
   * Packs a per-channel quantised weight for {@link #quantizedLinear}; the caller owns the result.
   */
  static IValue quantizedPrepack(org.bytedeco.pytorch.Tensor weight) {
    try (PointerScope scope = new PointerScope()) {
      IValueVector stack = call(QUANTIZED_PREPACK, new IValue(weight), new IValue());
      return new IValue(stack.get(0)).retainReference();
    }
  }

  /** y = x Wᵀ with W packed int8 and x quantised on the fly; fp32 in and out. */
  static org.bytedeco.pytorch.Tensor quantizedLinear(
      org.bytedeco.pytorch.Tensor input, IValue packed, boolean reduceRange) {
    IValueVector stack = call(QUANTIZED_LINEAR, new IValue(input), packed, new IValue(reduceRange));
    return new org.bytedeco.pytorch.Tensor(stack.get(0).toTensor());
  }

  /** Opens a named range for whoever records; the caller owns the result and exits it. */
  static IValue enterRange(String name) {
    try (PointerScope scope = new PointerScope()) {
      IValueVector stack = call(ENTER_RANGE, new IValue(name), new IValue());
      return new IValue(stack.get(0)).retainReference();
    }
  }

  /** Lays an fp32 weight out for {@link #packedLinear}; the caller owns the result. */
  static IValue packedPrepack(org.bytedeco.pytorch.Tensor weight) {
    try (PointerScope scope = new PointerScope()) {
      IValue none = new IValue();
      IValueVector stack = call(PACKED_PREPACK, new IValue(weight), none, none, none);
      return new IValue(stack.get(0)).retainReference();
    }
  }

  /** Closes what {@link #enterRange} opened. */
  static void exitRange(IValue range) {
    try (PointerScope scope = new PointerScope()) {
      call(EXIT_RANGE, range);
    }
  }

  /** y = x Wᵀ with W packed fp32. */
  static org.bytedeco.pytorch.Tensor packedLinear(
      org.bytedeco.pytorch.Tensor input, IValue packed) {
    IValueVector stack = call(PACKED_LINEAR, new IValue(input), packed);
    return new org.bytedeco.pytorch.Tensor(stack.get(0).toTensor());
  }

  /** gradient = chances × (gradient − Σ gradient × chances), row by row; gives the gradient. */
  static org.bytedeco.pytorch.Tensor softmaxGradient(
      org.bytedeco.pytorch.Tensor gradient, org.bytedeco.pytorch.Tensor chances) {
    try (PointerScope scope = new PointerScope()) {
      call(
          SOFTMAX_GRADIENT,
          new IValue(gradient),
          new IValue(chances),
          new IValue(-1L),
          new IValue((long) chances.scalar_type().value),
          new IValue(gradient));
    }
    return gradient;
  }

  /** Calls an operator; its results replace the arguments on the returned stack. */
  private static IValueVector call(OperatorHandle operator, IValue... arguments) {
    IValueVector stack = new IValueVector();
    for (IValue argument : arguments) {
      stack.push_back(argument);
    }
    try {
      operator.callBoxed(stack);
    } catch (RuntimeException e) {
      throw TensorException.fromNative(operator.operator_name().name().getString(), e);
    }
    return stack;
  }

  private static IValue list(Tensor... tensors) {
    GenericList list = new GenericList(TENSOR_TYPE);
    for (Tensor tensor : tensors) {
      list.push_back(new IValue(tensor.unwrap()));
    }
    return new IValue(list);
  }

  private static OperatorHandle find(String name) {
    return find(name, "");
  }

  private static OperatorHandle find(String name, String overload) {
    return new OperatorHandle(Dispatcher.singleton().findSchemaOrThrow(name, overload))
        .retainReference();
  }

  /**
   * The element type of a list of tensors, which has no constructor: unbind's result carries it.
   */
  private static Type.TypePtr tensorType() {
    try (PointerScope scope = new PointerScope()) {
      OperatorHandle unbind =
          new OperatorHandle(Dispatcher.singleton().findSchemaOrThrow("aten::unbind", "int"));
      IValueVector stack = call(unbind, new IValue(torch.zeros(1)), new IValue(0L));
      Type.TypePtr type = stack.get(0).toList().elementType();
      return type.retainReference();
    }
  }
}
