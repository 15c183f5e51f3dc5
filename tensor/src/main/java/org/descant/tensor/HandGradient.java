package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.TensorTensorHook;
import org.bytedeco.pytorch.VoidTensorHook;
import org.jspecify.annotations.Nullable;

/**
 * An operation whose gradient is written by hand: several operators that autograd would record one
 * by one become one node, which keeps and moves only what it needs.
 *
 * <p>libtorch's own class for this cannot be reached from Java, so the node is made of views: of
 * each input nothing is summed, the scalar is expanded to the result's shape, and its data are
 * replaced by the result. A hook on the result turns its gradient into those of the inputs, and
 * hooks on the inputs hand these out in place of the zeros that libtorch finds. What that costs is
 * a sum over the result's gradient and the zeros.
 *
 * <p>On the CPU only, where the backward pass runs on the thread that asked for it. That pass must
 * run before the {@link Scope} closes in which the operation ran. A second derivative is not there.
 */
final class HandGradient {
  /** The gradients of the operation's inputs from that of its result. */
  interface Backward {
    /**
     * Runs without gradients in a scope of its own.
     *
     * @return one for each input, of its shape and type, in their order
     */
    List<Tensor> of(Tensor gradient);
  }

  /** Whose gradients wait on this thread, or waited last; freed when the next ones are made. */
  private static final ThreadLocal<@Nullable HandGradient> LAST = new ThreadLocal<>();

  private final Backward backward;
  private final List<Tensor> ready = new ArrayList<>();

  private HandGradient(Backward backward) {
    this.backward = backward;
  }

  /** Whether gradients of any of these will be asked for. */
  static boolean isWanted(Tensor... inputs) {
    if (!GradMode.is_enabled()) {
      return false;
    }
    for (Tensor input : inputs) {
      if (input.requiresGrad()) {
        return true;
      }
    }
    return false;
  }

  /**
   * A result with its place in the graph.
   *
   * @param value computed without gradients; its data become the result's
   * @param inputs that {@code backward} gives gradients of; at least one requires them
   */
  static Tensor attach(Tensor value, List<Tensor> inputs, Backward backward) {
    var node = new HandGradient(backward);
    Tensor scalar = null;
    for (int i = 0; i < inputs.size(); i++) {
      if (!inputs.get(i).requiresGrad()) {
        continue;
      }
      int place = i;
      Tensor input = inputs.get(i).view(inputs.get(i).shape());
      input
          .unwrap()
          .register_hook(
              new TensorTensorHook() {
                @Override
                public TensorBase call(TensorBase zeros) {
                  return node.ready.get(place).unwrap();
                }
              });
      Tensor zero = input.unsqueeze(0).expand(emptyOf(input)).sum().to(value.dtype());
      scalar = scalar == null ? zero : scalar.add(zero);
    }
    if (scalar == null) {
      throw new TensorException("No input of this operation requires a gradient.");
    }
    Tensor result = scalar.expand(value.shape());
    result.unwrap().set_data(value.unwrap());
    result
        .unwrap()
        .register_hook(
            new VoidTensorHook() {
              @Override
              public void call(TensorBase gradient) {
                node.run(gradient);
              }
            });
    return result;
  }

  private static long[] emptyOf(Tensor input) {
    long[] shape = new long[input.dim() + 1];
    System.arraycopy(input.shape(), 0, shape, 1, input.dim());
    return shape;
  }

  private void run(TensorBase gradient) {
    HandGradient last = LAST.get();
    if (last != null) {
      last.free();
    }
    LAST.set(this);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      for (Tensor made : backward.of(Tensor.of(gradient))) {
        ready.add(made.retain());
      }
    }
  }

  private void free() {
    ready.forEach(Tensor::close);
    ready.clear();
  }
}
