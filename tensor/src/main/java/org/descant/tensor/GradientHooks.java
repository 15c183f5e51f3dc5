package org.descant.tensor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.VoidTensorHook;
import org.descant.tensor.ParameterStore.Parameter;

/**
 * Tells during a backward pass which parameters' gradients are in place, so that work on them can
 * begin before the pass ends.
 *
 * <p>libtorch calls a leaf's hook when its gradient is known and adds the gradient right after, one
 * leaf after the other. So when the listener hears a parameter, the gradients of all that it heard
 * before in this pass are in the flat buffer, and this one's is not yet. A parameter that took no
 * part is not heard of.
 *
 * <p>Cost: about 1 µs for each parameter and pass. Belongs to the training thread; the listener is
 * called by the thread that runs the backward pass.
 */
public final class GradientHooks implements AutoCloseable {
  private record Hooked(Parameter parameter, VoidTensorHook hook, int number) {}

  private final List<Hooked> hooks = new ArrayList<>();
  private final long elements;

  /**
   * Hooks every parameter that has a gradient.
   *
   * @param listener takes the parameter's place in the order of the flat buffer
   */
  public GradientHooks(ParameterStore store, IntConsumer listener) {
    elements = store.gradients().count();
    List<Parameter> inOrder =
        store.parameters().stream()
            .filter(parameter -> !parameter.isState())
            .sorted(Comparator.comparingLong(Parameter::offset))
            .toList();
    for (Parameter parameter : inOrder) {
      int place = hooks.size();
      try (PointerScope scope = new PointerScope()) {
        VoidTensorHook hook =
            new VoidTensorHook() {
              @Override
              public void call(TensorBase gradient) {
                listener.accept(place);
              }
            };
        hook.<VoidTensorHook>retainReference();
        hooks.add(new Hooked(parameter, hook, parameter.tensor().unwrap().register_hook(hook)));
      }
    }
  }

  /** How many parameters are hooked. */
  public int count() {
    return hooks.size();
  }

  /** Where a parameter's gradient begins in the flat buffer. */
  public long from(int place) {
    return hooks.get(place).parameter.offset();
  }

  /** Where the next one's begins: the padding between belongs to the one before it. */
  public long to(int place) {
    return place + 1 < hooks.size() ? from(place + 1) : elements;
  }

  @Override
  public void close() {
    for (Hooked hooked : hooks) {
      if (!hooked.parameter.tensor().isFreed()) {
        hooked.parameter.tensor().unwrap().remove_hook(hooked.number);
      }
      hooked.hook.close();
    }
    hooks.clear();
  }
}
