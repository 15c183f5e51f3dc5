package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.descant.tensor.ParameterStore.Parameter;

/**
 * Muon for hidden matrices, {@link AdamW} for everything else.
 *
 * <p>A matrix moves by its Nesterov momentum with all singular values pulled towards one (Jordan et
 * al., "Muon: an optimizer for hidden layers in neural networks", 2024), so that directions that
 * the gradient shows only faintly are learned as fast as the loud ones. The move is scaled by 0.2 ·
 * √(longer side), which gives it the root mean square of an AdamW step: one learning rate and one
 * decay serve both (Liu et al., "Muon is scalable for LLM training", 2025).
 *
 * <p>Cost beside AdamW: {@code rounds} times three products, for a matrix of r ≤ c rows and columns
 * 2·(2 r² c + r³) operations a round; half of AdamW's state on the matrices. A layer that stacks
 * several maps (queries, keys, values) is taken apart, each block by itself.
 *
 * <p>Not thread-safe; belongs to the training thread.
 */
public final class Muon implements Optimizer {
  /** Quintic whose iterates pull [0, 1] to about [0.7, 1.2] in five rounds (Jordan et al.). */
  private static final double A = 3.4445;

  private static final double B = -4.7750;
  private static final double C = 2.0315;

  /** Keeps a gradient of zeros from being divided by its norm. */
  private static final double NORM_MIN = 1e-7;

  private static final double ADAMW_RMS = 0.2;
  private static final int ROUNDS_MAX = 20;

  /**
   * Constants of a run.
   *
   * @param momentum share of the old momentum that a step keeps, 0.95
   * @param rounds of Newton and Schulz, 5
   * @param matrixRate factor on the learning rate for the matrices, 1
   */
  public record Options(double momentum, int rounds, double matrixRate) {
    public Options {
      if (!(momentum >= 0 && momentum < 1 && matrixRate > 0) || rounds < 1 || rounds > ROUNDS_MAX) {
        throw new TensorException(
            "Muon needs a momentum in [0, 1), 1 to %d rounds and a positive rate: %s, %d, %s."
                .formatted(ROUNDS_MAX, momentum, rounds, matrixRate));
      }
    }
  }

  /** Rows of one matrix: where they begin in the flat buffer and in the momentum. */
  private record Block(long offset, long momentumOffset, long rows, long columns) {
    long count() {
      return rows * columns;
    }
  }

  private final ParameterStore store;
  private final Options options;
  private final double weightDecay;
  private final AdamW rest;
  private final List<ParameterStore.Run> runs;
  private final List<Block> blocks;
  private final Tensor momentum;

  /**
   * Splits a store.
   *
   * @param rest constants of AdamW, whose weight decay holds for the matrices too
   * @param blocks for each parameter the rows of the matrices that lie in it one below the other;
   *     empty leaves it to AdamW
   */
  public Muon(
      ParameterStore store,
      Options options,
      AdamW.Options rest,
      Function<Parameter, long[]> blocks) {
    this.store = store;
    this.options = options;
    this.weightDecay = rest.weightDecay();
    this.runs = store.runs(p -> blocks.apply(p).length > 0);
    this.rest = new AdamW(store, rest, store.runs(p -> blocks.apply(p).length == 0));
    this.blocks = blocks(store, blocks, runs);
    try (Scope scope = Scope.open()) {
      momentum = Tensor.zeros(runs.stream().mapToLong(ParameterStore.Run::length).sum()).retain();
    }
  }

  private static List<Block> blocks(
      ParameterStore store, Function<Parameter, long[]> rowsOf, List<ParameterStore.Run> runs) {
    List<Block> blocks = new ArrayList<>();
    for (Parameter parameter : store.parameters()) {
      long[] rows = rowsOf.apply(parameter);
      if (rows.length == 0) {
        continue;
      }
      long columns = parameter.shape().length == 2 ? parameter.shape()[1] : 0;
      long at = parameter.offset();
      for (long count : rows) {
        blocks.add(new Block(at, momentumOffset(at, runs), count, columns));
        at += count * columns;
      }
      if (!parameter.isMatrix() || at - parameter.offset() != parameter.count()) {
        throw new TensorException(
            "Muon cannot take %s apart: it needs a matrix whose rows its blocks add up to."
                .formatted(parameter.name()));
      }
    }
    return List.copyOf(blocks);
  }

  private static long momentumOffset(long offset, List<ParameterStore.Run> runs) {
    long before = 0;
    for (ParameterStore.Run run : runs) {
      if (offset >= run.from() && offset < run.from() + run.length()) {
        return before + offset - run.from();
      }
      before += run.length();
    }
    throw new IllegalStateException("no stretch holds offset " + offset);
  }

  @Override
  public void step(double learningRate) {
    rest.step(learningRate);
    double rate = learningRate * options.matrixRate;
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      long at = 0;
      for (ParameterStore.Run run : runs) {
        momentum
            .narrow(0, at, run.length())
            .mulInPlace(options.momentum)
            .addInPlace(store.gradients().narrow(0, run.from(), run.length()));
        at += run.length();
        if (weightDecay > 0) {
          store.values().narrow(0, run.from(), run.length()).mulInPlace(1 - rate * weightDecay);
        }
      }
      for (Block block : blocks) {
        move(block, rate);
      }
    }
  }

  private void move(Block block, double rate) {
    try (Scope scope = Scope.open()) {
      Tensor ahead =
          store
              .gradients()
              .narrow(0, block.offset, block.count())
              .add(momentum.narrow(0, block.momentumOffset, block.count()).mul(options.momentum))
              .view(block.rows, block.columns);
      double scale = ADAMW_RMS * Math.sqrt(Math.max(block.rows, block.columns));
      store
          .values()
          .narrow(0, block.offset, block.count())
          .view(block.rows, block.columns)
          .addInPlace(orthogonalised(ahead, options.rounds), -rate * scale);
    }
  }

  /**
   * The matrix with its singular values pulled towards one by a Newton–Schulz iteration: products
   * only, no decomposition.
   */
  static Tensor orthogonalised(Tensor matrix, int rounds) {
    boolean tall = matrix.size(0) > matrix.size(1);
    Tensor x = tall ? matrix.transpose(0, 1) : matrix;
    x = x.div(x.norm().add(NORM_MIN));
    for (int round = 0; round < rounds; round++) {
      Tensor gram = x.matmul(x.transpose(0, 1));
      Tensor polynomial = gram.mul(B).add(gram.matmul(gram).mul(C));
      x = x.mul(A).add(polynomial.matmul(x));
    }
    return tall ? x.transpose(0, 1) : x;
  }

  @Override
  public void saveTo(String prefix, Map<String, Tensor> checkpoint) {
    rest.saveTo(prefix, checkpoint);
    checkpoint.put(prefix + "momentum", momentum);
  }

  @Override
  public void restoreFrom(String prefix, Safetensors checkpoint) {
    rest.restoreFrom(prefix, checkpoint);
    checkpoint.copyInto(prefix + "momentum", momentum);
  }

  @Override
  public long stateBytes() {
    return rest.stateBytes() + momentum.count() * Float.BYTES;
  }

  @Override
  public void close() {
    rest.close();
    momentum.close();
  }
}
