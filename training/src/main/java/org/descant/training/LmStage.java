package org.descant.training;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.lab.MetricLine;
import org.descant.models.CodecLatents;
import org.descant.models.Conditioning;
import org.descant.models.GlobalConditions;
import org.descant.models.TokenLm;
import org.descant.tensor.AdamW;
import org.descant.tensor.Autocast;
import org.descant.tensor.Ema;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Stage three: the language model learns from windows of coded copies under their conditions.
 *
 * <p>A window's style comes from another excerpt of the same recording, so that it cannot name the
 * place that is to be predicted. Measured on windows of held-out recordings, beside the entropy of
 * how often their tokens occur: what a model without any context would need.
 *
 * <p>Cost of a step: 6 · parameters · batch · frames multiply-adds, and attention.
 */
final class LmStage implements AutoCloseable {
  static final String NAME = "lm";
  static final String DONE = "done";
  static final String HELD_OUT_LOSS = "heldOutLoss";
  static final String UNIGRAM_ENTROPY = "unigramEntropy";
  static final String UNIGRAM_CROSS_ENTROPY = "unigramCrossEntropy";

  private static final String WEIGHTS = "lm.";
  private static final String OPTIMIZER = "lm.adamw.";
  private static final String EMA = "lm.ema";
  private static final String BEST = "lm.best";
  private static final String BEST_LOSS = "lm.bestLoss";
  private static final String BEST_STEP = "lm.bestStep";
  private static final String MISSES = "lm.misses";
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.95;

  /** A style excerpt lasts 4 to 10 s. */
  private static final int STYLE_FRAMES_MIN = 172;

  private static final int STYLE_FRAMES_MAX = 430;

  /** Draws of a style excerpt until one lies apart from the window; the last is taken anyway. */
  private static final int STYLE_DRAWS_MAX = 8;

  private final Setting setting;
  private final Recipe.Lm recipe;
  private final CodecStage codec;
  private final Tokens tokens;
  private final TokenLm model;
  private final int length;
  private final Windows windows;
  private final List<TokenLm.Batch> heldOut;
  private final double[] codebookWeights;

  private double bestLoss = Double.POSITIVE_INFINITY;
  private long bestStep;
  private int misses;
  private @Nullable Tensor best;

  LmStage(Setting setting, CodecStage codec, Tokens tokens) {
    this.setting = setting;
    this.recipe = setting.recipe().lm();
    this.codec = codec;
    this.tokens = tokens;
    this.model =
        TokenLm.create(recipe.model(), Draws.key(setting.recipe().seed(), "lm weights", 0));
    int[] lengths = tokens.trained().stream().mapToInt(Tokens.Coded::length).toArray();
    int shortest =
        Math.min(
            Arrays.stream(lengths).min().orElseThrow(),
            tokens.heldOut().stream().mapToInt(Tokens.Coded::length).min().orElseThrow());
    this.length = Math.min(recipe.frames(), shortest);
    this.windows = new Windows(setting.recipe().seed(), "lm windows", lengths, length);
    this.heldOut = heldOutBatches();
    this.codebookWeights = new double[recipe.model().codebooks()];
    for (int k = 0; k < codebookWeights.length; k++) {
      codebookWeights[k] = StrictMath.pow(recipe.codebookWeight(), k);
    }
  }

  TokenLm model() {
    return model;
  }

  /** Puts the weights that ship, or would ship now, into the model, from any checkpoint. */
  void restoreShipped(Checkpoints.Saved saved) {
    restoreWeights(saved);
    try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE))) {
      if (state.contains(BEST)) {
        state.copyInto(BEST, model.parameters().values());
      } else if (state.contains(EMA) && recipe.emaDecay() > 0) {
        state.copyInto(EMA, model.parameters().values());
      }
    }
  }

  private void restoreWeights(Checkpoints.Saved saved) {
    try (Safetensors file = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      model.parameters().restoreFrom(WEIGHTS, file);
    }
  }

  /**
   * Trains from the beginning or from a checkpoint of this stage to the stage's end, and leaves in
   * the model the weights that ship.
   *
   * @return the last step, or -1 when a stop was asked for, after a checkpoint
   */
  long train(Checkpoints.@Nullable Saved saved) {
    long before = setting.recipe().codecSteps();
    long steps = setting.recipe().lmSteps();
    var meter =
        new Meter(
            NAME,
            before + 1,
            steps,
            setting.recipe().logEvery(),
            setting.log(),
            setting.progress());
    var schedule = new Schedule(recipe.learningRate(), recipe.warmup(), steps);
    var options = new AdamW.Options(BETA1, BETA2, 1e-8, recipe.weightDecay());
    if (saved == null) {
      model.startAt(unigram());
    } else {
      restoreWeights(saved);
    }
    try (var optimizer = new AdamW(model.parameters(), options);
        var ema = new Ema(model.parameters(), recipe.emaDecay())) {
      long done = 0;
      if (saved == null) {
        describe();
        measure(before, ema, meter);
      } else {
        done = saved.facts().step() - before;
        restore(saved, optimizer, ema, meter);
      }
      long last = done;
      try (var data = new Prefetch<>(NAME, this::batch, done + 1, steps)) {
        for (long step = done + 1; step <= steps && !exhausted(); step++) {
          step(before, step, data, optimizer, ema, schedule.at(step), meter);
          if (step % recipe.evaluateEvery() == 0 || step == steps) {
            measure(before + step, ema, meter);
          }
          boolean stop = setting.stop().getAsBoolean() && step < steps;
          if ((before + step) % setting.recipe().checkpoint().every() == 0 || stop) {
            save(before + step, optimizer, ema, meter);
          }
          if (stop) {
            return -1;
          }
          last = step;
        }
      }
      ship(ema);
      saveShipped(before + last);
      return before + last;
    }
  }

  private boolean exhausted() {
    return recipe.stopAfter() > 0 && misses >= recipe.stopAfter();
  }

  // ---------------------------------------------------------------- data

  private record Batch(TokenLm.Batch examples, List<Integer> recordings) {}

  private Batch batch(long step) {
    int size = setting.recipe().batch();
    int[][][] codes = new int[size][][];
    var conditions = new ArrayList<Conditioning>();
    var recordings = new ArrayList<Integer>();
    for (int i = 0; i < size; i++) {
      long position = (step - 1) * size + i;
      Windows.Window window = windows.at(position);
      Tokens.Coded coded = tokens.trained().get(window.source());
      codes[i] = slice(coded.codes(), window.from());
      conditions.add(conditions(coded, window.from(), windows.draws(position)));
      recordings.add(coded.recording());
    }
    return new Batch(new TokenLm.Batch(codes, conditions), recordings);
  }

  private int[][] slice(int[][] codes, int from) {
    int[][] part = new int[codes.length][];
    for (int k = 0; k < codes.length; k++) {
      part[k] = Arrays.copyOfRange(codes[k], from, from + length);
    }
    return part;
  }

  private Conditioning conditions(Tokens.Coded coded, int from, SplittableRandom random) {
    GlobalConditions global = coded.global();
    var tags = new ArrayList<String>();
    for (String tag : global.tags()) {
      if (random.nextDouble() < recipe.keepTag()) {
        tags.add(tag);
      }
    }
    float[] style = style(coded, from, random);
    return new Conditioning(
        coded.frames().slice(from, from + length),
        new GlobalConditions(global.tonic(), global.minor(), tags, global.text(), style));
  }

  private float[] style(Tokens.Coded coded, int from, SplittableRandom random) {
    CodecLatents latents = tokens.styles().get(coded.recording());
    int frames = latents.frames();
    double windowStart = from * coded.copy().tempo();
    double windowEnd = (from + length) * coded.copy().tempo();
    int start = 0;
    int size = frames;
    for (int draw = 0; draw < STYLE_DRAWS_MAX; draw++) {
      size = Math.min(frames, random.nextInt(STYLE_FRAMES_MIN, STYLE_FRAMES_MAX + 1));
      start = random.nextInt(frames - size + 1);
      if (start >= windowEnd || start + size <= windowStart) {
        break;
      }
    }
    return latents.statistics(start, start + size);
  }

  /** Windows of the held-out recordings one after the other, in batches. */
  private List<TokenLm.Batch> heldOutBatches() {
    var codes = new ArrayList<int[][]>();
    var conditions = new ArrayList<Conditioning>();
    for (Tokens.Coded coded : tokens.heldOut()) {
      CodecLatents latents = tokens.styles().get(coded.recording());
      for (int from = 0; from + length <= coded.length(); from += length) {
        int size = Math.min(latents.frames(), STYLE_FRAMES_MAX);
        boolean early = from < coded.length() / 2;
        int start = early ? latents.frames() - size : 0;
        codes.add(slice(coded.codes(), from));
        conditions.add(
            new Conditioning(
                coded.frames().slice(from, from + length),
                coded.global().withStyle(latents.statistics(start, start + size))));
      }
    }
    int size = setting.recipe().batch();
    var batches = new ArrayList<TokenLm.Batch>();
    for (int from = 0; from < codes.size(); from += size) {
      int to = Math.min(codes.size(), from + size);
      batches.add(
          new TokenLm.Batch(
              codes.subList(from, to).toArray(int[][][]::new), conditions.subList(from, to)));
    }
    return batches;
  }

  // ---------------------------------------------------------------- steps

  private void step(
      long before,
      long step,
      Prefetch<Batch> data,
      AdamW optimizer,
      Ema ema,
      double learningRate,
      Meter meter) {
    Batch batch = data.take(step);
    try (Scope scope = Scope.open()) {
      model.parameters().zeroGradients();
      var noise = new TokenLm.Noise(recipe.dropConditions(), recipe.tokenNoise());
      long seed = Draws.key(setting.recipe().seed(), "lm noise", step);
      TokenLm.Loss loss;
      try (Autocast autocast = Autocast.open(setting.precision())) {
        loss = model.loss(batch.examples(), noise, seed, codebookWeights);
      }
      loss.total().backward();
      double total = loss.total().item();
      double norm = model.parameters().clipGradNorm(recipe.clip());
      setting.guard(NAME, before + step, total, norm, batch.recordings());
      optimizer.step(learningRate);
      if (recipe.emaDecay() > 0) {
        ema.update();
      }
      var values = new LinkedHashMap<String, Double>();
      values.put("loss", total);
      for (int k = 0; k < loss.perCodebook().size(); k++) {
        values.put("loss" + k, loss.perCodebook().get(k).item());
      }
      long frames = (long) batch.recordings().size() * length;
      meter.step(
          before + step,
          values,
          learningRate,
          norm,
          frames / codec.codec().frameRate(),
          frames * recipe.model().codebooks(),
          data);
    }
  }

  /** Measures the weights that would ship now on the held-out windows. */
  private void measure(long step, Ema ema, Meter meter) {
    long begin = System.nanoTime();
    boolean averaged = recipe.emaDecay() > 0;
    if (averaged) {
      ema.swap();
    }
    double[] sums = new double[recipe.model().codebooks()];
    int examples = 0;
    for (TokenLm.Batch batch : heldOut) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        TokenLm.Loss loss;
        try (Autocast autocast = Autocast.open(setting.precision())) {
          loss = model.loss(batch, TokenLm.Noise.NONE, 0);
        }
        int count = batch.codes().length;
        for (int k = 0; k < sums.length; k++) {
          sums[k] += loss.perCodebook().get(k).item() * count;
        }
        examples += count;
      }
    }
    var values = new LinkedHashMap<String, Double>();
    double mean = 0;
    for (int k = 0; k < sums.length; k++) {
      mean += sums[k] / examples / sums.length;
    }
    values.put(HELD_OUT_LOSS, mean);
    for (int k = 0; k < sums.length; k++) {
      values.put(HELD_OUT_LOSS + k, sums[k] / examples);
    }
    if (!Double.isFinite(mean)) {
      throw new TrainingException(
          "step %d (lm): the held-out loss is %s; lower lm.learningRate".formatted(step, mean));
    }
    if (mean < bestLoss) {
      bestLoss = mean;
      bestStep = step;
      misses = 0;
      keepBest();
    } else {
      misses++;
    }
    if (averaged) {
      ema.swap();
    }
    setting.log().accept(new MetricLine(NAME, step, values));
    setting
        .progress()
        .note(
            "lm     step %d: held-out loss %.4f nats a token (best %.4f at step %d)"
                .formatted(step, mean, bestLoss, bestStep));
    meter.pause(System.nanoTime() - begin);
  }

  private void keepBest() {
    if (recipe.stopAfter() == 0) {
      return;
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (best == null) {
        best = model.parameters().values().copy().retain();
      } else {
        best.copyFrom(model.parameters().values());
      }
    }
  }

  /** Puts the weights that ship into the model: the best, else the averaged, else the last. */
  private void ship(Ema ema) {
    if (best != null) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        model.parameters().values().copyFrom(best);
      }
    } else if (recipe.emaDecay() > 0) {
      ema.swap();
    }
  }

  // ---------------------------------------------------------------- counts

  /** How often each token occurs in the trained copies: [codebook][token], natural logarithms. */
  private double[][] unigram() {
    return logShares(tokens.trained().stream().map(Tokens.Coded::codes).toList(), 1);
  }

  private double[][] logShares(List<int[][]> all, double smoothing) {
    int size = recipe.model().codebookSize();
    double[][] logs = new double[recipe.model().codebooks()][size];
    for (int k = 0; k < logs.length; k++) {
      double[] counts = new double[size];
      Arrays.fill(counts, smoothing);
      double sum = smoothing * size;
      for (int[][] codes : all) {
        for (int code : codes[k]) {
          counts[code]++;
        }
        sum += codes[k].length;
      }
      for (int v = 0; v < size; v++) {
        logs[k][v] = StrictMath.log(counts[v] / sum);
      }
    }
    return logs;
  }

  /** Logs what the held-out tokens need without any context. */
  private void describe() {
    var measured = new ArrayList<int[][]>();
    heldOut.forEach(batch -> measured.addAll(Arrays.asList(batch.codes())));
    double[][] own = logShares(measured, 0);
    double[][] trained = unigram();
    int books = recipe.model().codebooks();
    var values = new LinkedHashMap<String, Double>();
    double meanEntropy = 0;
    double meanCross = 0;
    var perCodebook = new LinkedHashMap<String, Double>();
    for (int k = 0; k < books; k++) {
      double entropy = 0;
      double cross = 0;
      long count = 0;
      for (int[][] codes : measured) {
        for (int code : codes[k]) {
          entropy -= own[k][code];
          cross -= trained[k][code];
          count++;
        }
      }
      perCodebook.put(UNIGRAM_ENTROPY + k, entropy / count);
      meanEntropy += entropy / count / books;
      meanCross += cross / count / books;
    }
    values.put(UNIGRAM_ENTROPY, meanEntropy);
    values.put(UNIGRAM_CROSS_ENTROPY, meanCross);
    values.putAll(perCodebook);
    long step = setting.recipe().codecSteps();
    setting.log().accept(new MetricLine(NAME, step, values));
    setting
        .progress()
        .note(
            ("lm     %d windows of %d copies; held-out tokens have a unigram entropy of %.4f nats"
                    + " (%.4f under the training tokens' frequencies)")
                .formatted(windows.slots(), tokens.trained().size(), meanEntropy, meanCross));
  }

  /** How many sequences of each trained recording the steps up to the last one held. */
  Map<String, Long> sequencesSeen(long lastStep) {
    long positions = (lastStep - setting.recipe().codecSteps()) * setting.recipe().batch();
    var seen = new TreeMap<String, Long>();
    for (long position = 0; position < positions; position++) {
      int recording = tokens.trained().get(windows.at(position).source()).recording();
      seen.merge(setting.dataset().isrc(recording), 1L, Long::sum);
    }
    return seen;
  }

  // ---------------------------------------------------------------- checkpoints

  private void save(long step, AdamW optimizer, Ema ema, Meter meter) {
    var model = new LinkedHashMap<String, Tensor>();
    codec.saveWeights(model);
    this.model.parameters().saveTo(WEIGHTS, model);
    var state = new LinkedHashMap<String, Tensor>();
    optimizer.saveTo(OPTIMIZER, state);
    ema.saveTo(EMA, state);
    if (best != null) {
      state.put(BEST, best);
    }
    var numbers = new TreeMap<>(meter.state());
    numbers.put(BEST_LOSS, bestLoss);
    numbers.put(BEST_STEP, (double) bestStep);
    numbers.put(MISSES, (double) misses);
    setting
        .checkpoints()
        .write(
            step,
            NAME,
            model,
            setting.metadata(step, NAME),
            state,
            numbers,
            Cards.ofCheckpoint(setting, NAME, step).toJson());
  }

  private void restore(Checkpoints.Saved saved, AdamW optimizer, Ema ema, Meter meter) {
    Map<String, Double> numbers = saved.facts().numbers();
    meter.restore(numbers);
    bestLoss = numbers.getOrDefault(BEST_LOSS, Double.POSITIVE_INFINITY);
    bestStep = numbers.getOrDefault(BEST_STEP, 0.0).longValue();
    misses = numbers.getOrDefault(MISSES, 0.0).intValue();
    try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE));
        Scope scope = Scope.open()) {
      optimizer.restoreFrom(OPTIMIZER, state);
      ema.restoreFrom(EMA, state);
      if (state.contains(BEST)) {
        best = state.tensor(BEST).copy().retain();
      }
    }
  }

  /** The last checkpoint of a run holds the weights that ship, and nothing to go on with. */
  private void saveShipped(long step) {
    var model = new LinkedHashMap<String, Tensor>();
    codec.saveWeights(model);
    this.model.parameters().saveTo(WEIGHTS, model);
    setting
        .checkpoints()
        .write(
            step,
            DONE,
            model,
            setting.metadata(step, DONE),
            Map.of(),
            Map.of(),
            Cards.ofCheckpoint(setting, DONE, step).toJson());
  }

  @Override
  public void close() {
    model.close();
    if (best != null) {
      best.close();
    }
  }
}
