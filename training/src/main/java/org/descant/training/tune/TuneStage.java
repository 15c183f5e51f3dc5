package org.descant.training.tune;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.lab.MetricLine;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.text.TextTokens;
import org.descant.shards.Dataset;
import org.descant.shards.Draws;
import org.descant.tensor.Autocast;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Precision;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Fingerprint;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Optimisation;
import org.descant.training.stage.Order;
import org.descant.training.stage.Windows;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * The stage of a tuning run: the decoder is shown excerpts of coded recordings with their texts and
 * says each next code (Copet et al. 2023). Measured on evenly spread excerpts of held-out
 * recordings.
 *
 * <p>A text is encoded once, because its encoder does not change. A recording's text is its
 * description and its tags where the base folder has a tokenizer; else every excerpt learns without
 * one. Belongs to the training thread, but for {@link #batch}.
 */
final class TuneStage implements Learner<TuneStage.Batch>, AutoCloseable {
  static final String NAME = "tune";
  static final String HELD_OUT_LOSS = "heldOutLoss";

  private static final String MEASURED = "tune.measured";

  /** Excerpts of a held-out recording that are measured. */
  static final int HELD_OUT_EXCERPTS = 4;

  private final TuneRecipe recipe;
  private final Dataset dataset;
  private final TunedWeights weights;
  private final Loop.Surroundings around;
  private final Map<String, String> metadata;
  private final List<TuneCodes.Piece> trained;
  private final List<TuneCodes.Piece> heldOut;
  private final Order order;
  private final Windows windows;
  private final Precision precision;
  private final Map<String, Tensor> texts = new HashMap<>();

  /** Last step whose weights were measured. */
  private long measured = -1;

  /**
   * @param base its folder, for the tokenizer
   * @param weights what learns; stays the caller's
   * @param metadata of every weights file: functions of the run alone
   * @param trained what is learned from, each at least as long as an excerpt
   * @param heldOut what is measured on, each at least as long as an excerpt
   */
  TuneStage(
      TuneRecipe recipe,
      Dataset dataset,
      Path base,
      TunedWeights weights,
      Loop.Surroundings around,
      Map<String, String> metadata,
      List<TuneCodes.Piece> trained,
      List<TuneCodes.Piece> heldOut) {
    this.recipe = recipe;
    this.dataset = dataset;
    this.weights = weights;
    this.around = around;
    this.metadata = metadata;
    this.trained = List.copyOf(trained);
    this.heldOut = List.copyOf(heldOut);
    this.order =
        order(
            recipe,
            trained.stream().map(piece -> dataset.isrc(piece.recording())).toList(),
            trained.stream().map(TuneCodes.Piece::length).toList());
    this.windows = order.windows();
    this.precision =
        switch (recipe.precision()) {
          case "bf16" -> Precision.BF16;
          case "fp32" -> Precision.FP32;
          default -> throw new IllegalStateException("unresolved precision " + recipe.precision());
        };
    if (TextTokens.isIn(base)) {
      encode(TextTokens.load(base));
    }
  }

  /** The order of a run's excerpts for recordings of these lengths, in frames. */
  static Order order(TuneRecipe recipe, List<String> isrcs, List<Integer> lengths) {
    return new Order(
        NAME,
        recipe.seed(),
        "tune windows",
        recipe.tune().frames(),
        recipe.batch(),
        0,
        recipe.steps(),
        isrcs,
        lengths);
  }

  private void encode(TextTokens tokens) {
    var pieces = new ArrayList<TuneCodes.Piece>(trained);
    pieces.addAll(heldOut);
    for (TuneCodes.Piece piece : pieces) {
      if (!piece.text().isEmpty() && !texts.containsKey(piece.text())) {
        try (Scope scope = Scope.open()) {
          TextTokens.Batch ids = tokens.batch(List.of(piece.text()));
          Tensor states = weights.model().textEncoder().encode(ids.ids(), null);
          texts.put(piece.text(), states.select(0, 0).contiguous().retain());
        }
      }
    }
  }

  Order order() {
    return order;
  }

  boolean hasTexts() {
    return !texts.isEmpty();
  }

  /**
   * Trains from the beginning or from a checkpoint to the end, and leaves in the model the weights
   * that ship.
   *
   * @param seen goes on with the order of the run's data
   * @return the last step, or {@link Loop#STOPPED}, after a checkpoint
   */
  long train(Checkpoints.@Nullable Saved saved, Fingerprint seen, Path run) {
    order.write(run);
    return new Loop<>(around, this, recipe.rules(), seen).run(saved);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long before() {
    return 0;
  }

  @Override
  public long steps() {
    return recipe.steps();
  }

  @Override
  public int parts() {
    return recipe.accumulate();
  }

  @Override
  public ParameterStore parameters() {
    return weights.store();
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    return weights.matrices(parameter);
  }

  @Override
  public void start() {
    weights.start();
    measured = -1;
  }

  @Override
  public void begun(Meter meter, Optimisation optimisation) {
    measure(0, optimisation, meter);
  }

  @Override
  public void after(long step, Meter meter, Optimisation optimisation) {
    boolean due = step > 0 && (step % recipe.tune().evaluateEvery() == 0 || step == steps());
    if (due && measured < step) {
      measure(step, optimisation, meter);
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
  public void end(long lastStep, Optimisation optimisation) {
    optimisation.keepAveraged();
  }

  // ---------------------------------------------------------------- data

  /**
   * Excerpts of a step; plain numbers.
   *
   * @param codes of each row, codebook after codebook
   * @param pieces that they come from
   * @param told whether a row is told its text
   * @param order hash of which excerpts they are
   */
  record Batch(long[][] codes, List<TuneCodes.Piece> pieces, boolean[] told, long order) {}

  @Override
  public Batch batch(long step) {
    List<Windows.Window> excerpts = Order.excerpts(windows, order, step);
    long[][] codes = new long[excerpts.size()][];
    boolean[] told = new boolean[excerpts.size()];
    var pieces = new ArrayList<TuneCodes.Piece>();
    long hash = 0;
    for (int i = 0; i < codes.length; i++) {
      Windows.Window excerpt = excerpts.get(i);
      TuneCodes.Piece piece = trained.get(excerpt.source());
      pieces.add(piece);
      codes[i] = slice(piece, excerpt.from());
      long position = (step - 1) * recipe.batch() + i;
      told[i] =
          Draws.of(recipe.seed(), "tune text", position).nextDouble() >= recipe.tune().dropText();
      hash = (hash * 31 + excerpt.source()) * 0x100000001b3L + excerpt.from();
    }
    return new Batch(codes, pieces, told, hash);
  }

  private long[] slice(TuneCodes.Piece piece, int from) {
    int[][] codes = piece.codes().between(from, from + recipe.tune().frames());
    return Arrays.stream(codes).flatMapToInt(Arrays::stream).asLongStream().toArray();
  }

  @Override
  public List<String> recordings(Batch batch) {
    return batch.pieces().stream().map(piece -> dataset.isrc(piece.recording())).toList();
  }

  @Override
  public long order(Batch batch) {
    return batch.order();
  }

  /**
   * What the decoder reads.
   *
   * @param states [rows, tokens, width], zero beyond a text's end
   * @param mask [rows, tokens], 0 there; a row without a text has none at all, as guidance has it
   */
  private record Texts(Tensor states, Tensor mask) {}

  private Texts texts(List<String> told) {
    long width = weights.model().config().textWidth();
    long longest = 1;
    for (String text : told) {
      Tensor states = texts.get(text);
      longest = states == null ? longest : Math.max(longest, states.size(0));
    }
    var states = new ArrayList<Tensor>();
    var mask = new ArrayList<Tensor>();
    for (String text : told) {
      Tensor known = texts.get(text);
      long length = known == null ? 0 : known.size(0);
      Tensor rest = Tensor.zeros(longest - length, width);
      states.add(known == null ? rest : Tensor.cat(List.of(known, rest), 0));
      mask.add(Tensor.ones(length).pad(0, longest - length, 0));
    }
    return new Texts(Tensor.stack(states, 0), Tensor.stack(mask, 0));
  }

  private Tensor codes(List<long[]> rows) {
    int books = weights.model().config().codebooks();
    List<Tensor> tensors =
        rows.stream().map(row -> Tensor.of(row, books, row.length / books)).toList();
    return Tensor.stack(tensors, 0);
  }

  // ---------------------------------------------------------------- steps

  @Override
  public Map<String, Tensor> learn(Batch batch, long step, int part) {
    int rows = recipe.batch() / parts();
    var codes = new ArrayList<long[]>();
    var told = new ArrayList<String>();
    for (int row = part * rows; row < (part + 1) * rows; row++) {
      codes.add(batch.codes()[row]);
      told.add(batch.told()[row] ? batch.pieces().get(row).text() : "");
    }
    Texts texts = texts(told);
    MusicGenDecoder.Columns columns = weights.model().decoder().columns(codes(codes));
    Tensor loss =
        weights.learn(
            columns, texts.states, texts.mask, 1.0 / parts(), precision, recipe.tune().recompute());
    return Map.of(Optimisation.LOSS, loss);
  }

  @Override
  public Work work() {
    MusicGen model = weights.model();
    long frames = (long) recipe.batch() * recipe.tune().frames();
    long columns = recipe.tune().frames() + model.config().codebooksPerChannel() - 1L;
    double each = weights.flopsPerColumn() + TunedWeights.attentionFlops(model.config(), columns);
    return new Work(
        frames / model.codec().frameRate(),
        frames * model.config().codebooks(),
        each * recipe.batch() * columns);
  }

  /** Measures the weights that would ship now. */
  private void measure(long step, Optimisation optimisation, Meter meter) {
    measured = step;
    if (heldOut.isEmpty()) {
      return;
    }
    long begin = System.nanoTime();
    optimisation.averaged(() -> {
      double mean = heldOutLoss();
      if (!Double.isFinite(mean)) {
        throw new TrainingException(
            "step %d (tune): the held-out loss is %s; lower tune.learningRate"
                .formatted(step, mean));
      }
      around.log().accept(new MetricLine(NAME, step, Map.of(HELD_OUT_LOSS, mean)));
      around
          .progress()
          .note("tune   step %d: held-out loss %.4f nats a code".formatted(step, mean));
    });
    meter.pause(System.nanoTime() - begin);
  }

  private double heldOutLoss() {
    double sum = 0;
    for (TuneCodes.Piece piece : heldOut) {
      int last = piece.length() - recipe.tune().frames();
      for (int i = 0; i < HELD_OUT_EXCERPTS; i++) {
        try (NoGrad noGrad = NoGrad.open();
            Scope scope = Scope.open();
            Autocast autocast = Autocast.open(precision)) {
          int from = (int) ((long) last * i / (HELD_OUT_EXCERPTS - 1));
          Texts texts = texts(List.of(piece.text()));
          MusicGenDecoder.Columns columns =
              weights.model().decoder().columns(codes(List.of(slice(piece, from))));
          sum += weights.loss(columns, texts.states, texts.mask).item();
        }
      }
    }
    return sum / heldOut.size() / HELD_OUT_EXCERPTS;
  }

  // ---------------------------------------------------------------- checkpoints

  @Override
  public void saveWeights(Map<String, Tensor> model) {
    weights.saveTo(model);
  }

  @Override
  public void saveState(Map<String, Tensor> state, Map<String, Double> numbers) {
    numbers.put(MEASURED, (double) measured);
  }

  @Override
  public void restore(Checkpoints.Saved saved) {
    try (Safetensors file = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      weights.restoreFrom(file);
    }
    measured = saved.facts().numbers().getOrDefault(MEASURED, -1.0).longValue();
  }

  @Override
  public Map<String, String> metadata(long runStep) {
    var facts = new TreeMap<>(metadata);
    facts.put("format", "descant-training/1");
    facts.put("stage", NAME);
    facts.put("step", Long.toString(runStep));
    return facts;
  }

  /** Not the card of a model that could be played: it names parents and says why. */
  @Override
  public String card(long runStep) {
    Map<String, Object> card = new LinkedHashMap<>(metadata(runStep));
    card.put("rights", TunedModel.NO_MANIFEST);
    return new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsString(card) + "\n";
  }

  /** Frees the encoded texts. */
  @Override
  public void close() {
    texts.values().forEach(Tensor::close);
    texts.clear();
  }
}
