package org.descant.tensor;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The named parameters of a model, as views of one flat fp32 buffer, with gradients as views of a
 * second one. So an optimiser step, a norm, an average or an all-reduce is one operation over one
 * tensor, whatever the model looks like.
 *
 * <p>Declare everything, then {@link #build} (or {@link #buildFrozen} to run a model only). Each
 * parameter starts from its own generator, seeded by the store's seed and its name, so a new
 * parameter does not change the others. {@link #declareState} adds tensors that no gradient reaches
 * (codebooks, counters): they are saved and loaded like parameters but lie in a buffer of their
 * own.
 *
 * <pre>
 *   values:    [ decayed parameters … | parameters without weight decay … ]
 *   gradients: [ the same layout                                          ]
 *   state:     [ buffers                                                  ]
 * </pre>
 *
 * <p>libtorch adds into a gradient that is already there, in place, so the views stay; clear them
 * with {@link #zeroGradients} and nothing else. Not thread-safe while training.
 */
public final class ParameterStore implements AutoCloseable {
  /** Parameters start on 64-byte lines. */
  private static final long ALIGNMENT = 16;

  private static final long ELEMENTS_MAX = 1L << 36;
  private static final String SCALE_SUFFIX = ".scale";

  /** Writes the first values of a parameter, under no-grad. */
  @FunctionalInterface
  public interface Initializer {
    void fill(Tensor target, SeededRandom random);

    static Initializer zeros() {
      return constant(0);
    }

    static Initializer ones() {
      return constant(1);
    }

    static Initializer constant(double value) {
      return (target, random) -> target.fill(value);
    }

    static Initializer normal(double deviation) {
      return (target, random) -> random.fillNormal(target, 0, deviation);
    }

    /** Uniform in ±limit. */
    static Initializer uniform(double limit) {
      return (target, random) -> random.fillUniform(target, -limit, limit);
    }

    /** Uniform in ±1/√fan-in, the usual start of linear layers and convolutions. */
    static Initializer fanIn(long fanIn) {
      return uniform(1 / Math.sqrt(fanIn));
    }
  }

  /** Element type of weights in a file. */
  public enum Storage {
    FP32,
    BF16,
    /** Matrices as int8 with one scale per row (see {@link Int8Weight}); vectors as fp32. */
    INT8
  }

  private enum Range {
    DECAYED,
    PLAIN,
    STATE
  }

  /** One declared tensor; {@link #tensor} works after the store is built. */
  public static final class Parameter {
    private final String name;
    private final long[] shape;
    private final Range range;
    private final Initializer initializer;
    private long offset;
    private @Nullable Tensor tensor;

    private Parameter(String name, long[] shape, Range range, Initializer initializer) {
      this.name = name;
      this.shape = shape;
      this.range = range;
      this.initializer = initializer;
    }

    public String name() {
      return name;
    }

    public long[] shape() {
      return shape.clone();
    }

    /** Whether no gradient reaches it. */
    public boolean isState() {
      return range == Range.STATE;
    }

    /** Whether it is a matrix that inputs are multiplied with, not a table to look up in. */
    public boolean isMatrix() {
      return range == Range.DECAYED && shape.length == 2;
    }

    /** Where it begins in the flat buffer of its range. */
    long offset() {
      return offset;
    }

    /** The tensor itself: a leaf that owns no memory of its own. */
    public Tensor tensor() {
      if (tensor == null) {
        throw new TensorException("Build the store before reading parameter " + name + ".");
      }
      return tensor;
    }

    long count() {
      long count = 1;
      for (long length : shape) {
        count = Math.multiplyExact(count, length);
      }
      return count;
    }
  }

  private final long seed;
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private long decayedElements;
  private @Nullable Tensor values;
  private @Nullable Tensor gradients;
  private @Nullable Tensor state;

  /** An empty store whose parameters start from this seed. */
  public ParameterStore(long seed) {
    this.seed = seed;
  }

  // ---------------------------------------------------------------- declaring

  /** Declares a parameter; those with two or more dimensions take part in weight decay. */
  public Parameter declare(String name, Initializer initializer, long... shape) {
    return add(name, initializer, shape.length >= 2 ? Range.DECAYED : Range.PLAIN, shape);
  }

  /** Declares a parameter that weight decay leaves alone, whatever its shape. */
  public Parameter declareUndecayed(String name, Initializer initializer, long... shape) {
    return add(name, initializer, Range.PLAIN, shape);
  }

  /** Declares a tensor without a gradient that is saved with the parameters. */
  public Parameter declareState(String name, Initializer initializer, long... shape) {
    return add(name, initializer, Range.STATE, shape);
  }

  private Parameter add(String name, Initializer initializer, Range range, long[] shape) {
    if (values != null) {
      throw new TensorException("The store is built; declare " + name + " before build().");
    }
    if (name.isBlank()) {
      throw new TensorException("A parameter needs a name.");
    }
    for (long length : shape) {
      if (length < 1 || length > ELEMENTS_MAX) {
        throw new TensorException(
            "Parameter %s has an impossible shape %s.".formatted(name, Arrays.toString(shape)));
      }
    }
    Parameter parameter = new Parameter(name, shape.clone(), range, initializer);
    if (parameters.putIfAbsent(name, parameter) != null) {
      throw new TensorException("Parameter " + name + " is declared twice.");
    }
    return parameter;
  }

  // ---------------------------------------------------------------- building

  /** Allocates and initialises everything, with gradients. */
  public ParameterStore build() {
    return build(true);
  }

  /**
   * Allocates and initialises everything for a model that only runs: half the memory, no gradients.
   */
  public ParameterStore buildFrozen() {
    return build(false);
  }

  private ParameterStore build(boolean trainable) {
    if (values != null) {
      throw new TensorException("The store is already built.");
    }
    decayedElements = place(0, Range.DECAYED);
    long elements = place(decayedElements, Range.PLAIN);
    long stateElements = place(0, Range.STATE);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor flat = Tensor.zeros(elements).retain();
      Tensor flatState = Tensor.zeros(stateElements).retain();
      Tensor flatGradients = trainable ? Tensor.zeros(elements).retain() : null;
      values = flat;
      state = flatState;
      gradients = flatGradients;
      for (Parameter parameter : parameters.values()) {
        Tensor view = viewOf(parameter.isState() ? flatState : flat, parameter);
        initialise(parameter, view);
        // Detached: a leaf that shares memory but carries no view history of the flat buffer.
        Tensor leaf = view.detach().retain();
        parameter.tensor = leaf;
        if (flatGradients != null && !parameter.isState()) {
          leaf.requiresGrad(true);
          leaf.presetGrad(viewOf(flatGradients, parameter));
        }
      }
    }
    return this;
  }

  private void initialise(Parameter parameter, Tensor target) {
    try (SeededRandom random = new SeededRandom(seedOf(parameter.name))) {
      parameter.initializer.fill(target, random);
    }
  }

  /** Puts everything back to its first values, as {@link #build} left it. */
  public void reset() {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      for (Parameter parameter : parameters.values()) {
        initialise(parameter, parameter.tensor());
      }
    }
  }

  private long place(long from, Range range) {
    long next = from;
    for (Parameter parameter : parameters.values()) {
      if (parameter.range == range) {
        parameter.offset = next;
        next = Math.addExact(next, padded(parameter.count()));
      }
    }
    return next;
  }

  private static long padded(long count) {
    return Math.ceilDiv(count, ALIGNMENT) * ALIGNMENT;
  }

  private static Tensor viewOf(Tensor flat, Parameter parameter) {
    return flat.narrow(0, parameter.offset, parameter.count()).view(parameter.shape);
  }

  /** FNV-1a over the name, mixed with the store's seed. */
  private long seedOf(String name) {
    long hash = 0xcbf29ce484222325L ^ (seed * 0x9e3779b97f4a7c15L);
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    }
    return hash ^ (hash >>> 31);
  }

  // ---------------------------------------------------------------- reading

  /** The tensor with this name. */
  public Tensor get(String name) {
    Parameter parameter = parameters.get(name);
    if (parameter == null) {
      throw new TensorException("There is no parameter " + name + ".");
    }
    return parameter.tensor();
  }

  /** All declared tensors, in the order of declaration. */
  public Collection<Parameter> parameters() {
    return Collections.unmodifiableCollection(parameters.values());
  }

  /** How many numbers training changes, without padding and state. */
  public long count() {
    return parameters.values().stream().filter(p -> !p.isState()).mapToLong(Parameter::count).sum();
  }

  /** The flat buffer of all parameters, with padding. */
  public Tensor values() {
    return built(values);
  }

  /** The flat buffer of all gradients. */
  public Tensor gradients() {
    if (gradients == null) {
      throw new TensorException("This store has no gradients: it is frozen or not yet built.");
    }
    return gradients;
  }

  /** The flat buffer of all state. */
  public Tensor state() {
    return built(state);
  }

  /** How many elements at the start of {@link #values} take part in weight decay. */
  long decayedElements() {
    return decayedElements;
  }

  /**
   * How many numbers lie in matrices, without embedding tables: what each row of an input is
   * multiplied with on its way through the model.
   */
  public long matrixCount() {
    return parameters.values().stream()
        .filter(Parameter::isMatrix)
        .mapToLong(Parameter::count)
        .sum();
  }

  /** Bytes of the flat buffers: values, gradients if there are any, and state. */
  public long bytes() {
    long values = values().count() * Float.BYTES;
    return (gradients == null ? values : 2 * values) + state().count() * Float.BYTES;
  }

  /**
   * A stretch of the flat buffers.
   *
   * @param decayed whether it takes part in weight decay
   */
  record Run(long from, long length, boolean decayed) {}

  /** The longest stretches, in order, whose parameters are all wanted; padding goes with them. */
  List<Run> runs(Predicate<Parameter> wanted) {
    var runs = new ArrayList<Run>();
    for (Range range : List.of(Range.DECAYED, Range.PLAIN)) {
      long from = -1;
      long end = -1;
      for (Parameter parameter : parameters.values()) {
        if (parameter.range != range) {
          continue;
        }
        if (wanted.test(parameter)) {
          from = from < 0 ? parameter.offset : from;
          end = parameter.offset + padded(parameter.count());
        } else if (from >= 0) {
          runs.add(new Run(from, end - from, range == Range.DECAYED));
          from = -1;
        }
      }
      if (from >= 0) {
        runs.add(new Run(from, end - from, range == Range.DECAYED));
      }
    }
    return runs;
  }

  private static Tensor built(@Nullable Tensor tensor) {
    if (tensor == null) {
      throw new TensorException("Build the store first.");
    }
    return tensor;
  }

  // ---------------------------------------------------------------- training

  /** Sets every gradient to 0, keeping the views. */
  public void zeroGradients() {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      gradients().zero();
    }
  }

  /**
   * Scales all gradients down so that their common norm is at most {@code max}, and returns the
   * norm found. One host synchronisation. A norm that is not finite changes nothing: the caller
   * should skip the step.
   */
  public double clipGradNorm(double max) {
    if (!(max > 0)) {
      throw new TensorException("The gradient norm limit must be positive, was " + max + ".");
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      double norm = gradients().norm().item();
      clipGradients(norm, max);
      return norm;
    }
  }

  /** The same with a norm that the caller has read already: no host synchronisation. */
  public void clipGradients(double norm, double max) {
    try (Profiler.Range range = Profiler.range("clip");
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (norm > max && Double.isFinite(norm)) {
        gradients().mulInPlace(Tensor.scalar(max / norm));
      }
    }
  }

  // ---------------------------------------------------------------- files

  /** Adds every tensor to a checkpoint, each under {@code prefix} and its name. */
  public void saveTo(String prefix, Map<String, Tensor> checkpoint) {
    for (Parameter parameter : parameters.values()) {
      checkpoint.put(prefix + parameter.name, parameter.tensor());
    }
  }

  /**
   * Overwrites every tensor from a file, converting the element type. The file must hold each name
   * with its shape; names under {@code prefix} that nobody declared are refused.
   */
  public void restoreFrom(String prefix, Safetensors file) {
    TreeSet<String> unclaimed = new TreeSet<>();
    for (String name : file.names()) {
      if (name.startsWith(prefix)) {
        unclaimed.add(name);
      }
    }
    try (NoGrad noGrad = NoGrad.open()) {
      for (Parameter parameter : parameters.values()) {
        String name = prefix + parameter.name;
        file.requireShape(name, parameter.shape);
        try (Scope scope = Scope.open()) {
          Tensor stored = file.tensor(name);
          if (stored.dtype() == DType.I8) {
            Tensor scale = file.tensor(name + SCALE_SUFFIX);
            stored = new Int8Weight(stored, scale).dequantized();
            unclaimed.remove(name + SCALE_SUFFIX);
          }
          parameter.tensor().copyFrom(stored);
        }
        unclaimed.remove(name);
      }
    }
    if (!unclaimed.isEmpty()) {
      throw new TensorException(
          "%s holds %d tensors this model does not have, such as %s: it belongs to another"
                  .formatted(file.path(), unclaimed.size(), unclaimed.first())
              + " configuration.");
    }
  }

  /** Writes the model alone, with metadata. */
  public void saveTo(Path file, Storage storage, Map<String, String> metadata) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Map<String, Tensor> stored = new LinkedHashMap<>();
      stored(storage, "", stored);
      SafetensorsWriter.write(file, stored, metadata);
    }
  }

  /** Adds every tensor to {@code target} in its stored form; needs an open scope. */
  public void stored(Storage storage, String prefix, Map<String, Tensor> target) {
    for (Parameter parameter : parameters.values()) {
      String name = prefix + parameter.name;
      Tensor tensor = parameter.tensor().detach();
      switch (storage) {
        case FP32 -> target.put(name, tensor);
        case BF16 -> target.put(name, parameter.isState() ? tensor : tensor.to(DType.BF16));
        case INT8 -> {
          if (parameter.isState() || parameter.shape.length < 2) {
            target.put(name, tensor);
          } else {
            Int8Weight weight = Int8Weight.of(tensor);
            target.put(name, weight.values());
            target.put(name + SCALE_SUFFIX, weight.scales());
          }
        }
      }
    }
  }

  /** Overwrites every tensor from a file written by {@link #saveTo(Path, Storage, Map)}. */
  public void loadFrom(Path file) {
    try (Safetensors opened = Safetensors.open(file)) {
      restoreFrom("", opened);
    }
  }

  @Override
  public void close() {
    parameters.values().forEach(parameter -> closed(parameter.tensor));
    closed(values);
    closed(gradients);
    closed(state);
  }

  private static void closed(@Nullable Tensor tensor) {
    if (tensor != null) {
      tensor.close();
    }
  }
}
