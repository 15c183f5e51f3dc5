package org.descant.training.loop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Tensor;

/**
 * A small network that learns a line from points, with a buffer that moves in the forward pass as
 * codebooks do. Some steps' batches can hold numbers that are not finite, or much too large.
 */
final class LineLearner implements Learner<LineLearner.Batch>, AutoCloseable {
  static final int ROWS = 8;
  static final int STEPS = 40;
  private static final int INPUTS = 4;

  /** Points, as numbers. */
  record Batch(float[] x, float[] y, long step) {}

  final ParameterStore store = new ParameterStore(7);
  final List<Long> learned = new ArrayList<>();

  /** Steps that the loop has accepted. */
  final List<Long> accepted = new ArrayList<>();

  /** A second scalar of some steps, where it is not 0. */
  final Map<Long, Double> beside = new HashMap<>();

  private final int parts;
  private final Map<Long, Float> poison;
  private final Set<Long> breaks;

  /**
   * @param poison what stands in the batch of a step instead of one of its numbers
   * @param breaks steps after which a weight is not finite any more, if they were learned from
   */
  LineLearner(int parts, Map<Long, Float> poison, Set<Long> breaks) {
    this.parts = parts;
    this.poison = poison;
    this.breaks = new HashSet<>(breaks);
    store.declare("hidden", Initializer.fanIn(INPUTS), 6, INPUTS);
    store.declare("out", Initializer.fanIn(6), 1, 6);
    store.declareState("mean", Initializer.zeros(), INPUTS);
    store.build();
  }

  @Override
  public String name() {
    return "line";
  }

  @Override
  public long before() {
    return 100;
  }

  @Override
  public long steps() {
    return STEPS;
  }

  @Override
  public int parts() {
    return parts;
  }

  @Override
  public ParameterStore parameters() {
    return store;
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    return parameter.name().equals("hidden") ? new long[] {6} : new long[0];
  }

  @Override
  public Batch batch(long step) {
    var random = new SplittableRandom(step);
    float[] x = new float[ROWS * INPUTS];
    float[] y = new float[ROWS];
    for (int row = 0; row < ROWS; row++) {
      for (int i = 0; i < INPUTS; i++) {
        x[row * INPUTS + i] = (float) (random.nextDouble() - 0.5);
        y[row] += (i + 1) * x[row * INPUTS + i];
      }
    }
    x[5] = poison.getOrDefault(step, x[5]);
    return new Batch(x, y, step);
  }

  @Override
  public List<String> recordings(Batch batch) {
    return List.of("QZTST26%05d".formatted(batch.step() % 7), "QZTST2600009");
  }

  @Override
  public long order(Batch batch) {
    return batch.step();
  }

  @Override
  public Map<String, Tensor> learn(Batch batch, long step, int part) {
    int rows = ROWS / parts;
    Tensor x = Tensor.of(batch.x(), ROWS, INPUTS).narrow(0, (long) part * rows, rows);
    Tensor y = Tensor.of(batch.y(), ROWS, 1).narrow(0, (long) part * rows, rows);
    try (NoGrad noGrad = NoGrad.open()) {
      store.get("mean").lerpInPlace(x.mean(0, false), 0.1);
    }
    Tensor loss =
        x.sub(store.get("mean"))
            .linear(store.get("hidden"))
            .silu()
            .linear(store.get("out"))
            .mseLoss(y);
    (parts == 1 ? loss : loss.mul(1.0 / parts)).backward();
    if (part == 0) {
      learned.add(step);
    }
    var values = new LinkedHashMap<String, Tensor>();
    values.put(Optimisation.LOSS, loss.detach());
    values.put("beside", Tensor.scalar(beside.getOrDefault(step, 0.0)));
    return values;
  }

  @Override
  public void learned(long step) {
    accepted.add(step);
  }

  @Override
  public Work work() {
    return new Work(1, 0, 1000);
  }

  @Override
  public void start() {}

  @Override
  public void begun(Meter meter, Optimisation optimisation) {}

  @Override
  public void restore(Checkpoints.Saved saved) {
    try (Safetensors model = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      store.restoreFrom("", model);
    }
  }

  @Override
  public void after(long step, Meter meter, Optimisation optimisation) {
    if (breaks.contains(step) && learned.contains(step)) {
      learned.removeIf(done -> done == step);
      try (NoGrad noGrad = NoGrad.open();
          var scope = org.descant.tensor.Scope.open()) {
        store.get("out").fill(Double.NaN);
      }
    }
  }

  @Override
  public boolean isDone() {
    return false;
  }

  @Override
  public boolean savesLast() {
    return true;
  }

  @Override
  public void end(long lastStep, Optimisation optimisation) {}

  @Override
  public void saveWeights(Map<String, Tensor> model) {
    store.saveTo("", model);
  }

  @Override
  public void saveState(Map<String, Tensor> state, Map<String, Double> numbers) {}

  @Override
  public Map<String, String> metadata(long runStep) {
    return Map.of("step", Long.toString(runStep));
  }

  @Override
  public String card(long runStep) {
    return "{}";
  }

  @Override
  public void close() {
    store.close();
  }
}
