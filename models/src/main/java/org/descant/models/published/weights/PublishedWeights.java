package org.descant.models.published.weights;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.descant.models.ModelException;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;

/**
 * The weights and the configuration of one published model folder: {@code config.json} beside
 * {@code model.safetensors}, or beside shards with {@code model.safetensors.index.json}.
 *
 * <p>Any floating-point storage comes out as fp32. Every tensor must be asked for or ignored by
 * name: {@link #requireAllUsed} names what is left over, which is how a folder of another model, or
 * a configuration that does not belong to the file, is found out. {@link #under} is the same file
 * seen from a sub-model's prefix. A loader copies what it needs, so this is closed once the model
 * is made. Not thread-safe.
 */
public final class PublishedWeights implements AutoCloseable {
  private static final int NAMED_MAX = 5;

  private final PublishedConfig config;
  private final Safetensors file;
  private final Set<String> unused;
  private final String prefix;

  private PublishedWeights(
      PublishedConfig config, Safetensors file, Set<String> unused, String prefix) {
    this.config = config;
    this.file = file;
    this.unused = unused;
    this.prefix = prefix;
  }

  /**
   * Opens a model folder.
   *
   * @throws ModelException when {@code config.json} or the safetensors are missing or broken
   */
  public static PublishedWeights open(Path folder) {
    PublishedConfig config = PublishedConfig.read(folder.resolve("config.json"));
    try {
      Safetensors file = Safetensors.open(folder);
      return new PublishedWeights(config, file, new TreeSet<>(file.names()), "");
    } catch (TensorException e) {
      if (Files.exists(folder.resolve("pytorch_model.bin"))) {
        throw new ModelException(
            "%s holds its weights as a pickle, which is not read; fetch the safetensors of this"
                    .formatted(folder)
                + " model.",
            e);
      }
      throw new ModelException(String.valueOf(e.getMessage()), e);
    }
  }

  /** The folder's whole configuration. */
  public PublishedConfig config() {
    return config;
  }

  /** The tensors whose names start with this, seen without it, for example "text_encoder.". */
  public PublishedWeights under(String more) {
    return new PublishedWeights(config, file, unused, prefix + more);
  }

  public boolean contains(String name) {
    return file.contains(prefix + name);
  }

  /**
   * A copy of one tensor as fp32, in the current scope.
   *
   * @param shape what it must have
   * @throws ModelException when it is missing, has another shape, or does not hold floating-point
   *     numbers; the message names it
   */
  public Tensor tensor(String name, long... shape) {
    String full = prefix + name;
    if (!file.contains(full)) {
      throw new ModelException(
          "%s holds no tensor %s, which its config.json needs.".formatted(file.path(), full));
    }
    if (!Arrays.equals(file.shape(full), shape)) {
      throw new ModelException(
          "%s in %s is %s where its config.json needs %s."
              .formatted(
                  full, file.path(), Arrays.toString(file.shape(full)), Arrays.toString(shape)));
    }
    if (!file.dtype(full).isFloat()) {
      throw new ModelException(
          "%s in %s is %s, not floating-point; fetch the weights that are not quantised."
              .formatted(full, file.path(), file.dtype(full)));
    }
    unused.remove(full);
    return file.tensor(full, DType.F32);
  }

  /**
   * The weight of a layer, with weight normalisation (Salimans and Kingma 2016) folded in: stored
   * plain as {@code .weight}, as {@code .weight_g} and {@code .weight_v}, or as {@code
   * .parametrizations.weight.original0} and {@code original1}. The norm is taken over all but the
   * first dimension, which is the outputs of a convolution and the inputs of a transposed one.
   */
  public Tensor normedWeight(String layer, long... shape) {
    for (List<String> pair :
        List.of(
            List.of(".parametrizations.weight.original0", ".parametrizations.weight.original1"),
            List.of(".weight_g", ".weight_v"))) {
      if (contains(layer + pair.get(0)) || contains(layer + pair.get(1))) {
        long[] lengths = new long[shape.length];
        Arrays.fill(lengths, 1);
        lengths[0] = shape[0];
        try (NoGrad noGrad = NoGrad.open();
            Scope scope = Scope.open()) {
          // In double precision: the fold happens once and its rounding would stay for ever.
          Tensor length = tensor(layer + pair.get(0), lengths).to(DType.F64);
          Tensor direction = tensor(layer + pair.get(1), shape).to(DType.F64);
          Tensor norm = direction.flatten(1, -1).square().sum(1, false).sqrt().reshape(lengths);
          return scope.keep(direction.mul(length.div(norm)).to(DType.F32).contiguous());
        }
      }
    }
    return tensor(layer + ".weight", shape);
  }

  /** Says that inference does not need this tensor; nothing happens when it is not there. */
  public void ignore(String name) {
    unused.remove(prefix + name);
  }

  /** Says that inference needs none of the tensors whose names start with this. */
  public void ignoreUnder(String start) {
    unused.removeIf(name -> name.startsWith(prefix + start));
  }

  /**
   * Fails when a tensor under this prefix was neither read nor ignored.
   *
   * @throws ModelException naming the first few
   */
  public void requireAllUsed() {
    List<String> left = unused.stream().filter(name -> name.startsWith(prefix)).toList();
    if (!left.isEmpty()) {
      throw new ModelException(
          "%s holds %s%s, for which its config.json has no place."
              .formatted(
                  file.path(),
                  String.join(", ", left.subList(0, Math.min(NAMED_MAX, left.size()))),
                  left.size() > NAMED_MAX
                      ? " and %d more".formatted(left.size() - NAMED_MAX)
                      : ""));
    }
  }

  /** Closes the files; tensors that were read stay. */
  @Override
  public void close() {
    file.close();
  }
}
