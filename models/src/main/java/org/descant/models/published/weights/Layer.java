package org.descant.models.published.weights;

import java.util.List;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/** One step of a network of {@code [batch, channels, time]} tensors; never changes its input. */
@FunctionalInterface
public interface Layer {
  Tensor forward(Tensor x);

  /**
   * Layers one after another. What a layer leaves behind is freed before the next one runs, so a
   * stack needs the memory of its widest layer, not of all of them.
   */
  static Layer stack(List<Layer> layers) {
    List<Layer> steps = List.copyOf(layers);
    return input -> {
      Tensor x = input;
      for (Layer step : steps) {
        Tensor next;
        try (Scope scope = Scope.open()) {
          next = scope.keep(step.forward(x));
        }
        if (x != input) {
          x.close();
        }
        x = next;
      }
      return x;
    };
  }
}
