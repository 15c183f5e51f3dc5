package org.descant.training.stage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Function;
import org.descant.lab.MetricLine;
import org.descant.models.BatchShare;
import org.descant.models.codec.CodecLatents;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.lm.SpanLayout;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.Autocast;
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
 * Stage three: the language model learns from windows of coded copies under their conditions.
 *
 * <p>A window's style comes from another excerpt of the same recording, so that it cannot name the
 * place that is to be predicted. With {@code lm.spans} a part of the windows is met as a span to
 * fill (see {@link SpanLayout}). Measured on windows of held-out recordings, beside the entropy of
 * how often their tokens occur: what a model without any context would need.
 *
 * <p>Cost of a step: 6 · parameters · batch · frames multiply-adds, and attention.
 */
public final class LmStage implements Learner<LmStage.Batch>, AutoCloseable {
  public static final String NAME = "lm";
  public static final String DONE = "done";
  public static final String HELD_OUT_LOSS = "heldOutLoss";

  /** Loss of spans in the middle of held-out windows, with both sides to look at. */
  public static final String HELD_OUT_MIDDLE_LOSS = "heldOutMiddleLoss";

  /** The same spans gone on to from what is before them, without what comes after. */
  public static final String HELD_OUT_MIDDLE_LOSS_WITHOUT_AFTER = "heldOutMiddleLossWithoutAfter";

  public static final String UNIGRAM_ENTROPY = "unigramEntropy";
  public static final String UNIGRAM_CROSS_ENTROPY = "unigramCrossEntropy";

  private static final String WEIGHTS = "lm.";
  private static final String EMA = Optimisation.averageName(WEIGHTS);
  private static final String BEST = "lm.best";
  private static final String BEST_LOSS = "lm.bestLoss";
  private static final String BEST_STEP = "lm.bestStep";
  private static final String MISSES = "lm.misses";
  private static final String MEASURED = "lm.measured";

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
  private Order order;
  private Windows windows;
  private List<TokenLm.Batch> heldOut;
  private final double[] codebookWeights;
  private final Replicas replicas;

  /** Whether a run is going on; a plan writes nothing. */
  private boolean training;

  private double bestLoss = Double.POSITIVE_INFINITY;
  private long bestStep;
  private int misses;

  /** Last step whose weights were measured, over the whole run. */
  private long measured;

  private @Nullable Tensor best;
  private Fingerprint seen = new Fingerprint();

  public LmStage(Setting setting, CodecStage codec, Tokens tokens) {
    this.setting = setting;
    this.recipe = setting.recipe().lm();
    this.replicas = setting.replicas();
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
    this.order =
        order(
            setting,
            length,
            tokens.trained().stream().map(c -> setting.dataset().isrc(c.recording())).toList(),
            tokens.trained().stream().map(Tokens.Coded::length).toList());
    this.windows = order.windows();
    this.heldOut = heldOutBatches();
    this.codebookWeights = new double[recipe.model().codebooks()];
    for (int k = 0; k < codebookWeights.length; k++) {
      codebookWeights[k] = StrictMath.pow(recipe.codebookWeight(), k);
    }
  }

  /** The order of this stage's windows for sources of these lengths, in frames. */
  public static Order order(
      Setting setting, int length, List<String> isrcs, List<Integer> lengths) {
    return new Order(
        NAME,
        setting.recipe().seed(),
        "lm windows",
        length,
        setting.recipe().batch(),
        setting.recipe().codecSteps(),
        setting.recipe().lmSteps(),
        isrcs,
        lengths);
  }

  public TokenLm model() {
    return model;
  }

  public Order order() {
    return order;
  }

  /** Puts the weights that ship, or would ship now, into the model, from any checkpoint. */
  public void restoreShipped(Checkpoints.Saved saved) {
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
   * @param seen goes on with the order of the run's data
   * @return the last step, over the whole run, or {@link Loop#STOPPED}, after a checkpoint
   */
  public long train(Checkpoints.@Nullable Saved saved, Fingerprint seen) {
    training = true;
    this.seen = seen;
    long last = new Loop<>(setting.around(), this, setting.lmRules(), seen).run(saved);
    return last == Loop.STOPPED ? last : before() + last;
  }

  @Override
  public Withdrawals withdrawals() {
    return setting.withdrawals();
  }

  @Override
  public void withdraw(List<String> fresh) {
    order = order.without(setting.withdrawals().steps());
    windows = order.windows();
    if (training && replicas.leads()) {
      order.write(setting.path());
    }
    if (setting.heldOut().stream().map(setting.dataset()::isrc).anyMatch(fresh::contains)) {
      // A loss over other recordings is another figure: the best so far cannot be compared with it.
      heldOut = heldOutBatches();
      bestLoss = Double.POSITIVE_INFINITY;
      misses = 0;
      forgetBest();
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long before() {
    return setting.recipe().codecSteps();
  }

  @Override
  public long steps() {
    return setting.recipe().lmSteps();
  }

  @Override
  public int parts() {
    return setting.recipe().accumulate();
  }

  @Override
  public ParameterStore parameters() {
    return model.parameters();
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    if (!parameter.name().startsWith("layers.") || !parameter.isMatrix()) {
      return new long[0];
    }
    long rows = parameter.shape()[0];
    if (parameter.name().endsWith("attention.in")) {
      long headSize = recipe.model().width() / recipe.model().heads();
      long keys = recipe.model().keyValueHeads() * headSize;
      return new long[] {rows - 2 * keys, keys, keys};
    }
    return parameter.name().endsWith("hidden.in")
        ? new long[] {rows / 2, rows / 2}
        : new long[] {rows};
  }

  @Override
  public void start() {
    model.startAt(unigram());
    bestLoss = Double.POSITIVE_INFINITY;
    bestStep = 0;
    misses = 0;
    measured = -1;
    forgetBest();
  }

  @Override
  public void begun(Meter meter, Optimisation optimisation) {
    describe();
    measure(before(), optimisation, meter);
  }

  @Override
  public void after(long step, Meter meter, Optimisation optimisation) {
    boolean due = step > 0 && (step % recipe.evaluateEvery() == 0 || step == steps());
    if (due && measured < before() + step) {
      measure(before() + step, optimisation, meter);
    }
  }

  @Override
  public boolean isDone() {
    return recipe.stopAfter() > 0 && misses >= recipe.stopAfter();
  }

  /** The last checkpoint is that of the weights that ship. */
  @Override
  public boolean savesLast() {
    return false;
  }

  @Override
  public void end(long lastStep, Optimisation optimisation) {
    ship(optimisation);
    if (replicas.leads()) {
      saveShipped(before() + lastStep);
    }
  }

  // ---------------------------------------------------------------- data

  /**
   * Windows with their noise drawn, and where they come from: the whole batch, whose random draws
   * go through all rows.
   */
  record Batch(TokenLm.Input input, List<Integer> recordings, long order) {}

  @Override
  public Batch batch(long step) {
    int size = setting.recipe().batch();
    int[][][] codes = new int[size][][];
    var conditions = new ArrayList<Conditioning>();
    var layouts = new ArrayList<SpanLayout>();
    var recordings = new ArrayList<Integer>();
    List<Windows.Window> excerpts = Order.excerpts(windows, order, step);
    for (int i = 0; i < size; i++) {
      Windows.Window window = excerpts.get(i);
      Tokens.Coded coded = tokens.trained().get(window.source());
      codes[i] = slice(coded.codes(), window.from());
      conditions.add(conditions(coded, window.from(), windows.draws(order.position(step, i))));
      layouts.add(layout(order.position(step, i)));
      recordings.add(coded.recording());
    }
    var noise = new TokenLm.Noise(recipe.dropConditions(), recipe.tokenNoise());
    long seed = Draws.key(setting.recipe().seed(), "lm noise", step);
    return new Batch(
        model.input(new TokenLm.Batch(codes, conditions, layouts), noise, seed),
        recordings,
        Order.hash(excerpts));
  }

  /** Draws of its own, so that whatever else is drawn does not depend on spans. */
  private SpanLayout layout(long position) {
    if (recipe.spans() > 0) {
      SplittableRandom random = Draws.of(setting.recipe().seed(), "lm spans", position);
      if (random.nextDouble() < recipe.spans()) {
        return SpanLayout.draw(length, random);
      }
    }
    return SpanLayout.plain(length);
  }

  @Override
  public List<String> recordings(Batch batch) {
    return batch.recordings().stream().map(setting.dataset()::isrc).toList();
  }

  @Override
  public long order(Batch batch) {
    return batch.order();
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
    FrameConditions frames = coded.frames().slice(from, from + length);
    if (recipe.model().melody() && random.nextDouble() >= recipe.keepMelody()) {
      frames = frames.withoutMelody();
    }
    return new Conditioning(
        frames, new GlobalConditions(global.tonic(), global.minor(), tags, global.text(), style));
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
    for (Tokens.Coded coded : live(tokens.heldOut())) {
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

  private List<Tokens.Coded> live(List<Tokens.Coded> coded) {
    return coded.stream().filter(c -> !setting.withdrawals().withdrawn(c.recording())).toList();
  }

  // ---------------------------------------------------------------- steps

  @Override
  public Map<String, Tensor> learn(Batch batch, long step, int part) {
    int parts = parts();
    BatchShare share = replicas.share(batch.input().rows(), parts);
    int from = part * share.of() + share.from();
    TokenLm.Input input =
        share.rows() == batch.input().rows()
            ? batch.input()
            : batch.input().rows(from, from + share.rows());
    TokenLm.Loss loss =
        model.learn(input, codebookWeights, 1.0 / parts, setting.precision(), recipe.recompute());
    var values = new LinkedHashMap<String, Tensor>();
    values.put(Optimisation.LOSS, loss.total());
    for (int k = 0; k < loss.perCodebook().size(); k++) {
      values.put(Optimisation.LOSS + k, loss.perCodebook().get(k));
    }
    return values;
  }

  /**
   * Nominal operations: 6 a row for every number in a matrix, and attention as if nothing were
   * masked (Chowdhery et al., "PaLM", 2022, appendix B).
   */
  @Override
  public Work work() {
    long frames = (long) setting.recipe().batch() * length;
    double steps = length + recipe.model().codebooks() - 1.0;
    double rows = setting.recipe().batch() * steps;
    double attention = 12.0 * recipe.model().layers() * recipe.model().width() * steps;
    return new Work(
        frames / codec.codec().frameRate(),
        frames * recipe.model().codebooks(),
        (6 * model.parameters().matrixCount() + attention) * rows);
  }

  /** Measures the weights that would ship now on the held-out windows. */
  private void measure(long step, Optimisation optimisation, Meter meter) {
    if (heldOut.isEmpty()) {
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
    setting.log().accept(new MetricLine(NAME, step, values));
    setting
        .progress()
        .note(
            "lm     step %d: held-out loss %.4f nats a token (best %.4f at step %d)"
                .formatted(step, mean, bestLoss, bestStep));
    meter.pause(System.nanoTime() - begin);
  }

  private Map<String, Double> heldOutLosses() {
    double[] whole = heldOutLosses(heldOut, batch -> model.loss(batch, TokenLm.Noise.NONE, 0));
    var values = new LinkedHashMap<String, Double>();
    values.put(HELD_OUT_LOSS, mean(whole));
    for (int k = 0; k < whole.length; k++) {
      values.put(HELD_OUT_LOSS + k, whole[k]);
    }
    if (recipe.spans() > 0) {
      values.put(HELD_OUT_MIDDLE_LOSS, mean(heldOutLosses(middles(length), model::middleLoss)));
      values.put(
          HELD_OUT_MIDDLE_LOSS_WITHOUT_AFTER,
          mean(heldOutLosses(middles(length - length / 4), model::middleLoss)));
    }
    return values;
  }

  /** The held-out windows up to a frame, with their third quarter as the span. */
  private List<TokenLm.Batch> middles(int end) {
    int before = length / 2;
    int middle = length - length / 4 - before;
    var layout = new SpanLayout(before, middle, end - before - middle);
    return heldOut.stream()
        .map(batch ->
            new TokenLm.Batch(
                Arrays.stream(batch.codes())
                    .map(codes ->
                        Arrays.stream(codes)
                            .map(book -> Arrays.copyOf(book, end))
                            .toArray(int[][]::new))
                    .toArray(int[][][]::new),
                batch.conditions().stream()
                    .map(of -> new Conditioning(of.frames().slice(0, end), of.global()))
                    .toList(),
                Collections.nCopies(batch.codes().length, layout)))
        .toList();
  }

  private static double mean(double[] perCodebook) {
    double mean = 0;
    for (double loss : perCodebook) {
      mean += loss / perCodebook.length;
    }
    return mean;
  }

  /** Mean loss of each codebook over batches that the workers share. */
  private double[] heldOutLosses(
      List<TokenLm.Batch> batches, Function<TokenLm.Batch, TokenLm.Loss> measure) {
    int books = recipe.model().codebooks();
    double[] parts = new double[batches.size() * books];
    for (int b = replicas.rank(); b < batches.size(); b += replicas.count()) {
      TokenLm.Batch batch = batches.get(b);
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        TokenLm.Loss loss;
        try (Autocast autocast = Autocast.open(setting.precision())) {
          loss = measure.apply(batch);
        }
        for (int k = 0; k < books; k++) {
          parts[b * books + k] = loss.perCodebook().get(k).item() * batch.codes().length;
        }
      }
    }
    parts = replicas.sum(parts);
    double[] sums = new double[books];
    int examples = 0;
    for (int b = 0; b < batches.size(); b++) {
      for (int k = 0; k < books; k++) {
        sums[k] += parts[b * books + k];
      }
      examples += batches.get(b).codes().length;
    }
    for (int k = 0; k < books; k++) {
      sums[k] /= examples;
    }
    return sums;
  }

  private void keepIfBest(long step, double mean) {
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
  private void ship(Optimisation optimisation) {
    if (best != null) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        model.parameters().values().copyFrom(best);
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

  // ---------------------------------------------------------------- counts

  /** How often each token occurs in the trained copies: [codebook][token], natural logarithms. */
  private double[][] unigram() {
    return logShares(live(tokens.trained()).stream().map(Tokens.Coded::codes).toList(), 1);
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
    if (heldOut.isEmpty()) {
      return;
    }
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

  // ---------------------------------------------------------------- checkpoints

  @Override
  public void saveWeights(Map<String, Tensor> model) {
    codec.saveWeights(model);
    this.model.parameters().saveTo(WEIGHTS, model);
  }

  @Override
  public void saveState(Map<String, Tensor> state, Map<String, Double> numbers) {
    if (best != null) {
      state.put(BEST, best);
    }
    numbers.put(BEST_LOSS, bestLoss);
    numbers.put(BEST_STEP, (double) bestStep);
    numbers.put(MISSES, (double) misses);
    numbers.put(MEASURED, (double) measured);
  }

  @Override
  public Map<String, String> metadata(long runStep) {
    return setting.metadata(runStep, NAME);
  }

  @Override
  public String card(long runStep) {
    return Cards.ofCheckpoint(setting, NAME, runStep).toJson();
  }

  @Override
  public void restore(Checkpoints.Saved saved) {
    restoreWeights(saved);
    Map<String, Double> numbers = saved.facts().numbers();
    bestLoss = numbers.getOrDefault(BEST_LOSS, Double.POSITIVE_INFINITY);
    bestStep = numbers.getOrDefault(BEST_STEP, 0.0).longValue();
    misses = numbers.getOrDefault(MISSES, 0.0).intValue();
    measured = numbers.getOrDefault(MEASURED, (double) saved.facts().step()).longValue();
    forgetBest();
    try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE));
        Scope scope = Scope.open()) {
      if (state.contains(BEST)) {
        best = state.tensor(BEST).copy().retain();
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

  @Override
  public void close() {
    model.close();
    forgetBest();
  }
}
