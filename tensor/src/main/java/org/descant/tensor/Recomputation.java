package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Activation checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016) of
 * a chain of blocks: the forward pass keeps only what goes into each block; the backward pass runs
 * each block again, last one first, and throws its inside away. Memory falls from all activations
 * to one block's; the step costs one more forward pass, about a third.
 *
 * <pre>{@code
 * var blocks = new Recomputation(layers, precision);
 * Tensor top = blocks.forward(x);              // a leaf: the graph ends here
 * lossOf(top).backward();                      // fills top.grad()
 * x.backward(blocks.backward(top.grad()));     // fills the blocks' parameters, then what made x
 * }</pre>
 *
 * <p>A block must be a pure function of its input and its parameters: what it draws at random or
 * counts would happen twice. One use for one step, in an open {@link Scope}; not thread-safe.
 */
public final class Recomputation {
  private final List<UnaryOperator<Tensor>> blocks;
  private final Precision precision;
  private final List<Tensor> inputs = new ArrayList<>();

  /**
   * @param precision of the products inside the blocks; both passes open their own {@link Autocast}
   *     regions, so none may be open around them
   */
  public Recomputation(List<UnaryOperator<Tensor>> blocks, Precision precision) {
    this.blocks = List.copyOf(blocks);
    this.precision = precision;
  }

  /** The chain's output as a leaf that takes a gradient. */
  public Tensor forward(Tensor input) {
    Tensor x = input.detach();
    try (NoGrad noGrad = NoGrad.open();
        Autocast autocast = Autocast.open(precision)) {
      for (UnaryOperator<Tensor> block : blocks) {
        inputs.add(x);
        try (Scope scope = Scope.open()) {
          x = scope.keep(block.apply(x));
        }
      }
    }
    return x.detach().requiresGrad(true);
  }

  /**
   * Adds to the gradients of the blocks' parameters.
   *
   * @param gradient with respect to the chain's output
   * @return the gradient with respect to its input
   */
  public Tensor backward(Tensor gradient) {
    Tensor passed = gradient;
    for (int i = blocks.size() - 1; i >= 0; i--) {
      try (Scope scope = Scope.open()) {
        Tensor leaf = inputs.get(i).detach().requiresGrad(true);
        Tensor output;
        try (Autocast autocast = Autocast.open(precision)) {
          output = blocks.get(i).apply(leaf);
        }
        output.backward(passed);
        passed = scope.keep(leaf.grad());
      }
    }
    return passed;
  }
}
