package org.descant.models.published.weights;

import java.util.ArrayList;
import java.util.List;
import org.descant.tensor.Tensor;

/** The tensors that a loaded model holds until it is closed. */
public final class Owned implements AutoCloseable {
  private final List<Tensor> tensors = new ArrayList<>();

  /** A handle on the tensor that outlives its scope. */
  public Tensor keep(Tensor tensor) {
    Tensor kept = tensor.retain();
    tensors.add(kept);
    return kept;
  }

  /** Frees all of them; a second call does nothing. */
  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
