package org.descant.models.published.codec;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.published.weights.Layer;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * The Descript Audio Codec (Kumar et al. 2023, arXiv:2306.06546) as published at 44.1, 24 and 16
 * kHz, and any other configuration of the family: mono waveforms to residual codes and back, in
 * fp32.
 *
 * <p>Each stage looks its code up in a narrow projection, where latents and codebook are brought to
 * length one; the value it stands for is the codebook's row as it is, projected back. Channels of a
 * stereo recording are rows of the batch. Safe for several threads at once; results belong to the
 * caller's scope; {@link #close} frees the weights.
 */
public final class Dac implements AutoCloseable {
  /**
   * Samples of one row of audio; six minutes at 44.1 kHz. Longer recordings are cut by the caller.
   */
  public static final int SAMPLES_MAX = 1 << 24;

  private static final int STAGES_MAX = 12;
  private static final int CODEBOOKS_MAX = 1024;
  private static final double LENGTH_MIN = 1e-12;

  /**
   * A stage: codebook rows as stored, the same at length one and their squares (F64), projections.
   */
  private record Stage(
      Tensor rowsKD,
      Tensor unitRowsDK,
      Tensor squares1K,
      Tensor inWeight,
      Tensor inBias,
      Tensor outWeight,
      Tensor outBias) {}

  /**
   * What {@link #encode} gives.
   *
   * @param codes I64 [batch, codebooks, frames]
   * @param latent fp32 [batch, width, frames]: the sum of what the codes stand for
   */
  public record Encoded(Tensor codes, Tensor latent) {}

  private final Owned owned;
  private final int sampleRate;
  private final List<Integer> downRatios;
  private final List<Integer> upRatios;
  private final long hop;
  private final int width;
  private final int codebookSize;
  private final Layer encoder;
  private final Layer decoder;
  private final List<Stage> stages = new ArrayList<>();

  private Dac(PublishedWeights weights, PublishedConfig config, Owned owned) {
    config.requireModelType("dac");
    this.owned = owned;
    this.sampleRate = config.whole("sampling_rate", 16_000, 1);
    List<Integer> down = config.wholes("downsampling_ratios", List.of(2, 4, 8, 8), 1);
    List<Integer> up = config.wholes("upsampling_ratios", down.reversed(), 1);
    if (down.size() > STAGES_MAX || product(down) > SAMPLES_MAX) {
      throw config.refusal(
          "downsampling_ratios", "12 stages and frames of 2^24 samples are the most");
    }
    if (up.size() > STAGES_MAX || product(up) > SAMPLES_MAX) {
      throw config.refusal(
          "upsampling_ratios", "12 stages and frames of 2^24 samples are the most");
    }
    this.downRatios = down;
    this.upRatios = up;
    this.hop = product(down);
    int encoderWidth = config.whole("encoder_hidden_size", 64, 1);
    int decoderWidth = config.whole("decoder_hidden_size", 1536, 1);
    if (decoderWidth >> up.size() < 1) {
      throw config.refusal("decoder_hidden_size", "it is halved by each of upsampling_ratios");
    }
    if ((long) encoderWidth << down.size() > SAMPLES_MAX) {
      throw config.refusal(
          "encoder_hidden_size", "doubled by each of downsampling_ratios it is too large");
    }
    this.width = config.whole("hidden_size", encoderWidth << down.size(), 1);
    this.codebookSize = config.whole("codebook_size", 1024, 2);
    if (Integer.bitCount(codebookSize) != 1) {
      throw config.refusal("codebook_size", "powers of two are");
    }
    int codebookDim = config.whole("codebook_dim", 8, 1);
    int codebooks = config.whole("n_codebooks", 9, 1);
    if (codebooks > CODEBOOKS_MAX) {
      throw config.refusal("n_codebooks", "at most " + CODEBOOKS_MAX + " are");
    }

    DacNet net = new DacNet(weights, owned);
    this.encoder = net.encoder(down, encoderWidth, width);
    this.decoder = net.decoder(up, width, decoderWidth);
    for (int i = 0; i < codebooks; i++) {
      stages.add(stage(weights.under("quantizer.quantizers." + i + "."), codebookDim));
    }
    weights.requireAllUsed();
  }

  private Stage stage(PublishedWeights weights, int narrow) {
    Tensor rows = owned.keep(weights.tensor("codebook.weight", codebookSize, narrow));
    Tensor unit = unit(rows.to(DType.F64));
    return new Stage(
        rows,
        owned.keep(unit.transpose(0, 1).contiguous()),
        owned.keep(unit.square().sum(1, false).unsqueeze(0)),
        owned.keep(weights.normedWeight("in_proj", narrow, width, 1)),
        owned.keep(weights.tensor("in_proj.bias", narrow)),
        owned.keep(weights.normedWeight("out_proj", width, narrow, 1)),
        owned.keep(weights.tensor("out_proj.bias", width)));
  }

  /**
   * Loads a codec.
   *
   * @param weights the file, or its part under the codec's prefix
   * @param config the configuration of that part
   * @throws ModelException naming the key or tensor that does not fit
   */
  public static Dac load(PublishedWeights weights, PublishedConfig config) {
    Owned owned = new Owned();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return new Dac(weights, config, owned);
    } catch (RuntimeException e) {
      owned.close();
      throw e;
    }
  }

  /** Samples per second. */
  public int sampleRate() {
    return sampleRate;
  }

  /** Samples that one frame of codes stands for; pad recordings to a multiple of it. */
  public int samplesPerFrame() {
    return Math.toIntExact(hop);
  }

  /** Frames of codes that so many samples give; an odd ratio is padded by one sample more. */
  public long frames(long samples) {
    long length = samples;
    for (int ratio : downRatios) {
      long padded = length + 2L * Math.ceilDiv(ratio, 2);
      length = Math.max(0, Math.floorDiv(padded - 2L * ratio, ratio) + 1);
    }
    return length;
  }

  /**
   * Whether decoded sound has {@link #samplesPerFrame()} samples for every frame, no more and no
   * less: both sides have the same ratios, all even.
   */
  boolean hasWholeFrames() {
    return upRatios.equals(downRatios.reversed())
        && upRatios.stream().allMatch(ratio -> ratio % 2 == 0);
  }

  /** Frames before and after a frame that its decoded samples depend on. */
  int decoderReach() {
    return DacNet.decoderReach(upRatios);
  }

  /** Frames per second. */
  public double frameRate() {
    return (double) sampleRate / hop;
  }

  /** Codebooks of a full encoding. */
  public int codebooks() {
    return stages.size();
  }

  /** Entries of each codebook. */
  public int codebookSize() {
    return codebookSize;
  }

  /** Channels of the latents. */
  public int width() {
    return width;
  }

  /**
   * Encodes waveforms.
   *
   * @param audio fp32 [batch, 1, samples], full scale ±1
   * @param quantizers how many leading codebooks to use, 1 to {@link #codebooks()}
   * @throws ModelException when the shape or the number of codebooks is not this model's
   */
  public Encoded encode(Tensor audio, int quantizers) {
    if (audio.dim() != 3
        || audio.size(1) != 1
        || audio.dtype() != DType.F32
        || audio.size(0) == 0
        || frames(audio.size(2)) < 1
        || audio.size(2) > SAMPLES_MAX) {
      throw new ModelException(
          "Audio must be F32 [batch, 1, samples] of at least one frame (%d) and at most %d samples, not"
                  .formatted(hop, SAMPLES_MAX)
              + " %s; a stereo recording is two rows.".formatted(audio));
    }
    if (quantizers < 1 || quantizers > stages.size()) {
      throw new ModelException(
          "This DAC has 1 to %d codebooks, %d were asked for."
              .formatted(stages.size(), quantizers));
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor rest = encoder.forward(audio);
      Tensor sum = rest.zerosLike();
      List<Tensor> codes = new ArrayList<>();
      for (Stage stage : stages.subList(0, quantizers)) {
        try (Scope inner = Scope.open()) {
          Tensor narrowBDF = rest.conv1d(stage.inWeight, stage.inBias, Tensor.Conv.PLAIN);
          Tensor indicesBF = nearest(stage, narrowBDF);
          codes.add(inner.keep(indicesBF));
          Tensor found = stage.rowsKD.embedding(indicesBF).transpose(1, 2);
          // The way of training's straight-through gradient; it rounds differently from `found`.
          Tensor through = narrowBDF.add(found.sub(narrowBDF));
          Tensor part = through.conv1d(stage.outWeight, stage.outBias, Tensor.Conv.PLAIN);
          sum.addInPlace(part);
          rest = inner.keep(rest.sub(part));
        }
      }
      return new Encoded(scope.keep(Tensor.stack(codes, 1)), scope.keep(sum));
    }
  }

  /**
   * The rows of the nearest direction, the first of equal ones; in F64 as in {@link EnCodec}. The
   * published search adds the codebook's squares where a distance subtracts them; they are one,
   * except that a row of zeros can only win against opposite directions.
   */
  private static Tensor nearest(Stage stage, Tensor narrowBDF) {
    long batch = narrowBDF.size(0);
    long frames = narrowBDF.size(2);
    Tensor rows = narrowBDF.transpose(1, 2).reshape(batch * frames, narrowBDF.size(1));
    return unit(rows.to(DType.F64))
        .mul(2.0)
        .matmul(stage.unitRowsDK)
        .addInPlace(stage.squares1K)
        .argmax(1, false)
        .reshape(batch, frames);
  }

  private static Tensor unit(Tensor rows) {
    return rows.div(rows.square().sum(1, true).sqrt().clampMin(LENGTH_MIN));
  }

  /**
   * The latents that any number of leading codebooks stand for, fp32 [batch, width, frames].
   *
   * @param codes I64 [batch, codebooks, frames]
   * @throws ModelException when a code is out of range or there are too many codebooks
   */
  public Tensor latent(Tensor codes) {
    if (codes.dim() != 3
        || codes.dtype() != DType.I64
        || codes.count() == 0
        || codes.size(1) > stages.size()
        || codes.size(2) > SAMPLES_MAX / hop) {
      throw new ModelException(
          "Codes must be I64 [batch, 1 to %d codebooks, 1 to %d frames], not %s."
              .formatted(stages.size(), SAMPLES_MAX / hop, codes));
    }
    Codes.requireBelow(codes, codebookSize);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor sum = Tensor.zeros(codes.size(0), width, codes.size(2));
      for (int i = 0; i < codes.size(1); i++) {
        try (Scope inner = Scope.open()) {
          Stage stage = stages.get(i);
          Tensor found = stage.rowsKD.embedding(codes.select(1, i).contiguous()).transpose(1, 2);
          sum.addInPlace(found.conv1d(stage.outWeight, stage.outBias, Tensor.Conv.PLAIN));
        }
      }
      return scope.keep(sum);
    }
  }

  /** Decodes any number of leading codebooks: I64 [batch, codebooks, frames] to audio. */
  public Tensor decode(Tensor codes) {
    try (Scope scope = Scope.open()) {
      return scope.keep(decodeLatent(latent(codes)));
    }
  }

  /**
   * Decodes latents, fp32 [batch, width, frames].
   *
   * @return fp32 [batch, 1, samples]; frames × {@link #samplesPerFrame()} of them where all ratios
   *     are even, a few less where one is odd
   */
  public Tensor decodeLatent(Tensor latent) {
    if (latent.dim() != 3
        || latent.size(1) != width
        || latent.count() == 0
        || latent.size(2) > SAMPLES_MAX / hop) {
      throw new ModelException(
          "Latents must be [batch, %d, 1 to %d frames], not %s."
              .formatted(width, SAMPLES_MAX / hop, latent));
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return scope.keep(decoder.forward(latent));
    }
  }

  private static long product(List<Integer> ratios) {
    long product = 1;
    for (int ratio : ratios) {
      product = Math.min(product * ratio, Integer.MAX_VALUE); // far above every limit already
    }
    return product;
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owned.close();
  }
}
