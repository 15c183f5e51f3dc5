package org.descant.models.published.musicgen;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.descant.models.ModelException;
import org.descant.models.published.codec.Codes;
import org.descant.models.published.weights.Activation;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.Projection;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.Projection.Part;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.Attention;
import org.descant.tensor.Autocast;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Precision;
import org.descant.tensor.Recomputation;
import org.descant.tensor.Scope;
import org.descant.tensor.SeededRandom;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The token decoder of MusicGen (Copet et al. 2023, arXiv:2306.05284): a causal transformer over
 * several streams of codes at once, which looks at a text by cross-attention.
 *
 * <p>A position's input is the sum of its codes' embeddings and a sinusoidal position; every layer
 * is self-attention, cross-attention and a feed-forward layer, each after a layer norm and added to
 * its input; linear layers have no bias; each stream has a head of its own. Query, key and value
 * are one product, and so are all heads. A decoder that a melody leads has no cross-attention: what
 * it looks at stands before the codes (see {@link MusicGenConfig.Melody}).
 *
 * <p>Reading is safe for several threads; {@link #adapt} is not, and {@link #close} frees the
 * weights.
 */
public final class MusicGenDecoder implements AutoCloseable {
  static final String PREFIX = "decoder.";
  private static final String LAYERS = "model.decoder.layers.";
  private static final double EPSILON = 1e-5;
  private static final double MASKED = -1e9;
  private static final double RANDOM_DEVIATION = 0.02;

  /** Where weights come from: fp32 of exactly this shape, in the current scope. */
  interface Source {
    Tensor tensor(String name, long... shape);

    /** Some of one shape, below one another. */
    default Tensor joined(List<String> names, long rowsEach, long columns) {
      List<Tensor> tensors = new ArrayList<>();
      for (String name : names) {
        tensors.add(tensor(name, rowsEach, columns));
      }
      return tensors.size() == 1 ? tensors.getFirst() : Tensor.cat(tensors, 0);
    }
  }

  private record Norm(Tensor weight, Tensor bias) {
    Tensor apply(Tensor x) {
      return x.layerNorm(weight, bias, EPSILON);
    }
  }

  /** One transformer layer. */
  private record Block(Norm selfNorm, Norm innerNorm, List<Share> shares, @Nullable Cross cross) {}

  /** A lane's part of a layer: some of the heads, some of the inner width. */
  private record Share(
      Projection selfInput, Projection selfOutput, Projection in, Projection out) {}

  /** A layer's look at the text. */
  private record Cross(Norm norm, List<CrossShare> shares) {}

  /** A lane's part of it: some of the heads. */
  private record CrossShare(Projection query, Projection memory, Projection output) {}

  /**
   * A batch of texts as the decoder sees them: zero wherever a token is padding.
   *
   * @param states [batch, tokens, width]; where a melody leads, its frames first, and all of them
   *     are looked at
   * @param mask added to attention scores, [batch, 1, 1, tokens]; null looks at every position
   */
  public record Text(Tensor states, @Nullable Tensor mask) {
    /** Some of the batch, in the current scope. */
    public Text narrow(long from, long count) {
      return new Text(
          states.narrow(0, from, count), mask == null ? null : mask.narrow(0, from, count));
    }
  }

  private final MusicGenConfig config;
  private final Form form;
  private final int lanes;
  private final Activation activation;
  private final Owned owned = new Owned();
  private Owned adapters = new Owned();
  private final List<Projection> projections = new ArrayList<>();
  private final List<Module> modules = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private final Tensor embedding;
  private final Norm outNorm;
  private final List<Projection> heads;
  private final @Nullable Tensor textBias;
  private final @Nullable Projection text;
  private final @Nullable Tensor chromaBias;
  private final @Nullable Projection chroma;

  /**
   * Makes a decoder.
   *
   * @param root the whole model's configuration
   * @param source knows the whole file's names
   * @param merged an adapter whose differences are added to the weights for good, or null
   * @param lanes parts that the heads and the inner width are cut into, one for each thread of a
   *     session; 1 where weights are to learn
   */
  MusicGenDecoder(
      PublishedConfig root, Form form, Source source, @Nullable LoraAdapter merged, int lanes) {
    this.config = MusicGenConfig.of(root);
    this.form = form;
    this.lanes = lanes;
    if (lanes < 1 || config.lanes(lanes) != lanes || (form == Form.PLAIN && lanes > 1)) {
      throw new ModelException(
          ("%d lanes do not divide %d heads, an inner width of %d and a vocabulary of %d, or the"
                  + " form is %s; take 1.")
              .formatted(lanes, config.heads(), config.inner(), config.vocabulary(), form));
    }
    if (form == Form.PLAIN) {
      MusicGenConfig.requireTunable(root);
    }
    PublishedConfig decoder = root.child("decoder");
    String key = "activation_function";
    this.activation = Activation.named(decoder, key, decoder.text(key, "gelu"));
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      long d = config.width();
      List<String> tables =
          IntStream.range(0, config.codebooks())
              .mapToObj(k -> PREFIX + "model.decoder.embed_tokens." + k + ".weight")
              .toList();
      embedding = owned.keep(source.joined(tables, config.vocabulary() + 1L, d));
      Maker make = new Maker(source, merged);
      for (int i = 0; i < config.layers(); i++) {
        blocks.add(make.block(PREFIX + LAYERS + i + "."));
      }
      outNorm = make.norm(PREFIX + "model.decoder.layer_norm");
      List<String> names =
          IntStream.range(0, config.codebooks()).mapToObj(k -> PREFIX + "lm_heads." + k).toList();
      heads = make.cut(names, config.vocabulary(), d, true);
      if (config.projected()) {
        text = make.whole("enc_to_dec_proj", d, config.textWidth());
        textBias = owned.keep(source.tensor("enc_to_dec_proj.bias", d));
      } else {
        text = null;
        textBias = null;
      }
      MusicGenConfig.Melody melody = config.melody();
      if (melody != null && melody.projected()) {
        chroma = make.whole("audio_enc_to_dec_proj", d, melody.classes());
        chromaBias = owned.keep(source.tensor("audio_enc_to_dec_proj.bias", d));
      } else {
        chroma = null;
        chromaBias = null;
      }
      if (merged != null) {
        requireModules(merged);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * A decoder of this configuration with random weights, for measurements and tests.
   *
   * @param root a whole model's configuration
   */
  public static MusicGenDecoder random(PublishedConfig root, Form form, int lanes, long seed) {
    try (SeededRandom random = new SeededRandom(seed)) {
      Source source =
          (name, shape) ->
              name.endsWith("norm.weight")
                  ? Tensor.ones(shape)
                  : random.normal(shape).mulInPlace(RANDOM_DEVIATION);
      return new MusicGenDecoder(root, form, source, null, lanes);
    }
  }

  private final class Maker {
    private final Source source;
    private final @Nullable LoraAdapter merged;

    Maker(Source source, @Nullable LoraAdapter merged) {
      this.source = source;
      this.merged = merged;
    }

    Block block(String at) {
      long d = config.width();
      long inner = config.inner();
      String self = at + "self_attn.";
      List<Projection> selfInput =
          cut(List.of(self + "q_proj", self + "k_proj", self + "v_proj"), d, d, true);
      List<Projection> selfOutput = cut(List.of(self + "out_proj"), d, d, false);
      Cross cross = config.melody() == null ? cross(at) : null;
      List<Projection> in = cut(List.of(at + "fc1"), inner, d, true);
      List<Projection> out = cut(List.of(at + "fc2"), d, inner, false);
      return new Block(
          norm(at + "self_attn_layer_norm"),
          norm(at + "final_layer_norm"),
          IntStream.range(0, lanes)
              .mapToObj(lane ->
                  new Share(selfInput.get(lane), selfOutput.get(lane), in.get(lane), out.get(lane)))
              .toList(),
          cross);
    }

    private Cross cross(String at) {
      long d = config.width();
      String cross = at + "encoder_attn.";
      List<Projection> query = cut(List.of(cross + "q_proj"), d, d, true);
      List<Projection> memory = cut(List.of(cross + "k_proj", cross + "v_proj"), d, d, true);
      List<Projection> output = cut(List.of(cross + "out_proj"), d, d, false);
      return new Cross(
          norm(at + "encoder_attn_layer_norm"),
          IntStream.range(0, lanes)
              .mapToObj(lane -> new CrossShare(query.get(lane), memory.get(lane), output.get(lane)))
              .toList());
    }

    Norm norm(String name) {
      return new Norm(
          owned.keep(source.tensor(name + ".weight", config.width())),
          owned.keep(source.tensor(name + ".bias", config.width())));
    }

    /** A layer that every lane has, or that runs outside of them. */
    Projection whole(String module, long rows, long columns) {
      return cut(List.of(module), rows, columns, 1, true).getFirst();
    }

    /**
     * The modules' weights below one another, in a part for each lane: some of every module's rows,
     * or some of the columns, so that the lanes' products are to be added.
     */
    List<Projection> cut(List<String> names, long rows, long columns, boolean byRows) {
      return cut(names, rows, columns, lanes, byRows);
    }

    private List<Projection> cut(
        List<String> names, long rows, long columns, int pieces, boolean byRows) {
      try (Scope scope = Scope.open()) {
        List<String> weights = names.stream().map(name -> name + ".weight").toList();
        Tensor joined =
            merged == null
                ? source.joined(weights, rows, columns)
                : changed(merged, names, rows, columns);
        names.forEach(name -> modules.add(new Module(name, rows, columns)));
        List<Projection> made = new ArrayList<>();
        for (int piece = 0; piece < pieces; piece++) {
          long all = byRows ? rows : columns;
          long from = all * piece / pieces;
          long count = all * (piece + 1) / pieces - from;
          Tensor part =
              pieces == 1
                  ? joined
                  : byRows
                      ? joined
                          .view(names.size(), rows, columns)
                          .narrow(1, from, count)
                          .reshape(names.size() * count, columns)
                      : joined.narrow(1, from, count).contiguous();
          List<Part> parts =
              names.stream()
                  .map(name -> byRows ? new Part(name, from, count) : new Part(name, 0, rows))
                  .toList();
          made.add(Projection.of(parts, byRows ? 0 : from, part, form));
        }
        projections.addAll(made);
        return made;
      }
    }

    /** The same with an adapter's differences added. */
    private Tensor changed(LoraAdapter adapter, List<String> modules, long rows, long columns) {
      List<Tensor> weights = new ArrayList<>();
      for (String module : modules) {
        Tensor published = source.tensor(module + ".weight", rows, columns);
        LoraAdapter.Pair pair = adapter.pair(module);
        if (pair != null && (pair.down().size(1) != columns || pair.up().size(0) != rows)) {
          throw misfit(module, pair, rows, columns);
        }
        weights.add(pair == null ? published : published.add(adapter.difference(pair)));
      }
      return weights.size() == 1 ? weights.getFirst() : Tensor.cat(weights, 0);
    }
  }

  /** The decoder's shape. */
  public MusicGenConfig config() {
    return config;
  }

  /** How its weights lie in memory. */
  public Form form() {
    return form;
  }

  /** Threads that a session decodes with. */
  int lanes() {
    return lanes;
  }

  /**
   * A linear layer that an adapter may change.
   *
   * @param name as published, such as {@code decoder.model.decoder.layers.0.self_attn.q_proj}
   */
  public record Module(String name, long outputs, long inputs) {}

  /** Every linear layer, in the published order. */
  public List<Module> modules() {
    return List.copyOf(modules);
  }

  /** Ends what {@link #with} began. */
  public interface Adapted extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Runs an adapter beside the weights until the result is closed: its products are made in the
   * current scope, and gradients flow to its tensors where they are asked for. What {@link #adapt}
   * set is back afterwards. Nobody else may use the decoder meanwhile.
   *
   * @throws ModelException when the adapter has a module or a shape that is not this decoder's
   */
  public Adapted with(LoraAdapter adapter) {
    Map<Projection, Projection.LowRank> before = new HashMap<>();
    for (Projection projection : projections) {
      Projection.LowRank beside = projection.beside();
      if (beside != null) {
        before.put(projection, beside);
      }
    }
    beside(lowRanks(adapter));
    return () -> beside(before);
  }

  private void beside(Map<Projection, Projection.LowRank> adapters) {
    projections.forEach(projection -> projection.beside(adapters.get(projection)));
  }

  /**
   * Switches to an adapter, or with null back to the published weights. Sessions that are open feel
   * it at their next step, except for the text they have read.
   *
   * @throws ModelException as {@link #with}
   */
  public void adapt(@Nullable LoraAdapter adapter) {
    Owned next = new Owned();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Map<Projection, Projection.LowRank> now = new HashMap<>();
      if (adapter != null) {
        lowRanks(adapter)
            .forEach((projection, made) ->
                now.put(
                    projection,
                    new Projection.LowRank(next.keep(made.down()), next.keep(made.up()))));
      }
      beside(now);
    }
    adapters.close();
    adapters = next;
  }

  /** What runs beside each projection that the adapter changes. */
  private Map<Projection, Projection.LowRank> lowRanks(LoraAdapter adapter) {
    requireModules(adapter);
    Map<Projection, Projection.LowRank> all = new HashMap<>();
    for (Projection projection : projections) {
      Projection.LowRank joined = projection.joined(adapter);
      if (joined != null) {
        all.put(projection, joined);
      }
    }
    return all;
  }

  private void requireModules(LoraAdapter adapter) {
    Map<String, Module> known =
        modules.stream().collect(Collectors.toMap(Module::name, Function.identity()));
    for (String name : adapter.modules()) {
      Module module = known.get(name);
      if (module == null) {
        throw new ModelException(
            "The adapter changes %s, which is no linear layer of this decoder.".formatted(name));
      }
      LoraAdapter.Pair pair = adapter.pair(name);
      if (pair != null
          && (pair.down().size(1) != module.inputs || pair.up().size(0) != module.outputs)) {
        throw misfit(name, pair, module.outputs, module.inputs);
      }
    }
  }

  private static ModelException misfit(
      String module, LoraAdapter.Pair pair, long outputs, long inputs) {
    return new ModelException(
        "The adapter's %s is for [%d, %d], this decoder's is [%d, %d]."
            .formatted(module, pair.up().size(0), pair.down().size(1), outputs, inputs));
  }

  /**
   * Brings encoded texts to the decoder: projects them where the model has a projection, and sets
   * padding to zero. Where a melody leads, none is before them yet: see {@link #withMelody}.
   *
   * @param encoded fp32 [batch, tokens, text width]
   * @param mask [batch, tokens], 0 at padding; null when nothing is
   * @param lookAtPadding whether attention sees the zeros that stand for padding, as AudioCraft's
   *     does; transformers' does not. Where a melody leads, both do
   */
  public Text text(Tensor encoded, @Nullable Tensor mask, boolean lookAtPadding) {
    if (encoded.dim() != 3 || encoded.size(2) != config.textWidth()) {
      throw new ModelException(
          "Encoded texts must be [batch, tokens, %d], not %s."
              .formatted(config.textWidth(), encoded));
    }
    if (mask != null
        && (mask.dim() != 2
            || mask.size(0) != encoded.size(0)
            || mask.size(1) != encoded.size(1))) {
      throw new ModelException(
          "The attention mask %s does not belong to encoded texts %s.".formatted(mask, encoded));
    }
    Tensor states = encoded;
    if (text != null && textBias != null) {
      states = text.apply(encoded).add(textBias);
    }
    if (mask != null) {
      states = states.mul(mask.to(DType.F32).unsqueeze(2));
    }
    MusicGenConfig.Melody melody = config.melody();
    if (melody != null) {
      return new Text(Tensor.cat(List.of(noMelody(melody, encoded.size(0)), states), 1), null);
    }
    if (mask == null) {
      return new Text(states, null);
    }
    Tensor added =
        lookAtPadding ? null : mask.eq(0.0).to(DType.F32).mul(MASKED).unsqueeze(1).unsqueeze(1);
    return new Text(states, added);
  }

  /**
   * Texts with a melody before them, instead of what stood there.
   *
   * @param sung fp32 [batch, frames, pitch classes], as {@link ChromaFeatures} makes it; repeated
   *     or cut to {@link MusicGenConfig.Melody#frames}
   * @throws ModelException when no melody leads this model, or the shape is not its own
   */
  public Text withMelody(Text text, Tensor sung) {
    MusicGenConfig.Melody melody = config.melody();
    if (melody == null) {
      throw new ModelException("This MusicGen takes no melody; a musicgen_melody does.");
    }
    if (sung.dim() != 3
        || sung.size(0) != text.states().size(0)
        || sung.size(1) == 0
        || sung.size(2) != melody.classes()) {
      throw new ModelException(
          "A melody must be [%d, frames, %d], not %s."
              .formatted(text.states().size(0), melody.classes(), sung));
    }
    long words = text.states().size(1) - melody.frames();
    Tensor told = text.states().narrow(1, melody.frames(), words);
    return new Text(Tensor.cat(List.of(frames(melody, sung), told), 1), null);
  }

  /** Brings pitch classes to the decoder's width and number of frames. */
  private Tensor frames(MusicGenConfig.Melody melody, Tensor sung) {
    Tensor x = sung;
    if (chroma != null && chromaBias != null) {
      x = chroma.apply(sung).add(chromaBias);
    }
    return x.repeat(1, Math.ceilDiv(melody.frames(), x.size(1)), 1).narrow(1, 0, melody.frames());
  }

  /** What stands for no melody: the first pitch class in every frame. */
  private Tensor noMelody(MusicGenConfig.Melody melody, long batch) {
    Tensor first = Tensor.zeros(DType.I64, 1, 1).oneHot(melody.classes()).to(DType.F32);
    return frames(melody, first).repeat(batch, 1, 1);
  }

  /**
   * What stands before the codes in each row of a session, [rows, positions, width]: what a clip is
   * told, and with guidance below it neither melody nor text. Null where no melody leads.
   */
  @Nullable Tensor before(Text text, boolean guided) {
    MusicGenConfig.Melody melody = config.melody();
    if (melody == null || !guided) {
      return melody == null ? null : text.states();
    }
    long clips = text.states().size(0);
    Tensor silence = Tensor.zeros(clips, text.states().size(1) - melody.frames(), config.width());
    Tensor untold = Tensor.cat(List.of(noMelody(melody, clips), silence), 1);
    return Tensor.cat(List.of(text.states(), untold), 0);
  }

  /**
   * Scores of every position's next code, each position seeing only those before it.
   *
   * @param tokens I64 [batch, codebooks, time], from 0 to the vocabulary (the special token)
   * @param text of the same batch
   * @return [batch, codebooks, time, vocabulary] in the caller's scope; where a melody leads, it
   *     and the text have positions before the tokens'; gradients flow in the plain form
   * @throws ModelException when shapes or tokens are not this model's
   */
  public Tensor logits(Tensor tokens, Text text) {
    requireTokens(tokens, text);
    try (Scope scope = Scope.open()) {
      Tensor x = placed(tokens, text);
      for (Block block : blocks) {
        Tensor next;
        try (Scope inner = Scope.open()) {
          next = inner.keep(forward(block, x, text));
        }
        x = next;
      }
      return scope.keep(streams(x));
    }
  }

  /** What goes into the first layer: [batch, time, width]. */
  private Tensor placed(Tensor tokens, Text text) {
    Tensor x = embed(tokens.transpose(1, 2));
    if (config.melody() != null) {
      x = Tensor.cat(List.of(text.states(), x), 1);
    }
    return x.add(positions(x.size(1)));
  }

  /** What comes out of the last layer as scores: [batch, codebooks, time, vocabulary]. */
  private Tensor streams(Tensor x) {
    List<Tensor> parts =
        IntStream.range(0, lanes)
            .mapToObj(lane -> scores(lane, x).reshape(x.size(0), x.size(1), config.codebooks(), -1))
            .toList();
    return (lanes == 1 ? parts.getFirst() : Tensor.cat(parts, -1)).transpose(1, 2).contiguous();
  }

  /**
   * Forward and backward pass of a training step: adds to the gradients of whatever takes one, the
   * decoder's own weights ({@link MusicGenParameters}) or an adapter's ({@link #with}).
   *
   * @param encoded texts of the batch, as {@link #text} takes them
   * @param mask of the same texts, 0 at padding
   * @param share factor on the loss that is learned from, as for a part of a batch
   * @param precision of the products
   * @param recompute whether layers keep only their inputs and run again in the backward pass: less
   *     memory, a third more time, the same gradient (see {@link Recomputation})
   * @return the loss, in the caller's scope and without a gradient
   */
  public Tensor learn(
      Columns columns,
      Tensor encoded,
      Tensor mask,
      double share,
      Precision precision,
      boolean recompute) {
    Tensor loss;
    if (!recompute) {
      try (Autocast autocast = Autocast.open(precision)) {
        loss = loss(logits(columns.inputs, text(encoded, mask, false)), columns);
      }
      backward(loss, share);
      return loss.detach();
    }
    Text told;
    Tensor x;
    try (Autocast autocast = Autocast.open(precision)) {
      told = text(encoded, mask, false);
      requireTokens(columns.inputs, told);
      x = placed(columns.inputs, told);
    }
    // Every layer adds to the gradient of what it reads; the texts' projection learns from the sum.
    boolean textLearns = told.states.requiresGrad();
    Text read = textLearns ? new Text(told.states.detach().requiresGrad(true), told.mask) : told;
    List<UnaryOperator<Tensor>> layers = new ArrayList<>();
    for (Block block : blocks) {
      layers.add(input -> forward(block, input, read));
    }
    Recomputation chain = new Recomputation(layers, precision);
    Tensor top = chain.forward(x);
    try (Autocast autocast = Autocast.open(precision)) {
      loss = loss(streams(top), columns);
    }
    backward(loss, share);
    Tensor passed = chain.backward(top.grad());
    if (x.requiresGrad()) {
      x.backward(passed);
    }
    if (textLearns) {
      told.states.backward(read.states.grad());
    }
    return loss.detach();
  }

  private static void backward(Tensor loss, double share) {
    (share == 1 ? loss : loss.mul(share)).backward();
  }

  /**
   * What a training step is given and what it must say, I64 [batch, codebooks, frames + codebooks
   * per channel − 1] each.
   *
   * @param targets {@link Tensor#IGNORE} where a stream has no code
   */
  public record Columns(Tensor inputs, Tensor targets) {}

  /** Delays codes as decoding does: I64 [batch, codebooks, frames] to columns of tokens. */
  public Columns columns(Tensor codes) {
    if (codes.dim() != 3 || codes.size(1) != config.codebooks() || codes.count() == 0) {
      throw new ModelException(
          "Codes must be I64 [batch, %d, frames], not %s.".formatted(config.codebooks(), codes));
    }
    Codes.requireBelow(codes, config.vocabulary());
    long last = config.codebooksPerChannel() - 1L;
    List<Tensor> targets = new ArrayList<>();
    for (int k = 0; k < config.codebooks(); k++) {
      long delay = config.delay(k);
      targets.add(codes.select(1, k).pad(delay, last - delay, Tensor.IGNORE));
    }
    Tensor said = Tensor.stack(targets, 1);
    Tensor special =
        Tensor.full(config.vocabulary(), DType.I64, codes.size(0), config.codebooks(), 1);
    Tensor heard =
        said.maskedFill(said.lt(0.0), config.vocabulary()).narrow(2, 0, said.size(2) - 1);
    return new Columns(Tensor.cat(List.of(special, heard), 2), said);
  }

  /**
   * Mean cross entropy of the codes that are there, as the reference trains: every codebook weighs
   * the same.
   *
   * @param logits [batch, codebooks, time, vocabulary]
   */
  public static Tensor loss(Tensor logits, Columns columns) {
    return logits.flatten(0, 2).crossEntropy(columns.targets.flatten(0, -1));
  }

  private void requireTokens(Tensor tokens, Text text) {
    if (tokens.dim() != 3
        || tokens.dtype() != DType.I64
        || tokens.size(1) != config.codebooks()
        || tokens.count() == 0) {
      throw new ModelException(
          "Decoder tokens must be I64 [batch, %d, time], not %s."
              .formatted(config.codebooks(), tokens));
    }
    if (text.states().size(0) != tokens.size(0)) {
      throw new ModelException(
          "There are %d texts for %d clips.".formatted(text.states().size(0), tokens.size(0)));
    }
    Codes.requireBelow(tokens, config.vocabulary() + 1);
  }

  private Tensor forward(Block block, Tensor x, Text text) {
    Tensor normed = block.selfNorm.apply(x);
    Tensor heard = x;
    for (Share share : block.shares) {
      List<Tensor> self = share.selfInput.apply(normed).chunk(3, -1);
      Tensor looked = Attention.causal(heads(self.get(0)), heads(self.get(1)), heads(self.get(2)));
      heard = heard.add(share.selfOutput.apply(looked.transpose(1, 2).flatten(2, 3)));
    }
    Tensor told = block.cross == null ? heard : read(block.cross, heard, text);
    Tensor inside = block.innerNorm.apply(told);
    Tensor next = told;
    for (Share share : block.shares) {
      next = next.add(share.out.apply(activation.apply(share.in.apply(inside))));
    }
    return next;
  }

  private Tensor read(Cross cross, Tensor heard, Text text) {
    Tensor asking = cross.norm.apply(heard);
    Tensor told = heard;
    for (CrossShare share : cross.shares) {
      Tensor query = heads(share.query.apply(asking));
      List<Tensor> memory = share.memory.apply(text.states()).chunk(2, -1);
      Tensor read = Attention.cross(query, heads(memory.get(0)), heads(memory.get(1)), text.mask());
      told = told.add(share.output.apply(read.transpose(1, 2).flatten(2, 3)));
    }
    return told;
  }

  /** [batch, time, width] to [batch, heads, time, head width]. */
  private Tensor heads(Tensor x) {
    return x.reshape(x.size(0), x.size(1), -1, config.headWidth()).transpose(1, 2);
  }

  /** Sums the embeddings of a position's codes: I64 [..., codebooks] to [..., width]. */
  private Tensor embed(Tensor tokens) {
    Tensor offsets =
        Tensor.arange(0, config.codebooks() * (config.vocabulary() + 1L), config.vocabulary() + 1L);
    return embedding.embedding(tokens.add(offsets)).sum(-2, false);
  }

  /**
   * Positions 0 … count-1, [count, width]: cosines, then sines, of fp32 angles as the published
   * weights were trained with; an odd width ends in a zero.
   */
  Tensor positions(long count) {
    int half = config.width() / 2;
    Tensor rates = Tensor.arange(half).to(DType.F32).mul(-Math.log(10_000) / (half - 1)).exp();
    Tensor angles = Tensor.arange(count).to(DType.F32).unsqueeze(1).mul(rates.unsqueeze(0));
    Tensor both = Tensor.cat(List.of(angles.cos(), angles.sin()), 1);
    return config.width() % 2 == 0 ? both : Tensor.cat(List.of(both, Tensor.zeros(count, 1)), 1);
  }

  /**
   * Opens a decoding session.
   *
   * @param text one row for each clip
   * @param guidance above 1, classifier-free guidance by this scale; a second row per clip runs
   *     without the text
   * @param steps most steps the session will make
   */
  public MusicGenSession session(Text text, double guidance, int steps) {
    return new MusicGenSession(this, text, guidance, steps);
  }

  // ------------------------------------------------------- what a session uses, layer by layer

  int blocks() {
    return blocks.size();
  }

  /** The embeddings of I64 [clips, codebooks], summed. */
  Tensor embedStep(Tensor tokens) {
    return embed(tokens);
  }

  /** Keys and values of a text for a lane's heads: [clips, heads, tokens, head width]. */
  List<Tensor> memory(int layer, int lane, Text text) {
    List<Tensor> memory = cross(layer).shares.get(lane).memory.apply(text.states()).chunk(2, -1);
    return List.of(heads(memory.get(0)).contiguous(), heads(memory.get(1)).contiguous());
  }

  private Cross cross(int layer) {
    return Objects.requireNonNull(blocks.get(layer).cross, "a led decoder has no memory");
  }

  /** Query, key and value of a lane's heads for rows [rows, width], beside one another. */
  Tensor selfInput(int layer, int lane, Tensor x) {
    return share(layer, lane).selfInput.apply(blocks.get(layer).selfNorm.apply(x));
  }

  /** What a lane adds to the rows; the rows need what all lanes add. */
  Tensor selfOutput(int layer, int lane, Tensor looked) {
    return share(layer, lane).selfOutput.apply(looked);
  }

  Tensor crossQuery(int layer, int lane, Tensor x) {
    Cross cross = cross(layer);
    return cross.shares.get(lane).query.apply(cross.norm.apply(x));
  }

  /** As {@link #selfOutput}. */
  Tensor crossOutput(int layer, int lane, Tensor read) {
    return cross(layer).shares.get(lane).output.apply(read);
  }

  /** As {@link #selfOutput}. */
  Tensor inner(int layer, int lane, Tensor x) {
    Share share = share(layer, lane);
    return share.out.apply(activation.apply(share.in.apply(blocks.get(layer).innerNorm.apply(x))));
  }

  /**
   * A lane's scores of rows [rows, width]: [rows, codebooks × its part of the vocabulary], the
   * parts following one another lane by lane.
   */
  Tensor scores(int lane, Tensor x) {
    return heads.get(lane).apply(outNorm.apply(x));
  }

  private Share share(int layer, int lane) {
    return blocks.get(layer).shares.get(lane);
  }

  @Override
  public void close() {
    projections.forEach(Projection::close);
    adapters.close();
    owned.close();
  }
}
