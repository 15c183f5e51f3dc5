package org.descant.bench;

import java.util.SplittableRandom;
import org.descant.tensor.AdamW;
import org.descant.tensor.Autocast;
import org.descant.tensor.HeadLoss;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.tensor.SelfAttention;
import org.descant.tensor.Tensor;

/**
 * The decoder that this house measures itself by: what everybody calls a small GPT, without
 * anything of ours but the way a step is run (autocast, chunked attention, flat parameters, one
 * norm, one fused optimiser), so that {@code peers/decoder.py} can be the same model line by line.
 *
 * <p>Token embedding; L × (layer norm, attention, layer norm, four times as wide GELU), all with
 * biases; layer norm; head without a bias. Belongs to one thread.
 */
public final class ReferenceDecoder implements AutoCloseable {
  private static final double EPSILON = 1e-5;
  private static final double CLIP = 1;
  private static final double LEARNING_RATE = 1e-4;

  private final DecoderShape shape;
  private final ParameterStore store = new ParameterStore(1);
  private final Parameter tokens;
  private final Layer[] layers;
  private final Norm outNorm;
  private final Parameter head;
  private final AdamW optimizer;
  private final Tensor input;
  private final Tensor target;

  /** A decoder with fresh weights and one batch of random tokens. */
  public ReferenceDecoder(DecoderShape shape) {
    this.shape = shape;
    int d = shape.width();
    tokens = store.declareUndecayed("tokens", Initializer.normal(0.02), shape.vocabulary(), d);
    layers = new Layer[shape.layers()];
    for (int i = 0; i < layers.length; i++) {
      layers[i] = new Layer("layers." + i + ".");
    }
    outNorm = new Norm("out.norm");
    head = store.declare("out.head", Initializer.normal(0.02), shape.vocabulary(), d);
    store.build();
    optimizer = new AdamW(store, AdamW.Options.DEFAULT);
    var random = new SplittableRandom(7);
    try (Scope scope = Scope.open()) {
      input = draw(random).view(shape.batch(), shape.time()).retain();
      target = draw(random).retain();
    }
  }

  private Tensor draw(SplittableRandom random) {
    long[] drawn = random.longs(shape.tokens(), 0, shape.vocabulary()).toArray();
    return Tensor.of(drawn, drawn.length);
  }

  /** How many numbers it has. */
  public long parameters() {
    return store.count();
  }

  /**
   * One training step: forward, loss, backward, clipped by the norm of all gradients, AdamW.
   *
   * @return the loss before the step
   */
  public double step(Precision precision) {
    try (Scope scope = Scope.open()) {
      store.zeroGradients();
      Tensor loss;
      try (Autocast autocast = Autocast.open(precision)) {
        loss = loss();
      }
      loss.backward();
      double value = loss.item();
      store.clipGradNorm(CLIP);
      optimizer.step(LEARNING_RATE);
      return value;
    }
  }

  private Tensor loss() {
    Tensor xBTD = tokens.tensor().embedding(input);
    for (Layer layer : layers) {
      xBTD = layer.apply(xBTD);
    }
    Tensor rows = outNorm.apply(xBTD).reshape(-1, shape.width());
    return HeadLoss.crossEntropy(rows, head.tensor(), null, target);
  }

  private final class Norm {
    private final Parameter weight;
    private final Parameter bias;

    Norm(String name) {
      weight = store.declare(name + ".weight", Initializer.ones(), shape.width());
      bias = store.declare(name + ".bias", Initializer.zeros(), shape.width());
    }

    Tensor apply(Tensor x) {
      return x.layerNorm(weight.tensor(), bias.tensor(), EPSILON);
    }
  }

  private final class Linear {
    private final Parameter weight;
    private final Parameter bias;

    Linear(String name, long to, long from) {
      weight = store.declare(name + ".weight", Initializer.normal(0.02), to, from);
      bias = store.declare(name + ".bias", Initializer.zeros(), to);
    }

    Tensor apply(Tensor x) {
      return x.linear(weight.tensor(), bias.tensor());
    }
  }

  private final class Layer {
    private final Norm attentionNorm;
    private final Linear queryKeyValue;
    private final Linear attentionOut;
    private final Norm hiddenNorm;
    private final Linear up;
    private final Linear down;

    Layer(String name) {
      int d = shape.width();
      attentionNorm = new Norm(name + "attention.norm");
      queryKeyValue = new Linear(name + "attention.in", 3L * d, d);
      attentionOut = new Linear(name + "attention.out", d, d);
      hiddenNorm = new Norm(name + "hidden.norm");
      up = new Linear(name + "hidden.in", 4L * d, d);
      down = new Linear(name + "hidden.out", d, 4L * d);
    }

    Tensor apply(Tensor xBTD) {
      Tensor seen =
          SelfAttention.causal(
              queryKeyValue.apply(attentionNorm.apply(xBTD)), shape.heads(), shape.heads(), null);
      Tensor x = xBTD.add(attentionOut.apply(seen));
      return x.add(down.apply(up.apply(hiddenNorm.apply(x)).gelu()));
    }
  }

  @Override
  public void close() {
    optimizer.close();
    store.close();
    input.close();
    target.close();
  }
}
