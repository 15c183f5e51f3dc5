package org.descant.training.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.models.BatchShare;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.flow.FlowModel;
import org.descant.shards.Draws;
import org.descant.tensor.Autocast;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.loop.Optimisation;
import org.descant.training.recipe.Recipe;

/**
 * Stage three of a flow model: it learns from windows of the copies' latents, as they are before
 * the codec quantises them, under the same conditions as the language model's.
 *
 * <p>Batches, noise and times are functions of (seed, step). Measured on windows of held-out
 * recordings with the same noise and times each time, so that two measurements differ by the
 * weights alone; a model that predicts nothing reaches 1 plus the latents' mean square.
 *
 * <p>Cost of a step: 6 · parameters · batch · frames multiply-adds, and attention.
 */
public final class FlowStage extends LastStage<FlowStage.Batch> {
  public static final String NAME = "flow";

  private final Recipe.Flow recipe;
  private final FlowModel model;
  private List<FlowModel.Batch> heldOut;

  FlowStage(Setting setting, Recipe.Flow recipe, CodecStage codec, Tokens tokens) {
    super(setting, codec, tokens, FlowStage::frames);
    this.recipe = recipe;
    this.heldOut = heldOutBatches();
    this.model =
        FlowModel.create(recipe.model(), Draws.key(setting.recipe().seed(), "flow weights", 0));
  }

  private static int frames(Tokens.Coded coded) {
    return Math.min(coded.length(), coded.requireLatents().frames());
  }

  public FlowModel model() {
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
    return matrices(parameter, "blocks.", recipe.model().width());
  }

  @Override
  void describe() {
    setting
        .progress()
        .note(
            "flow   %d windows of %d copies, %d held-out ones of %d frames"
                .formatted(
                    windows().slots(),
                    tokens.trained().size(),
                    heldOut.stream().mapToInt(batch -> batch.latents().length).sum(),
                    length));
  }

  // ---------------------------------------------------------------- data

  /**
   * Windows with their noise drawn, and where they come from: the whole batch, whose random draws
   * go through all rows.
   */
  record Batch(FlowModel.Input input, List<Integer> recordings, long order) {}

  @Override
  public Batch batch(long step) {
    float[][] latents = new float[setting.recipe().batch()][];
    var conditions = new ArrayList<Conditioning>();
    var recordings = new ArrayList<Integer>();
    List<Windows.Window> excerpts = Order.excerpts(windows(), order(), step);
    for (int i = 0; i < latents.length; i++) {
      Windows.Window window = excerpts.get(i);
      Tokens.Coded coded = tokens.trained().get(window.source());
      latents[i] = slice(coded.requireLatents(), window.from());
      conditions.add(conditions(coded, window.from(), windows().draws(order().position(step, i))));
      recordings.add(coded.recording());
    }
    var noise = new FlowModel.Noise(recipe.dropConditions(), recipe.inpaint());
    long seed = Draws.key(setting.recipe().seed(), "flow noise", step);
    return new Batch(
        model.input(new FlowModel.Batch(latents, conditions), noise, seed),
        recordings,
        Order.hash(excerpts));
  }

  @Override
  public List<String> recordings(Batch batch) {
    return batch.recordings().stream().map(setting.dataset()::isrc).toList();
  }

  @Override
  public long order(Batch batch) {
    return batch.order();
  }

  private float[] slice(Latents latents, int from) {
    return latents.between(from, from + length).rows();
  }

  private Conditioning conditions(Tokens.Coded coded, int from, SplittableRandom random) {
    GlobalConditions global = coded.global();
    List<String> tags =
        global.tags().stream().filter(tag -> random.nextDouble() < recipe.keepTag()).toList();
    double tempo = coded.copy().tempo();
    float[] style =
        StyleExcerpt.drawn(
            tokens.styles().get(coded.recording()), from * tempo, (from + length) * tempo, random);
    return new Conditioning(
        coded.frames().slice(from, from + length),
        new GlobalConditions(global.tonic(), global.minor(), tags, global.text(), style));
  }

  /** Windows of the held-out recordings one after the other, in batches. */
  private List<FlowModel.Batch> heldOutBatches() {
    var latents = new ArrayList<float[]>();
    var conditions = new ArrayList<Conditioning>();
    for (Tokens.Coded coded : live(tokens.heldOut())) {
      Latents style = tokens.styles().get(coded.recording());
      for (int from = 0; from + length <= frames(coded); from += length) {
        latents.add(slice(coded.requireLatents(), from));
        conditions.add(
            new Conditioning(
                coded.frames().slice(from, from + length),
                coded.global().withStyle(StyleExcerpt.fixed(style, from))));
      }
    }
    int size = setting.recipe().batch();
    var batches = new ArrayList<FlowModel.Batch>();
    for (int from = 0; from < latents.size(); from += size) {
      int to = Math.min(latents.size(), from + size);
      batches.add(
          new FlowModel.Batch(
              latents.subList(from, to).toArray(float[][]::new), conditions.subList(from, to)));
    }
    return batches;
  }

  // ---------------------------------------------------------------- steps

  @Override
  public Map<String, Tensor> learn(Batch batch, long step, int part) {
    int parts = parts();
    BatchShare share = replicas.share(batch.input().rows(), parts);
    int from = part * share.of() + share.from();
    FlowModel.Input input =
        share.rows() == batch.input().rows()
            ? batch.input()
            : batch.input().rows(from, from + share.rows());
    return Map.of(Optimisation.LOSS, model.learn(input, 1.0 / parts, setting.precision()));
  }

  /**
   * Nominal operations: 6 a frame for every number in a matrix that frames go through, and
   * attention (as in Chowdhery et al., "PaLM", 2022, appendix B, where nothing is masked).
   */
  @Override
  public Work work() {
    long frames = (long) setting.recipe().batch() * length;
    long once =
        model.parameters().parameters().stream()
            .filter(ParameterStore.Parameter::isMatrix)
            .filter(p -> p.name().startsWith("time.") || p.name().startsWith("modulation."))
            .mapToLong(p -> p.shape()[0] * p.shape()[1])
            .sum();
    double attention = 12.0 * recipe.model().layers() * recipe.model().width() * length;
    return new Work(
        frames / codec.codec().frameRate(),
        0,
        (6.0 * (model.parameters().matrixCount() - once) + attention) * frames);
  }

  @Override
  String unit() {
    return "";
  }

  @Override
  Map<String, Double> heldOutLosses() {
    double[] parts = new double[heldOut.size()];
    int examples = 0;
    for (int b = 0; b < parts.length; b++) {
      FlowModel.Batch batch = heldOut.get(b);
      examples += batch.latents().length;
      if (b % replicas.count() != replicas.rank()) {
        continue;
      }
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open();
          Autocast autocast = Autocast.open(setting.precision())) {
        long drawn = Draws.key(setting.recipe().seed(), "flow held out", b);
        Tensor loss = model.loss(batch, FlowModel.Noise.NONE, drawn);
        parts[b] = loss.item() * batch.latents().length;
      }
    }
    double mean = Arrays.stream(replicas.sum(parts)).sum() / examples;
    var values = new LinkedHashMap<String, Double>();
    values.put(HELD_OUT_LOSS, mean);
    return values;
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
