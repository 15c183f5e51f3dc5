package org.descant.training.loop;

import static org.descant.training.TrainingException.require;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.descant.tensor.AdamW;
import org.descant.tensor.DType;
import org.descant.tensor.Ema;
import org.descant.tensor.Muon;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Optimizer;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.PeerLostException;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
import org.descant.training.parallel.Replicas;
import org.jspecify.annotations.Nullable;

/**
 * One optimisation step over a parameter store: gradients of all parts of a batch, one look at the
 * numbers, then clipping, the optimizer and the running average, or none of them.
 *
 * <p>The loss, the gradient norm and whatever else a step reports are read from the device at once,
 * the one time that the host waits. A refused step leaves everything as it was, codebooks included:
 * they move in the forward pass, so they are remembered before it. So does one during which another
 * process was lost. What decides is the mean over all processes, so all decide alike. Belongs to
 * the training thread.
 */
public final class Optimisation implements AutoCloseable {
  /** The scalar among a part's that is learned from. */
  public static final String LOSS = "loss";

  private static final String ADAMW = "adamw";
  private static final String MUON = "muon";
  private static final List<String> NAMES = List.of(ADAMW, MUON);
  private static final double EPSILON = 1e-8;
  private static final int ROUNDS_MAX = 20;

  /**
   * What a recipe says of the optimizer.
   *
   * @param name {@code adamw}, or {@code muon} for hidden matrices with AdamW for the rest
   * @param beta1 of AdamW
   * @param beta2 of AdamW
   * @param momentum of Muon
   * @param rounds of Newton and Schulz in Muon
   * @param matrixRate factor on the learning rate for Muon's matrices
   */
  public record Options(
      String name, double beta1, double beta2, double momentum, int rounds, double matrixRate) {
    public Options {
      require(NAMES.contains(name), "optimiser.name", name, String.join(", ", NAMES));
      require(beta1 >= 0 && beta1 < 1, "optimiser.beta1", beta1, "0 to less than 1");
      require(beta2 >= 0 && beta2 < 1, "optimiser.beta2", beta2, "0 to less than 1");
      require(momentum >= 0 && momentum < 1, "optimiser.momentum", momentum, "0 to less than 1");
      require(
          rounds >= 1 && rounds <= ROUNDS_MAX, "optimiser.rounds", rounds, "1 to " + ROUNDS_MAX);
      require(matrixRate > 0, "optimiser.matrixRate", matrixRate, "more than 0");
    }

    /** AdamW, and Muon's usual constants in case it is asked for. */
    public static Options adamW(double beta2) {
      return new Options(ADAMW, 0.9, beta2, 0.95, 5, 1);
    }
  }

  /**
   * The constants of a stage.
   *
   * @param optimiser which one, and its own
   * @param schedule learning rate over the stage's steps
   * @param weightDecay decoupled, on matrices
   * @param clip largest gradient norm
   * @param emaDecay of the averaged weights; 0 keeps none
   * @param guard what is refused, and what follows
   */
  public record Rules(
      Options optimiser,
      Schedule schedule,
      double weightDecay,
      double clip,
      double emaDecay,
      Guard.Options guard) {}

  /**
   * What came of a step.
   *
   * @param values the parts' scalars, averaged
   * @param gradientNorm before clipping
   * @param refusal why nothing was learned; {@code null} when the weights moved
   */
  record Outcome(Map<String, Double> values, double gradientNorm, @Nullable String refusal) {}

  private final ParameterStore store;
  private final Rules rules;
  private final Guard guard;
  private final Replicas replicas;
  private final String prefix;
  private final Optimizer optimizer;
  private final @Nullable Ema ema;
  private final @Nullable Tensor stateBefore;

  /**
   * Begins with fresh moments.
   *
   * @param stage whose name its tensors carry in a checkpoint
   * @param matrices the hidden matrices for Muon, see {@link Muon}
   * @param replicas that average their gradients; they have started on the store
   */
  Optimisation(
      String stage,
      ParameterStore store,
      Rules rules,
      Guard guard,
      Function<ParameterStore.Parameter, long[]> matrices,
      Replicas replicas) {
    this.store = store;
    this.rules = rules;
    this.guard = guard;
    this.replicas = replicas;
    this.prefix = stage + ".";
    Options options = rules.optimiser;
    requireSupported(options, replicas.sharded());
    var adamW = new AdamW.Options(options.beta1, options.beta2, EPSILON, rules.weightDecay);
    this.optimizer =
        switch (options.name) {
          case MUON ->
              new Muon(
                  store,
                  new Muon.Options(options.momentum, options.rounds, options.matrixRate),
                  adamW,
                  matrices);
          default -> replicas.adamW(store, adamW);
        };
    this.ema = rules.emaDecay > 0 ? new Ema(store, rules.emaDecay) : null;
    try (Scope scope = Scope.open()) {
      this.stateBefore = store.state().count() > 0 ? store.state().copy().retain() : null;
    }
  }

  /** Fails where an optimizer's state cannot be spread over processes, and is to be. */
  public static void requireSupported(Options options, boolean sharded) {
    if (sharded && options.name.equals(MUON)) {
      throw new TrainingException(
          "--shard-optimizer spreads AdamW's state only; leave it out, or set optimiser.name to"
              + " adamw");
    }
  }

  /**
   * One step.
   *
   * @param step of the stage, from 1
   * @param learn adds a part's share of the gradient and returns its scalars, {@link #LOSS} among
   *     them, the same names for every part
   * @throws PeerLostException when another process was lost: the step was not taken
   */
  Outcome step(long step, int parts, IntFunction<Map<String, Tensor>> learn) {
    try (Scope scope = Scope.open()) {
      copyState(stateBefore, store.state());
      store.zeroGradients();
      try {
        return stepped(step, parts, learn);
      } catch (PeerLostException e) {
        copyState(store.state(), stateBefore);
        throw e;
      }
    }
  }

  private Outcome stepped(long step, int parts, IntFunction<Map<String, Tensor>> learn) {
    List<String> names = new ArrayList<>();
    List<Tensor> scalars = new ArrayList<>();
    for (int part = 0; part < parts; part++) {
      if (part == parts - 1) {
        replicas.arm(store);
      }
      try (Scope inner = Scope.open()) {
        learn
            .apply(part)
            .forEach((name, scalar) -> {
              names.add(name);
              scalars.add(inner.keep(scalar.to(DType.F32).reshape(1)));
            });
      }
    }
    replicas.average(store);
    Map<String, Double> values = new LinkedHashMap<>();
    double norm = read(names, scalars, parts, values);
    double loss =
        values.values().stream()
            .filter(value -> !Double.isFinite(value))
            .findFirst()
            .orElse(values.getOrDefault(LOSS, Double.NaN));
    String refusal = guard.judge(loss, norm);
    if (refusal == null) {
      store.clipGradients(norm, rules.clip);
      optimizer.step(rules.schedule.at(step));
      if (ema != null) {
        ema.update(step);
      }
    } else {
      copyState(store.state(), stateBefore);
    }
    return new Outcome(values, norm, refusal);
  }

  private static void copyState(@Nullable Tensor to, @Nullable Tensor from) {
    if (to != null && from != null && to.count() > 0) {
      try (NoGrad noGrad = NoGrad.open()) {
        to.copyFrom(from);
      }
    }
  }

  /**
   * Means over parts and processes into {@code values}; returns the gradient norm. The host waits
   * here.
   */
  private double read(
      List<String> names, List<Tensor> scalars, int parts, Map<String, Double> values) {
    try (NoGrad noGrad = NoGrad.open()) {
      scalars.add(store.gradients().norm().reshape(1));
      float[] numbers = Tensor.cat(scalars, 0).toFloats();
      for (int i = 0; i < names.size(); i++) {
        values.merge(names.get(i), (double) numbers[i] / parts, Double::sum);
      }
      double[] means =
          Arrays.copyOf(
              values.values().stream().mapToDouble(Double::doubleValue).toArray(),
              values.size() + 1);
      means[values.size()] = numbers[names.size()];
      means = replicas.mean(means);
      int at = 0;
      for (var value : values.entrySet()) {
        value.setValue(means[at++]);
      }
      return means[at];
    }
  }

  /** Runs something with the averaged weights in place of the present ones, if there are any. */
  public void averaged(Runnable work) {
    if (ema != null) {
      ema.swap();
    }
    try {
      work.run();
    } finally {
      if (ema != null) {
        ema.swap();
      }
    }
  }

  /** Puts the averaged weights into the model for good, if there are any. */
  public void keepAveraged() {
    if (ema != null) {
      ema.swap();
    }
  }

  /**
   * Whether everything that a checkpoint would hold is finite. The host waits once.
   *
   * @param saved moments and average, from {@link #saveTo}
   */
  boolean isFinite(Map<String, Tensor> saved) {
    Map<String, Tensor> all = new LinkedHashMap<>(saved);
    all.put("values", store.values());
    if (stateBefore != null) {
      all.put("state", store.state());
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Tensor> norms =
          all.values().stream().filter(t -> t.count() > 0).map(t -> t.norm().reshape(1)).toList();
      return Double.isFinite(Tensor.cat(norms, 0).sum().item());
    }
  }

  /** Bytes of moments and average. */
  long stateBytes() {
    return optimizer.stateBytes() + (ema == null ? 0 : store.values().count() * Float.BYTES);
  }

  /** Adds moments and average to a checkpoint; all processes do where state is sharded. */
  void saveTo(Map<String, Tensor> state) {
    optimizer.saveTo(optimizerPrefix(), state);
    if (ema != null) {
      ema.saveTo(averageName(prefix), state);
    }
  }

  /** Goes on from a checkpoint. */
  void restoreFrom(Safetensors state) {
    optimizer.restoreFrom(optimizerPrefix(), state);
    if (ema != null) {
      ema.restoreFrom(averageName(prefix), state);
    }
  }

  private String optimizerPrefix() {
    return prefix + rules.optimiser.name + ".";
  }

  /** The name of a stage's averaged weights in a checkpoint. */
  public static String averageName(String prefix) {
    return prefix + "ema";
  }

  @Override
  public void close() {
    optimizer.close();
    if (ema != null) {
      ema.close();
    }
    if (stateBefore != null) {
      stateBefore.close();
    }
  }
}
