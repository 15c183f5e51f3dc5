package org.descant.models.published.text;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.published.weights.Activation;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The encoder of T5 (Raffel et al. 2020, arXiv:1910.10683) and of T5 1.1 with gated linear units
 * (Shazeer 2020, arXiv:2002.05202), as published: token ids to hidden states, in fp32.
 *
 * <p>Pre-norm blocks of self-attention and feed-forward, root-mean-square norms without bias, no
 * scaling of the attention scores, and one table of relative-position biases that all layers share.
 * Safe for several threads at once; {@link #close} frees the weights.
 */
public final class T5Encoder implements AutoCloseable {
  /**
   * Tokens of one text; scores grow with the square, and published encoders were trained on 512.
   */
  private static final int TOKENS_MAX = 8192;

  private static final double MASKED = -Float.MAX_VALUE;

  private record Shape(
      int width, int headWidth, int inner, int layers, int heads, int vocabulary) {}

  /** gate is null in the plain feed-forward. */
  private record Block(
      Tensor attentionNorm,
      Tensor queryWeight,
      Tensor keyWeight,
      Tensor valueWeight,
      Tensor outputWeight,
      Tensor feedForwardNorm,
      @Nullable Tensor gateWeight,
      Tensor inWeight,
      Tensor outWeight) {}

  private final Owned owned;
  private final Shape shape;
  private final double epsilon;
  private final int buckets;
  private final int maxDistance;
  private final Activation activation;
  private final Tensor embedding;
  private final Tensor positionBias;
  private final List<Block> blocks;
  private final Tensor finalNorm;

  private T5Encoder(PublishedWeights weights, PublishedConfig config, Owned owned) {
    config.requireModelType("t5");
    if (config.flag("is_decoder", false)) {
      throw config.refusal("is_decoder", "only encoders are loaded here");
    }
    this.owned = owned;
    this.shape =
        new Shape(
            aliased(config, "d_model", "hidden_size", 512),
            aliased(config, "d_kv", "head_dim", 64),
            config.whole("d_ff", 2048, 1),
            aliased(config, "num_layers", "num_hidden_layers", 6),
            aliased(config, "num_heads", "num_attention_heads", 8),
            config.whole("vocab_size", 32128, 1));
    this.epsilon = config.number("layer_norm_epsilon", 1e-6);
    this.buckets = config.whole("relative_attention_num_buckets", 32, 4);
    this.maxDistance = config.whole("relative_attention_max_distance", 128, 1);
    if (maxDistance <= buckets / 4) {
      throw config.refusal(
          "relative_attention_max_distance",
          "more than a quarter of relative_attention_num_buckets is needed");
    }

    // "relu", "gated-gelu", …; files of the reference implementation repeat what they mean by it in
    // two more keys, which win. "gated-gelu" has always meant the tanh form.
    String projection = config.text("feed_forward_proj", "relu");
    String[] parts = projection.split("-", -1);
    if (parts.length > 2 || (parts.length == 2 && !parts[0].equals("gated"))) {
      throw config.refusal("feed_forward_proj", "an activation or gated-<activation> is");
    }
    String meant = projection.equals("gated-gelu") ? "gelu_new" : parts[parts.length - 1];
    boolean stated = config.has("dense_act_fn");
    this.activation =
        Activation.named(
            config,
            stated ? "dense_act_fn" : "feed_forward_proj",
            config.text("dense_act_fn", meant));
    boolean gated = config.flag("is_gated_act", parts[0].equals("gated"));

    this.embedding = owned.keep(embedding(weights, shape.vocabulary, shape.width));
    this.positionBias =
        owned.keep(
            weights.tensor(
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                buckets,
                shape.heads));
    this.blocks = new ArrayList<>();
    for (int i = 0; i < shape.layers; i++) {
      blocks.add(block(weights.under("encoder.block." + i + ".layer."), gated));
    }
    this.finalNorm = owned.keep(weights.tensor("encoder.final_layer_norm.weight", shape.width));
    weights.ignoreUnder("decoder.");
    weights.ignore("lm_head.weight");
    weights.requireAllUsed();
  }

  /**
   * Loads an encoder; a whole T5's decoder is left out.
   *
   * @param weights the file, or its part under the encoder's prefix (a MusicGen's "text_encoder.")
   * @param config the configuration of that part
   * @throws ModelException naming the key or tensor that does not fit
   */
  public static T5Encoder load(PublishedWeights weights, PublishedConfig config) {
    Owned owned = new Owned();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return new T5Encoder(weights, config, owned);
    } catch (RuntimeException e) {
      owned.close();
      throw e;
    }
  }

  /** Width of the hidden states. */
  public int width() {
    return shape.width;
  }

  /** Token ids run from 0 to below this. */
  public int vocabulary() {
    return shape.vocabulary;
  }

  /**
   * Encodes a batch of texts.
   *
   * @param inputIds I64 [batch, tokens]
   * @param attentionMask [batch, tokens], 0 where a token is padding: no position attends to it
   *     (its own state is still computed, as the reference does); null means no padding
   * @return fp32 [batch, tokens, {@link #width()}] in the caller's scope
   * @throws ModelException when shapes do not belong together or an id is outside the vocabulary
   */
  public Tensor encode(Tensor inputIds, @Nullable Tensor attentionMask) {
    requireIds(inputIds, attentionMask);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor biasBHQK = relativeBias(inputIds.size(1));
      if (attentionMask != null) {
        Tensor masked = attentionMask.eq(0.0).to(DType.F32).mul(MASKED);
        biasBHQK = biasBHQK.add(masked.unsqueeze(1).unsqueeze(1));
      }
      Tensor x = embedding.embedding(inputIds);
      for (Block block : blocks) {
        Tensor next;
        try (Scope inner = Scope.open()) {
          next = inner.keep(forward(block, x, biasBHQK));
        }
        x.close();
        x = next;
      }
      return scope.keep(x.rmsNorm(finalNorm, epsilon));
    }
  }

  private void requireIds(Tensor inputIds, @Nullable Tensor attentionMask) {
    if (inputIds.dim() != 2 || inputIds.dtype() != DType.I64 || inputIds.count() == 0) {
      throw new ModelException("Token ids must be I64 [batch, tokens], not " + inputIds + ".");
    }
    if (inputIds.size(1) > TOKENS_MAX) {
      throw new ModelException(
          "A text has %d tokens; cut it to %d.".formatted(inputIds.size(1), TOKENS_MAX));
    }
    if (attentionMask != null
        && (attentionMask.dim() != 2
            || attentionMask.size(0) != inputIds.size(0)
            || attentionMask.size(1) != inputIds.size(1))) {
      throw new ModelException(
          "The attention mask %s does not have the shape of the token ids %s."
              .formatted(attentionMask, inputIds));
    }
    try (Scope scope = Scope.open()) {
      long least = inputIds.amin().itemLong();
      long most = inputIds.amax().itemLong();
      if (least < 0 || most >= shape.vocabulary) {
        throw new ModelException(
            "Token id %d is outside the vocabulary of %d."
                .formatted(least < 0 ? least : most, shape.vocabulary));
      }
    }
  }

  private Tensor forward(Block block, Tensor x, Tensor bias) {
    Tensor normed = x.rmsNorm(block.attentionNorm, epsilon);
    Tensor scores =
        heads(normed.linear(block.queryWeight))
            .matmul(heads(normed.linear(block.keyWeight)).transpose(2, 3))
            .addInPlace(bias);
    Tensor mixed =
        scores
            .softmax(-1)
            .matmul(heads(normed.linear(block.valueWeight)))
            .transpose(1, 2)
            .flatten(2, 3);
    Tensor attended = x.add(mixed.linear(block.outputWeight));

    Tensor inner = attended.rmsNorm(block.feedForwardNorm, epsilon);
    Tensor hidden;
    if (block.gateWeight == null) {
      hidden = activation.apply(inner.linear(block.inWeight));
    } else {
      hidden = activation.apply(inner.linear(block.gateWeight)).mul(inner.linear(block.inWeight));
    }
    return attended.add(hidden.linear(block.outWeight));
  }

  /** [batch, tokens, heads × width] to [batch, heads, tokens, width]. */
  private Tensor heads(Tensor x) {
    return x.reshape(x.size(0), x.size(1), shape.heads, shape.headWidth).transpose(1, 2);
  }

  /**
   * Biases of every (query, key) pair, [1, heads, tokens, tokens].
   *
   * <p>Half of the buckets are for keys after the query. Within a half, the first half counts
   * single steps and the rest grow with the logarithm of the distance up to the longest. The
   * arithmetic is fp32 on purpose: at a border the rounding decides the bucket, and the weights
   * were trained so.
   */
  private Tensor relativeBias(long tokens) {
    int half = buckets / 2;
    int exact = half / 2;
    Tensor positions = Tensor.arange(tokens);
    Tensor distance = positions.unsqueeze(0).sub(positions.unsqueeze(1));
    Tensor after = distance.gt(0.0).to(DType.I64).mul((long) half);
    Tensor steps = distance.abs();
    Tensor far =
        steps
            .to(DType.F32)
            .clampMin(1) // distance 0 is near; it must not reach the logarithm
            .div((double) exact)
            .log()
            .div(Math.log((double) maxDistance / exact))
            .mul((double) (half - exact))
            .clampMax(half - exact - 1)
            .to(DType.I64)
            .add((long) exact);
    Tensor bucket = steps.where(steps.lt(exact), far).add(after);
    return positionBias.embedding(bucket).permute(2, 0, 1).unsqueeze(0).contiguous();
  }

  private Block block(PublishedWeights weights, boolean gated) {
    int wide = shape.heads * shape.headWidth;
    String feed = "1.DenseReluDense.";
    return new Block(
        owned.keep(weights.tensor("0.layer_norm.weight", shape.width)),
        owned.keep(weights.tensor("0.SelfAttention.q.weight", wide, shape.width)),
        owned.keep(weights.tensor("0.SelfAttention.k.weight", wide, shape.width)),
        owned.keep(weights.tensor("0.SelfAttention.v.weight", wide, shape.width)),
        owned.keep(weights.tensor("0.SelfAttention.o.weight", shape.width, wide)),
        owned.keep(weights.tensor("1.layer_norm.weight", shape.width)),
        gated ? owned.keep(weights.tensor(feed + "wi_0.weight", shape.inner, shape.width)) : null,
        owned.keep(
            weights.tensor(feed + (gated ? "wi_1" : "wi") + ".weight", shape.inner, shape.width)),
        owned.keep(weights.tensor(feed + "wo.weight", shape.width, shape.inner)));
  }

  /** The token table goes by two names; where a file has both, they must be one table. */
  private static Tensor embedding(PublishedWeights weights, int vocabulary, int width) {
    String shared = "shared.weight";
    String own = "encoder.embed_tokens.weight";
    if (!weights.contains(own)) {
      return weights.tensor(shared, vocabulary, width);
    }
    Tensor table = weights.tensor(own, vocabulary, width);
    if (weights.contains(shared)
        && table.sub(weights.tensor(shared, vocabulary, width)).abs().amax().item() != 0) {
      throw new ModelException(
          "%s and %s differ, where one token table belongs: the file is not a T5 as published."
              .formatted(shared, own));
    }
    return table;
  }

  private static int aliased(PublishedConfig config, String key, String alias, int otherwise) {
    return config.whole(key, config.whole(alias, otherwise, 1), 1);
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owned.close();
  }
}
