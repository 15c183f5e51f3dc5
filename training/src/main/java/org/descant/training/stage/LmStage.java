package org.descant.training.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.descant.lab.MetricLine;
import org.descant.models.BatchShare;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.lm.SpanLayout;
import org.descant.models.lm.TokenLm;
import org.descant.shards.Draws;
import org.descant.tensor.Autocast;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.loop.Optimisation;
import org.descant.training.recipe.Recipe;

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
public final class LmStage extends LastStage<LmStage.Batch> {
  public static final String NAME = "lm";

  /** Loss of spans in the middle of held-out windows, with both sides to look at. */
  public static final String HELD_OUT_MIDDLE_LOSS = "heldOutMiddleLoss";

  /** The same spans gone on to from what is before them, without what comes after. */
  public static final String HELD_OUT_MIDDLE_LOSS_WITHOUT_AFTER = "heldOutMiddleLossWithoutAfter";

  public static final String UNIGRAM_ENTROPY = "unigramEntropy";
  public static final String UNIGRAM_CROSS_ENTROPY = "unigramCrossEntropy";

  private final Recipe.Lm recipe;
  private final TokenLm model;
  private List<TokenLm.Batch> heldOut;
  private final double[] codebookWeights;

  LmStage(Setting setting, Recipe.Lm recipe, CodecStage codec, Tokens tokens) {
    super(setting, codec, tokens, Tokens.Coded::length);
    this.recipe = recipe;
    this.model =
        TokenLm.create(recipe.model(), Draws.key(setting.recipe().seed(), "lm weights", 0));
    this.heldOut = heldOutBatches();
    this.codebookWeights = new double[recipe.model().codebooks()];
    for (int k = 0; k < codebookWeights.length; k++) {
      codebookWeights[k] = StrictMath.pow(recipe.codebookWeight(), k);
    }
  }

  public TokenLm model() {
    return model;
  }

  @Override
  void chooseHeldOut() {
    heldOut = heldOutBatches();
  }

  @Override
  public ParameterStore parameters() {
    return model.parameters();
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    long headSize = recipe.model().width() / recipe.model().heads();
    return matrices(parameter, "layers.", recipe.model().keyValueHeads() * headSize);
  }

  @Override
  public void start() {
    super.start();
    model.startAt(unigram());
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
    List<Windows.Window> excerpts = Order.excerpts(windows(), order(), step);
    for (int i = 0; i < size; i++) {
      Windows.Window window = excerpts.get(i);
      Tokens.Coded coded = tokens.trained().get(window.source());
      codes[i] = coded.codes().between(window.from(), window.from() + length);
      conditions.add(conditions(coded, window.from(), windows().draws(order().position(step, i))));
      layouts.add(layout(order().position(step, i)));
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
    double tempo = coded.copy().tempo();
    return StyleExcerpt.drawn(
        tokens.styles().get(coded.recording()), from * tempo, (from + length) * tempo, random);
  }

  /** Windows of the held-out recordings one after the other, in batches. */
  private List<TokenLm.Batch> heldOutBatches() {
    var codes = new ArrayList<int[][]>();
    var conditions = new ArrayList<Conditioning>();
    for (Tokens.Coded coded : live(tokens.heldOut())) {
      Latents latents = tokens.styles().get(coded.recording());
      for (int from = 0; from + length <= coded.length(); from += length) {
        codes.add(coded.codes().between(from, from + length));
        conditions.add(
            new Conditioning(
                coded.frames().slice(from, from + length),
                coded.global().withStyle(StyleExcerpt.fixed(latents, from))));
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

  @Override
  String unit() {
    return " nats a token";
  }

  @Override
  Map<String, Double> heldOutLosses() {
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

  // ---------------------------------------------------------------- counts

  /** How often each token occurs in the trained copies: [codebook][token], natural logarithms. */
  private double[][] unigram() {
    return logShares(
        live(tokens.trained()).stream().map(coded -> coded.codes().between(0, coded.length())), 1);
  }

  private double[][] logShares(Stream<int[][]> all, double smoothing) {
    int size = recipe.model().codebookSize();
    double[][] logs = new double[recipe.model().codebooks()][size];
    for (double[] counts : logs) {
      Arrays.fill(counts, smoothing);
    }
    all.forEach(codes -> {
      for (int k = 0; k < logs.length; k++) {
        for (int code : codes[k]) {
          logs[k][code]++;
        }
      }
    });
    for (double[] counts : logs) {
      double sum = Arrays.stream(counts).sum();
      for (int v = 0; v < size; v++) {
        counts[v] = StrictMath.log(counts[v] / sum);
      }
    }
    return logs;
  }

  /** Logs what the held-out tokens need without any context. */
  @Override
  void describe() {
    if (heldOut.isEmpty()) {
      return;
    }
    var measured = new ArrayList<int[][]>();
    heldOut.forEach(batch -> measured.addAll(Arrays.asList(batch.codes())));
    double[][] own = logShares(measured.stream(), 0);
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
                .formatted(windows().slots(), tokens.trained().size(), meanEntropy, meanCross));
  }

  @Override
  public ModelCard save(Path folder, ModelCard draft) {
    return HouseModel.save(folder, codec.codec(), model, draft);
  }

  @Override
  public void close() {
    super.close();
    model.close();
  }
}
