package org.descant.tensor;

import java.util.List;

/**
 * SwiGLU (Shazeer, "GLU variants improve transformer", 2020) as one operation: its gradient is
 * written into the halves of one tensor, instead of two that are joined. Stateless.
 */
public final class GatedLinearUnit {
  private GatedLinearUnit() {}

  /**
   * silu(gate) × up.
   *
   * @param gateAndUp [..., 2 · hidden]: the gate first
   * @return [..., hidden], of the same type
   */
  public static Tensor swiGlu(Tensor gateAndUp) {
    List<Tensor> halves = gateAndUp.chunk(2, gateAndUp.dim() - 1);
    if (gateAndUp.device().kind() == Device.Kind.CUDA || !HandGradient.isWanted(gateAndUp)) {
      return halves.get(0).silu().mul(halves.get(1));
    }
    Tensor gate = halves.get(0).detach();
    Tensor up = halves.get(1).detach();
    Tensor open;
    Tensor value;
    try (NoGrad noGrad = NoGrad.open()) {
      open = gate.silu();
      value = open.mul(up);
    }
    return HandGradient.attach(
        value,
        List.of(gateAndUp),
        gradient -> {
          Tensor result = Tensor.empty(gateAndUp.dtype(), gateAndUp.shape());
          List<Tensor> parts = result.chunk(2, gateAndUp.dim() - 1);
          parts.get(1).setProduct(gradient, open);
          parts.get(0).setSiluGradient(gradient.mul(up), gate);
          return List.of(result);
        });
  }
}
