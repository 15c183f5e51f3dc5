package org.descant.models.lm;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.descant.models.ModelException;
import org.descant.models.condition.ConditionEncoder;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.Guidance;
import org.descant.tensor.Autocast;
import org.descant.tensor.GatedLinearUnit;
import org.descant.tensor.HeadLoss;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Precision;
import org.descant.tensor.QuantizedLinear;
import org.descant.tensor.Recomputation;
import org.descant.tensor.Scope;
import org.descant.tensor.SelfAttention;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The house language model over codec tokens: a decoder-only transformer.
 *
 * <p>RMSNorm before each part (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU
 * (Shazeer 2020), optionally grouped-query attention (Ainslie et al. 2023), the delay pattern and
 * one output head per codebook (Copet et al., "MusicGen", 2023). Conditions of the frame that is
 * being predicted are added to its input (see {@link FrameConditions}); each group of them is
 * dropped at random in training, so that generation can be guided (see {@link Guidance}). A model
 * that learned with spans also fills one between music that is there (see {@link SpanLayout}).
 *
 * <p>Cost of a step: 2 · parameters multiply-adds per row, plus attention over at most {@code
 * context} steps. Training is for one thread; {@link #decoder} sessions only read the weights and
 * may run in several threads, one session a thread. {@link #close} frees the weights.
 */
public final class TokenLm implements AutoCloseable {
  private static final double EPSILON = 1e-6;

  private final TokenLmConfig config;
  private final ParameterStore store;
  private final Parameter tokens;
  private final ConditionEncoder conditions;
  private final @Nullable Parameter parts;
  private final Layer[] layers;
  private final Parameter outNorm;
  private final Parameter heads;
  private final Parameter headBias;
  private @Nullable QuantizedLinear headsCopy;

  private TokenLm(TokenLmConfig config, long seed) {
    this.config = config;
    this.store = new ParameterStore(seed);
    int width = config.width();
    long vocabulary = config.codebookSize() + 1L;
    this.tokens =
        store.declareUndecayed(
            "tokens", Initializer.normal(0.1), config.codebooks() * vocabulary, width);
    this.conditions =
        new ConditionEncoder(config.width(), config.styleSize(), config.melody(), store);
    this.parts =
        config.spans()
            ? store.declareUndecayed("parts", Initializer.normal(0.1), SpanLayout.PARTS, width)
            : null;
    this.layers = new Layer[config.layers()];
    Arrays.setAll(layers, i -> new Layer("layers." + i + "."));
    this.outNorm = store.declare("out.norm", Initializer.ones(), width);
    this.heads =
        store.declare(
            "out.heads",
            Initializer.normal(0.5 / Math.sqrt(width)),
            (long) config.codebooks() * config.codebookSize(),
            width);
    this.headBias =
        store.declare(
            "out.bias", Initializer.zeros(), (long) config.codebooks() * config.codebookSize());
  }

  /** A model with fresh weights that can be trained. */
  public static TokenLm create(TokenLmConfig config, long seed) {
    TokenLm model = new TokenLm(config, seed);
    model.store.build();
    return model;
  }

  /** A model without gradients, to load weights into. */
  public static TokenLm frozen(TokenLmConfig config) {
    TokenLm model = new TokenLm(config, 0);
    model.store.buildFrozen();
    return model;
  }

  public TokenLmConfig config() {
    return config;
  }

  /** Weights: all that a checkpoint must hold. */
  public ParameterStore parameters() {
    return store;
  }

  /** The token that stands outside the frames. */
  int special() {
    return config.codebookSize();
  }

  // ---------------------------------------------------------------- layers

  /** Attends with queries, keys and values of shape [batch, heads, steps, headSize]. */
  interface Attend {
    Tensor attend(int layer, Tensor q, Tensor k, Tensor v);
  }

  /** A linear layer without bias, of which decoding may use an int8 copy. */
  private final class Projection {
    private final Parameter weight;
    private @Nullable QuantizedLinear copy;

    Projection(String name, double deviation, long to, long from) {
      weight = store.declare(name, Initializer.normal(deviation), to, from);
    }

    void pack() {
      if (copy == null) {
        copy = new QuantizedLinear(weight.tensor(), null);
      }
    }

    Tensor apply(Tensor x, boolean packed) {
      QuantizedLinear int8 = copy;
      return packed && int8 != null ? int8.apply(x) : x.linear(weight.tensor());
    }

    void close() {
      if (copy != null) {
        copy.close();
      }
    }
  }

  private final class Layer {
    private final Parameter attentionNorm;
    private final Projection queryKeyValue;
    private final Projection attentionOut;
    private final Parameter hiddenNorm;
    private final Projection gateAndUp;
    private final Projection down;

    Layer(String name) {
      int width = config.width();
      int hidden = config.hidden();
      long projected = (long) (config.heads() + 2 * config.keyValueHeads()) * config.headSize();
      double flat = 1 / Math.sqrt(width);
      double deep = Math.sqrt(2.0 * config.layers());
      attentionNorm = store.declare(name + "attention.norm", Initializer.ones(), width);
      queryKeyValue = new Projection(name + "attention.in", flat, projected, width);
      attentionOut = new Projection(name + "attention.out", flat / deep, width, width);
      hiddenNorm = store.declare(name + "hidden.norm", Initializer.ones(), width);
      gateAndUp = new Projection(name + "hidden.in", flat, 2L * hidden, width);
      down = new Projection(name + "hidden.out", 1 / Math.sqrt(hidden) / deep, width, hidden);
    }

    /**
     * @param attend how a decoder attends to what it has cached; null attends within the rows
     */
    Tensor apply(int layer, Tensor xBSW, Rotary rotary, @Nullable Attend attend, boolean packed) {
      Tensor projected = queryKeyValue.apply(xBSW.rmsNorm(attentionNorm.tensor(), EPSILON), packed);
      Tensor seen =
          attend == null
              ? SelfAttention.causal(
                  projected, config.heads(), config.keyValueHeads(), rotary.rotation())
              : attended(layer, projected, rotary, attend);
      Tensor x = xBSW.add(attentionOut.apply(seen, packed));
      Tensor both = gateAndUp.apply(x.rmsNorm(hiddenNorm.tensor(), EPSILON), packed);
      return x.add(down.apply(GatedLinearUnit.swiGlu(both), packed));
    }

    private Tensor attended(int layer, Tensor projected, Rotary rotary, Attend attend) {
      long batch = projected.size(0);
      long steps = projected.size(1);
      int groups = config.heads() / config.keyValueHeads();
      Tensor laid =
          projected
              .view(batch, steps, config.heads() + 2L * config.keyValueHeads(), config.headSize())
              .transpose(1, 2);
      // Queries and keys turn together: they lie side by side.
      List<Tensor> parts =
          laid.splitSizes(1, config.heads() + config.keyValueHeads(), config.keyValueHeads());
      List<Tensor> turned =
          rotary.turn(parts.get(0)).splitSizes(1, config.heads(), config.keyValueHeads());
      Tensor k = turned.get(1);
      Tensor v = parts.get(1);
      if (groups > 1) {
        k = k.repeatInterleave(groups, 1);
        v = v.repeatInterleave(groups, 1);
      }
      return attend
          .attend(layer, turned.get(0), k, v)
          .transpose(1, 2)
          .reshape(batch, steps, config.width());
    }
  }

  /**
   * From the tokens of the step before and the conditions of this one to normalised outputs.
   *
   * @param tokensBSK indices into the token table, I64
   * @param attend how a decoder attends to what it has cached; null attends within the rows
   * @param packed whether int8 copies of the weights are used where there are any
   * @return [batch, steps, width], to be multiplied with the heads
   */
  Tensor forward(
      Tensor tokensBSK,
      Tensor conditionsBSW,
      Rotary rotary,
      @Nullable Attend attend,
      boolean packed) {
    Tensor x = embedded(tokensBSK, conditionsBSW);
    for (int i = 0; i < layers.length; i++) {
      x = layers[i].apply(i, x, rotary, attend, packed);
    }
    return x.rmsNorm(outNorm.tensor(), EPSILON);
  }

  private Tensor embedded(Tensor tokensBSK, Tensor conditionsBSW) {
    return tokens.tensor().embedding(tokensBSK).sum(2, false).add(conditionsBSW);
  }

  /** Logits of all codebooks side by side: [..., codebooks · codebookSize]. */
  Tensor logits(Tensor outputs, boolean packed) {
    QuantizedLinear int8 = headsCopy;
    if (packed && int8 != null) {
      return int8.apply(outputs);
    }
    return outputs.linear(heads.tensor(), headBias.tensor());
  }

  /** Condition vectors of plain music: [rows, frames, width]. */
  Tensor encode(List<Conditioning> rows, boolean[][] keep) {
    int frames = rows.getFirst().frames().frames();
    return encode(rows, keep, Collections.nCopies(rows.size(), SpanLayout.plain(frames)));
  }

  /**
   * Condition vectors in the order of steps: [rows, frames, width].
   *
   * @param rows in the order of steps too
   */
  Tensor encode(List<Conditioning> rows, boolean[][] keep, List<SpanLayout> layouts) {
    Tensor encodedBTW = conditions.encode(rows, keep);
    if (parts == null) {
      return encodedBTW;
    }
    int frames = rows.getFirst().frames().frames();
    long[] index = new long[rows.size() * frames];
    for (int row = 0; row < rows.size(); row++) {
      for (int t = 0; t < frames; t++) {
        index[row * frames + t] = layouts.get(row).part(t);
      }
    }
    return encodedBTW.add(parts.tensor().embedding(Tensor.of(index, rows.size(), frames)));
  }

  // ---------------------------------------------------------------- training

  /**
   * Sets the output biases to how often each token occurs, which saves the first hundred steps.
   *
   * @param logProbability [codebook][token], natural logarithms
   */
  public void startAt(double[][] logProbability) {
    int size = config.codebookSize();
    float[] bias = new float[config.codebooks() * size];
    for (int k = 0; k < config.codebooks(); k++) {
      for (int v = 0; v < size; v++) {
        bias[k * size + v] = (float) logProbability[k][v];
      }
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      headBias.tensor().copyFrom(bias);
    }
  }

  /**
   * Examples of equal length.
   *
   * @param codes [example][codebook][frame], in the order of time
   * @param conditions one per example, with as many frames, in the order of time
   * @param layouts one per example, of as many frames: the order in which the model meets them
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one step, never compared.
  public record Batch(int[][][] codes, List<Conditioning> conditions, List<SpanLayout> layouts) {
    /** Plain music. */
    public Batch(int[][][] codes, List<Conditioning> conditions) {
      this(
          codes,
          conditions,
          Collections.nCopies(
              codes.length, SpanLayout.plain(codes.length == 0 ? 1 : codes[0][0].length)));
    }

    public Batch {
      if (codes.length == 0 || codes.length != conditions.size()) {
        throw new ModelException(
            "A batch needs one conditioning per example: "
                + codes.length
                + " and "
                + conditions.size());
      }
      if (layouts.size() != codes.length) {
        throw new ModelException(
            "A batch needs one layout per example: " + codes.length + " and " + layouts.size());
      }
      for (int i = 0; i < codes.length; i++) {
        if (layouts.get(i).frames() != codes[i][0].length) {
          throw new ModelException(
              "A layout of "
                  + layouts.get(i).frames()
                  + " frames does not fit an example of "
                  + codes[i][0].length);
        }
      }
      conditions = List.copyOf(conditions);
      layouts = List.copyOf(layouts);
    }

    private boolean isPlain() {
      return layouts.stream().allMatch(SpanLayout::isPlain);
    }

    private Batch rows(int from, int to) {
      return new Batch(
          Arrays.copyOfRange(codes, from, to),
          conditions.subList(from, to),
          layouts.subList(from, to));
    }

    /** The same with codes and conditions in the order of steps. */
    private Batch arranged() {
      if (isPlain()) {
        return this;
      }
      int[][][] codesInSteps = new int[codes.length][][];
      Arrays.setAll(codesInSteps, i -> layouts.get(i).arrange(codes[i]));
      List<Conditioning> conditionsInSteps = new ArrayList<>();
      for (int i = 0; i < codes.length; i++) {
        Conditioning of = conditions.get(i);
        conditionsInSteps.add(new Conditioning(layouts.get(i).arrange(of.frames()), of.global()));
      }
      return new Batch(codesInSteps, conditionsInSteps, layouts);
    }
  }

  /**
   * What training does to its input.
   *
   * @param dropConditions probability with which the music's conditions (rhythm, harmony, form) are
   *     dropped together, and the style's (tags, text, reference), per example; single groups, and
   *     all at once, are dropped half as often
   * @param tokenNoise probability with which an input token is replaced by a random one, so that
   *     the model learns to go on from its own mistakes and recites less
   */
  public record Noise(double dropConditions, double tokenNoise) {
    /** Nothing is changed: for evaluation. */
    public static final Noise NONE = new Noise(0, 0);

    /** One group in ten. */
    public static final Noise DEFAULT = new Noise(0.1, 0.02);

    public Noise {
      if (!(dropConditions >= 0 && dropConditions <= 1 && tokenNoise >= 0 && tokenNoise <= 1)) {
        throw new ModelException(
            "Probabilities go from 0 to 1, were " + dropConditions + " and " + tokenNoise);
      }
    }
  }

  /**
   * Mean cross entropy in nats.
   *
   * @param total weighted mean over codebooks, scalar with gradients
   * @param perCodebook scalars in the order of the codebooks
   */
  public record Loss(Tensor total, List<Tensor> perCodebook) {}

  /**
   * The loss of a batch with equal weights; with {@link Noise#NONE} under no-grad it is the
   * held-out loss. See {@link #loss(Batch, Noise, long, double[])}.
   */
  public Loss loss(Batch batch, Noise noise, long seed) {
    double[] weights = new double[config.codebooks()];
    Arrays.fill(weights, 1);
    return loss(batch, noise, seed, weights);
  }

  /**
   * The loss of a batch.
   *
   * @param seed of the noise; give each step its own
   * @param weights of the codebooks; they are divided by their sum
   */
  public Loss loss(Batch batch, Noise noise, long seed, double[] weights) {
    return loss(input(batch, noise, seed), weights);
  }

  /** The loss of what {@link #input} made. */
  public Loss loss(Input input, double[] weights) {
    return loss(outputs(input), input.batch, weights, false);
  }

  /**
   * The loss, with equal weights, of the frames that the layouts do not give: the middles. Without
   * noise; held out, it says how well a model fills a span.
   */
  public Loss middleLoss(Batch batch) {
    double[] weights = new double[config.codebooks()];
    Arrays.fill(weights, 1);
    Input input = input(batch, Noise.NONE, 0);
    return loss(outputs(input), input.batch, weights, true);
  }

  private Loss loss(Tensor outputsBSW, Batch batch, double[] weights, boolean middle) {
    int steps = (int) outputsBSW.size(1);
    int frames = steps - config.codebooks() + 1;
    Tensor rows = outputsBSW.reshape(-1, config.width());
    List<Tensor> losses = new ArrayList<>();
    Tensor total = Tensor.scalar(0);
    double sum = Arrays.stream(weights).sum();
    for (int k = 0; k < config.codebooks(); k++) {
      long[] target = new long[batch.codes.length * steps];
      Arrays.fill(target, Tensor.IGNORE);
      for (int b = 0; b < batch.codes.length; b++) {
        for (int t = middle ? batch.layouts.get(b).given() : 0; t < frames; t++) {
          target[b * steps + t + k] = batch.codes[b][k][t];
        }
      }
      long from = (long) k * config.codebookSize();
      Tensor head = heads.tensor().narrow(0, from, config.codebookSize());
      Tensor bias = headBias.tensor().narrow(0, from, config.codebookSize());
      Tensor loss = HeadLoss.crossEntropy(rows, head, bias, Tensor.of(target, target.length));
      losses.add(loss);
      total = total.add(loss.mul(weights[k] / sum));
    }
    return new Loss(total, losses);
  }

  /**
   * Forward and backward pass: adds the gradient of {@code share} times the loss to the parameters'
   * gradients. Opens its own {@link Autocast} regions; none may be open around it.
   *
   * @param input a whole batch, or rows of one whose shares sum to 1
   * @param weights of the codebooks; they are divided by their sum
   * @param recompute whether layers keep only their inputs and run again in the backward pass: less
   *     memory, a third more time, the same gradients
   * @return the loss, without gradients
   */
  public Loss learn(
      Input input, double[] weights, double share, Precision precision, boolean recompute) {
    Loss loss;
    if (!recompute) {
      try (Autocast autocast = Autocast.open(precision)) {
        loss = loss(input, weights);
      }
      backward(loss.total, share);
    } else {
      Tensor x;
      try (Autocast autocast = Autocast.open(precision)) {
        x = embedded(tokens(input), conditions(input));
      }
      Recomputation chain = new Recomputation(blocks(rotary(input)), precision);
      Tensor top = chain.forward(x);
      try (Autocast autocast = Autocast.open(precision)) {
        loss = loss(top.rmsNorm(outNorm.tensor(), EPSILON), input.batch, weights, false);
      }
      backward(loss.total, share);
      x.backward(chain.backward(top.grad()));
    }
    return new Loss(loss.total.detach(), loss.perCodebook.stream().map(Tensor::detach).toList());
  }

  private static void backward(Tensor total, double share) {
    (share == 1 ? total : total.mul(share)).backward();
  }

  private List<UnaryOperator<Tensor>> blocks(Rotary rotary) {
    List<UnaryOperator<Tensor>> blocks = new ArrayList<>();
    for (int i = 0; i < layers.length; i++) {
      int layer = i;
      blocks.add(x -> layers[layer].apply(layer, x, rotary, null, false));
    }
    return blocks;
  }

  /**
   * Examples as the model sees them in training, with all random draws made: rows of it mean the
   * same as in the whole. Plain numbers; the arrays are not copied.
   *
   * @param batch the examples themselves, which are the targets, in the order of steps
   * @param tokens indices into the token table, [row, step, codebook] in one array
   * @param keep which groups of conditions each row shows
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one step, never compared.
  public record Input(Batch batch, long[] tokens, boolean[][] keep) {
    /** Number of examples. */
    public int rows() {
      return batch.codes.length;
    }

    /** Examples {@code from} to {@code to}, without the latter. */
    public Input rows(int from, int to) {
      int perRow = tokens.length / rows();
      return new Input(
          batch.rows(from, to),
          Arrays.copyOfRange(tokens, from * perRow, to * perRow),
          Arrays.copyOfRange(keep, from, to));
    }
  }

  /**
   * Prepares a batch for {@link #learn}: delays the codes and draws the noise. Pure Java; safe in
   * any thread.
   *
   * @param seed of the noise; give each step its own
   */
  public Input input(Batch batch, Noise noise, long seed) {
    for (int[][] codes : batch.codes) {
      requireCodes(codes, batch.codes[0][0].length);
    }
    if (!batch.isPlain()) {
      requireSpans();
    }
    return arrangedInput(batch.arranged(), noise, seed);
  }

  /** A model that never learned with spans has no vectors for their parts. */
  void requireSpans() {
    if (!config.spans()) {
      throw new ModelException(
          "This language model did not learn to fill spans; train one with lm.model.spans=true");
    }
  }

  private Input arrangedInput(Batch batch, Noise noise, long seed) {
    int count = batch.codes.length;
    int books = config.codebooks();
    int frames = batch.codes[0][0].length;
    int steps = DelayPattern.steps(frames, books);
    if (steps > config.context()) {
      throw new ModelException(
          "An example of "
              + frames
              + " frames needs "
              + steps
              + " steps, the context has "
              + config.context());
    }
    SplittableRandom random = new SplittableRandom(seed);
    long vocabulary = config.codebookSize() + 1L;
    long[] input = new long[count * steps * books];
    for (int b = 0; b < count; b++) {
      int[][] delayed = DelayPattern.delay(batch.codes[b], special());
      for (int s = 0; s < steps; s++) {
        for (int k = 0; k < books; k++) {
          int token = s == 0 ? special() : delayed[k][s - 1];
          if (noise.tokenNoise > 0
              && token != special()
              && random.nextDouble() < noise.tokenNoise) {
            token = random.nextInt(config.codebookSize());
          }
          input[(b * steps + s) * books + k] = k * vocabulary + token;
        }
      }
    }
    return new Input(
        batch, input, ConditionEncoder.dropped(count, noise.dropConditions, random.nextLong()));
  }

  private int steps(Input input) {
    return DelayPattern.steps(input.batch.codes[0][0].length, config.codebooks());
  }

  private Rotary rotary(Input input) {
    int steps = steps(input);
    if (input.batch.isPlain()) {
      return Rotary.at(0, steps, config.headSize());
    }
    int[][] positions = new int[input.rows()][steps];
    for (int row = 0; row < positions.length; row++) {
      Arrays.setAll(positions[row], input.batch.layouts.get(row)::position);
    }
    return Rotary.at(positions, config.headSize());
  }

  private Tensor tokens(Input input) {
    return Tensor.of(input.tokens, input.rows(), steps(input), config.codebooks());
  }

  private Tensor conditions(Input input) {
    int frames = input.batch.codes[0][0].length;
    Tensor conditionsBTW = encode(input.batch.conditions, input.keep, input.batch.layouts);
    if (conditionsBTW.size(1) != frames) {
      throw new ModelException(
          "Codes have " + frames + " frames, their conditions " + conditionsBTW.size(1));
    }
    return lastRepeated(conditionsBTW, config.codebooks() - 1);
  }

  /** Normalised outputs for all steps of a batch: [batch, steps, width]. */
  Tensor outputs(Batch batch, Noise noise, long seed) {
    return outputs(input(batch, noise, seed));
  }

  private Tensor outputs(Input input) {
    return forward(tokens(input), conditions(input), rotary(input), null, false);
  }

  /** The last frame's conditions stay for the steps that only finish delayed codebooks. */
  private static Tensor lastRepeated(Tensor conditionsBTW, int more) {
    if (more == 0) {
      return conditionsBTW;
    }
    long frames = conditionsBTW.size(1);
    Tensor last =
        conditionsBTW
            .narrow(1, frames - 1, 1)
            .expand(conditionsBTW.size(0), more, conditionsBTW.size(2));
    return Tensor.cat(List.of(conditionsBTW, last), 1);
  }

  void requireCodes(int[][] codes, int frames) {
    if (codes.length != config.codebooks()) {
      throw new ModelException(
          "The model has " + config.codebooks() + " codebooks, the example " + codes.length);
    }
    for (int[] book : codes) {
      if (book.length != frames) {
        throw new ModelException("All examples and codebooks need the same number of frames");
      }
      for (int code : book) {
        if (code < 0 || code >= config.codebookSize()) {
          throw new ModelException(
              "Codes go from 0 to " + (config.codebookSize() - 1) + ", got " + code);
        }
      }
    }
  }

  // ---------------------------------------------------------------- generation

  /**
   * Makes int8 copies of the matrices, which later sessions decode with: about three times as fast,
   * with an error of about 1 % a layer. For weights that will not change any more; a second call
   * does nothing.
   */
  public void pack() {
    for (Layer layer : layers) {
      layer.queryKeyValue.pack();
      layer.attentionOut.pack();
      layer.gateAndUp.pack();
      layer.down.pack();
    }
    if (headsCopy == null) {
      headsCopy = new QuantizedLinear(heads.tensor(), headBias.tensor());
    }
  }

  /**
   * Starts a session that generates several clips side by side, one frame a step. The caller's
   * thread owns it and closes it.
   *
   * @param clips conditions of each clip; all with the same number of frames, which is what is made
   * @param sampling one for all codebooks, or one per codebook
   * @param seeds of each clip's draws
   */
  public Decoder decoder(
      List<Conditioning> clips, Guidance guidance, List<Sampling> sampling, long[] seeds) {
    return new Decoder(this, clips, guidance, sampling, seeds, List.of());
  }

  /**
   * The same for clips of which a part is there: the session goes on from a beginning, or fills a
   * span between two parts. What is given is read in one pass, not step by step.
   *
   * @param clips conditions of each clip over all its frames, what is given included
   * @param given what there is of each clip, all of the same lengths; it must fit the context, and
   *     so must the whole clip when something comes after it
   */
  public Decoder decoder(
      List<Conditioning> clips,
      Guidance guidance,
      List<Sampling> sampling,
      long[] seeds,
      List<Decoder.Given> given) {
    return new Decoder(this, clips, guidance, sampling, seeds, given);
  }

  @Override
  public void close() {
    for (Layer layer : layers) {
      layer.queryKeyValue.close();
      layer.attentionOut.close();
      layer.gateAndUp.close();
      layer.down.close();
    }
    if (headsCopy != null) {
      headsCopy.close();
    }
    store.close();
  }
}
