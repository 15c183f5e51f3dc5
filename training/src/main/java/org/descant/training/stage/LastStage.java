package org.descant.training.stage;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;
import org.descant.lab.MetricLine;
import org.descant.models.ModelCard;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.Cards;
import org.descant.training.TrainingException;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Fingerprint;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Withdrawals;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;
import org.jspecify.annotations.Nullable;

/**
 * Stage three of a run, whatever makes the music in it: measures on held-out recordings now and
 * then, keeps the best weights or the averaged ones, and ships them. What is learned, and from
 * which windows, is the stage's own.
 *
 * @param <B> a batch
 */
public abstract sealed class LastStage<B> implements Learner<B>, AutoCloseable
    permits LmStage, FlowStage {
  /** Stage of the checkpoint that holds the weights that ship. */
  public static final String DONE = "done";

  public static final String HELD_OUT_LOSS = "heldOutLoss";

  final Setting setting;
  final CodecStage codec;
  final Tokens tokens;
  final Replicas replicas;

  /** Frames of a window: as the recipe says, or fewer where a recording is shorter. */
  final int length;

  private final Recipe.Last rules;
  private final String weights;

  private Order order;
  private Windows windows;
  private double bestLoss = Double.POSITIVE_INFINITY;
  private long bestStep;
  private int misses;

  /** Last step whose weights were measured, over the whole run. */
  private long measured;

  /** Whether a run is going on; a plan writes nothing. */
  private boolean training;

  private @Nullable Tensor best;
  private Fingerprint seen = new Fingerprint();

  /**
   * @param frames of a copy that windows may be cut from
   */
  LastStage(Setting setting, CodecStage codec, Tokens tokens, ToIntFunction<Tokens.Coded> frames) {
    this.setting = setting;
    this.codec = codec;
    this.tokens = tokens;
    this.replicas = setting.replicas();
    this.rules = setting.recipe().last();
    this.weights = rules.name() + ".";
    int shortest =
        Stream.concat(tokens.trained().stream(), tokens.heldOut().stream())
            .mapToInt(frames)
            .min()
            .orElse(0);
    if (tokens.trained().isEmpty() || shortest == 0) {
      throw new TrainingException(rules.name() + ": there is no recording to learn from");
    }
    this.length = Math.min(rules.frames(), shortest);
    this.order =
        order(
            setting,
            length,
            tokens.trained().stream().map(c -> setting.dataset().isrc(c.recording())).toList(),
            tokens.trained().stream().map(frames::applyAsInt).toList());
    this.windows = order.windows();
  }

  /** The last stage of a run's recipe, with fresh weights. */
  public static LastStage<?> of(Setting setting, CodecStage codec, Tokens tokens) {
    return switch (setting.recipe().last()) {
      case Recipe.Lm lm -> new LmStage(setting, lm, codec, tokens);
      case Recipe.Flow flow -> new FlowStage(setting, flow, codec, tokens);
    };
  }

  /** The order of the last stage's windows for sources of these lengths, in frames. */
  public static Order order(
      Setting setting, int length, List<String> isrcs, List<Integer> lengths) {
    Recipe recipe = setting.recipe();
    return new Order(
        recipe.last().name(),
        recipe.seed(),
        recipe.last().name() + " windows",
        length,
        recipe.batch(),
        recipe.codecSteps(),
        recipe.lastSteps(),
        isrcs,
        lengths);
  }

  /** The order of this stage's windows. */
  public final Order order() {
    return order;
  }

  final Windows windows() {
    return windows;
  }

  /** Takes windows of the held-out recordings that are not withdrawn for measuring. */
  abstract void chooseHeldOut();

  /** What a loss is counted in, for whom reads the log. */
  abstract String unit();

  /** Losses on the held-out windows of the weights as they are, {@link #HELD_OUT_LOSS} first. */
  abstract Map<String, Double> heldOutLosses();

  /** Says what the stage learns from. */
  abstract void describe();

  /** Writes a model folder of the codec and this stage's model as it is. */
  public abstract ModelCard save(Path folder, ModelCard draft);

  /** Puts the weights that ship, or would ship now, into the model, from any checkpoint. */
  public final void restoreShipped(Checkpoints.Saved saved) {
    restoreWeights(saved);
    String average = Optimisation.averageName(weights);
    try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE))) {
      if (state.contains(key("best"))) {
        state.copyInto(key("best"), parameters().values());
      } else if (state.contains(average) && rules.emaDecay() > 0) {
        state.copyInto(average, parameters().values());
      }
    }
  }

  private String key(String fact) {
    return weights + fact;
  }

  private void restoreWeights(Checkpoints.Saved saved) {
    try (Safetensors file = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      parameters().restoreFrom(weights, file);
    }
  }

  /**
   * Trains from the beginning or from a checkpoint of this stage to the stage's end, and leaves in
   * the model the weights that ship.
   *
   * @param seen goes on with the order of the run's data
   * @return the last step, over the whole run, or {@link Loop#STOPPED}, after a checkpoint
   */
  public final long train(Checkpoints.@Nullable Saved saved, Fingerprint seen) {
    training = true;
    this.seen = seen;
    long last = new Loop<>(setting.around(), this, setting.lastRules(), seen).run(saved);
    return last == Loop.STOPPED ? last : before() + last;
  }

  /** Those of some copies whose recording is not withdrawn. */
  final List<Tokens.Coded> live(List<Tokens.Coded> copies) {
    return copies.stream()
        .filter(coded -> !setting.withdrawals().withdrawn(coded.recording()))
        .toList();
  }

  @Override
  public final Withdrawals withdrawals() {
    return setting.withdrawals();
  }

  @Override
  public final void withdraw(List<String> fresh) {
    boolean measuredToo =
        setting.heldOut().stream().map(setting.dataset()::isrc).anyMatch(fresh::contains);
    order = order.without(setting.withdrawals().steps());
    windows = order.windows();
    if (training && replicas.leads()) {
      order.write(setting.path());
    }
    if (measuredToo) {
      chooseHeldOut();
      // A loss over other recordings is another figure: the best so far cannot be compared with it.
      bestLoss = Double.POSITIVE_INFINITY;
      misses = 0;
      forgetBest();
    }
  }

  @Override
  public final String name() {
    return rules.name();
  }

  @Override
  public final long before() {
    return setting.recipe().codecSteps();
  }

  @Override
  public final long steps() {
    return setting.recipe().lastSteps();
  }

  @Override
  public final int parts() {
    return setting.recipe().accumulate();
  }

  @Override
  public void start() {
    bestLoss = Double.POSITIVE_INFINITY;
    bestStep = 0;
    misses = 0;
    measured = -1;
    forgetBest();
  }

  @Override
  public final void begun(Meter meter, Optimisation optimisation) {
    describe();
    measure(before(), optimisation, meter);
  }

  @Override
  public final void after(long step, Meter meter, Optimisation optimisation) {
    boolean due = step > 0 && (step % rules.evaluateEvery() == 0 || step == steps());
    if (due && measured < before() + step) {
      measure(before() + step, optimisation, meter);
    }
  }

  @Override
  public final boolean isDone() {
    return rules.stopAfter() > 0 && misses >= rules.stopAfter();
  }

  /** The last checkpoint is that of the weights that ship. */
  @Override
  public final boolean savesLast() {
    return false;
  }

  @Override
  public final void end(long lastStep, Optimisation optimisation) {
    ship(optimisation);
    if (replicas.leads()) {
      saveShipped(before() + lastStep);
    }
  }

  // ---------------------------------------------------------------- measuring

  /** Measures the weights that would ship now on the held-out windows. */
  private void measure(long step, Optimisation optimisation, Meter meter) {
    if (live(tokens.heldOut()).isEmpty()) {
      return; // withdrawn, all of them
    }
    long begin = System.nanoTime();
    var values = new LinkedHashMap<String, Double>();
    optimisation.averaged(() -> {
      values.putAll(heldOutLosses());
      keepIfBest(step, values.getOrDefault(HELD_OUT_LOSS, Double.NaN));
      measured = step;
    });
    double mean = values.getOrDefault(HELD_OUT_LOSS, Double.NaN);
    setting.log().accept(new MetricLine(name(), step, values));
    setting
        .progress()
        .note(
            "%-6s step %d: held-out loss %.4f%s (best %.4f at step %d)"
                .formatted(name(), step, mean, unit(), bestLoss, bestStep));
    meter.pause(System.nanoTime() - begin);
  }

  private void keepIfBest(long step, double mean) {
    if (!Double.isFinite(mean)) {
      throw new TrainingException(
          "step %d (%s): the held-out loss is %s; lower %s.learningRate"
              .formatted(step, name(), mean, name()));
    }
    if (mean < bestLoss) {
      bestLoss = mean;
      bestStep = step;
      misses = 0;
      keepBest();
    } else {
      misses++;
    }
  }

  private void keepBest() {
    if (rules.stopAfter() == 0) {
      return;
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (best == null) {
        best = parameters().values().copy().retain();
      } else {
        best.copyFrom(parameters().values());
      }
    }
  }

  /** Puts the weights that ship into the model: the best, else the averaged, else the last. */
  private void ship(Optimisation optimisation) {
    if (best != null) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        parameters().values().copyFrom(best);
      }
    } else {
      optimisation.keepAveraged();
    }
  }

  private void forgetBest() {
    if (best != null) {
      best.close();
      best = null;
    }
  }

  // ---------------------------------------------------------------- checkpoints

  @Override
  public final void saveWeights(Map<String, Tensor> model) {
    codec.saveWeights(model);
    parameters().saveTo(weights, model);
  }

  @Override
  public final void saveState(Map<String, Tensor> state, Map<String, Double> numbers) {
    if (best != null) {
      state.put(key("best"), best);
    }
    numbers.put(key("bestLoss"), bestLoss);
    numbers.put(key("bestStep"), (double) bestStep);
    numbers.put(key("misses"), (double) misses);
    numbers.put(key("measured"), (double) measured);
  }

  @Override
  public final Map<String, String> metadata(long runStep) {
    return setting.metadata(runStep, name());
  }

  @Override
  public final String card(long runStep) {
    return Cards.ofCheckpoint(setting, name(), runStep).toJson();
  }

  @Override
  public final void restore(Checkpoints.Saved saved) {
    restoreWeights(saved);
    Map<String, Double> numbers = saved.facts().numbers();
    bestLoss = numbers.getOrDefault(key("bestLoss"), Double.POSITIVE_INFINITY);
    bestStep = numbers.getOrDefault(key("bestStep"), 0.0).longValue();
    misses = numbers.getOrDefault(key("misses"), 0.0).intValue();
    measured = numbers.getOrDefault(key("measured"), (double) saved.facts().step()).longValue();
    forgetBest();
    try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE));
        Scope scope = Scope.open()) {
      if (state.contains(key("best"))) {
        best = state.tensor(key("best")).copy().retain();
      }
    }
  }

  /** The last checkpoint of a run holds the weights that ship, and nothing to go on with. */
  private void saveShipped(long step) {
    var model = new LinkedHashMap<String, Tensor>();
    saveWeights(model);
    var numbers = new TreeMap<String, Double>();
    seen.saveTo(numbers);
    setting.withdrawals().saveTo(numbers);
    setting
        .around()
        .writer()
        .submit(
            new Checkpoints.Content(
                step,
                DONE,
                model,
                setting.metadata(step, DONE),
                Map.of(),
                numbers,
                Cards.ofCheckpoint(setting, DONE, step).toJson()));
  }

  /** Hidden matrices whose inputs to attention and to SwiGLU lie one below the other. */
  static long[] matrices(ParameterStore.Parameter parameter, String layers, long keys) {
    if (!parameter.name().startsWith(layers) || !parameter.isMatrix()) {
      return new long[0];
    }
    long rows = parameter.shape()[0];
    if (parameter.name().endsWith("attention.in")) {
      return new long[] {rows - 2 * keys, keys, keys};
    }
    return parameter.name().endsWith("hidden.in")
        ? new long[] {rows / 2, rows / 2}
        : new long[] {rows};
  }

  /** Frees the model, and the best weights. */
  @Override
  public void close() {
    forgetBest();
  }
}
