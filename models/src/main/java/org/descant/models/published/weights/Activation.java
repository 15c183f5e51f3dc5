package org.descant.models.published.weights;

import org.descant.tensor.Tensor;

/** Element-wise activations by the names that published configurations use. */
@FunctionalInterface
public interface Activation {
  Tensor apply(Tensor x);

  /**
   * The activation a configuration names.
   *
   * @param name what {@code key} says, already taken apart where the key holds more than the name
   * @throws org.descant.models.ModelException naming key and value when it is not known
   */
  static Activation named(PublishedConfig config, String key, String name) {
    return switch (name) {
      case "relu" -> Tensor::relu;
      case "gelu", "gelu_python" -> Tensor::gelu;
      case "gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh" ->
          Tensor::geluTanh;
      case "quick_gelu" -> x -> x.mul(1.702).sigmoid().mul(x);
      case "silu", "swish" -> Tensor::silu;
      case "mish" -> x -> x.softplus().tanh().mul(x);
      case "relu2" -> x -> x.relu().square();
      case "relu6" -> x -> x.clamp(0, 6);
      case "sigmoid" -> Tensor::sigmoid;
      case "tanh" -> Tensor::tanh;
      case "linear" -> x -> x;
      default ->
          throw config.refusal(
              key, "relu, gelu, gelu_new, quick_gelu, silu, mish, sigmoid or tanh are");
    };
  }
}
