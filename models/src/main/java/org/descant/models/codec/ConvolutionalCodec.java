package org.descant.models.codec;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.descant.models.ModelException;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * The codec that others are measured against: the network and the quantiser of Kumar, Seetharaman,
 * Luebs, Kumar, Kumar, "High-Fidelity Audio Compression with Improved RVQGAN" (2023,
 * arXiv:2306.06546), to be trained here on the same data for the same compute.
 *
 * <pre>
 *   waveform -> conv 7 -> per ratio: 3 residual units (dilation 1, 3, 9), strided conv -> conv 3
 *     -> residual VQ in a few dimensions, by direction -> codes
 *   codes -> conv 7 -> per ratio: transposed conv, 3 residual units -> conv 7 -> tanh
 * </pre>
 *
 * <p>Every convolution is weight-normalised (Salimans and Kingma 2016), every activation is Snake
 * (Ziyin et al. 2020) with a learned α per channel. Gradients pass the quantiser straight through;
 * a commitment loss moves the encoder, a codebook loss the entries. For half of the recordings of a
 * batch a random number of leading codebooks is used, so that one set of weights serves several bit
 * rates.
 *
 * <p>What the paper has and this does not: adversarial and feature-matching losses. What this has
 * and the paper does not: entries that are hardly ever chosen are put on vectors of the batch, all
 * of them at the first step (the random restarts of Dhariwal et al., "Jukebox", 2020); without, a
 * run of minutes uses 3 of 1,024 entries, which would be no fair peer.
 *
 * <p>Trains in fp32: bf16 was no faster here, since most of the time goes into long convolutions of
 * few channels. {@link #save} writes what the published checkpoints have, with the weight
 * normalisation folded in; {@code org.descant.models.published.codec.Dac} runs it. One thread at a
 * time; {@link #close} frees the weights.
 */
public final class ConvolutionalCodec implements AutoCloseable {
  private static final int KERNEL = 7;
  private static final int LAST_ENCODER_KERNEL = 3;
  private static final int[] DILATIONS = {1, 3, 9};
  private static final double ALPHA_MIN = 1e-9;
  private static final double LENGTH_MIN = 1e-12;

  private static final double MEL_WEIGHT = 15;
  private static final double STFT_WEIGHT = 1;
  private static final double COMMITMENT_WEIGHT = 0.25;
  private static final double CODEBOOK_WEIGHT = 1;

  /** Share of a batch's recordings that use fewer codebooks. */
  private static final double DROPOUT_SHARE = 0.5;

  /** Of the running count of an entry's choices. */
  private static final double USAGE_DECAY = 0.9;

  /** Entries are restarted that are chosen less often than so many times the average. */
  private static final float DEAD_SHARE = 0.1f;

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final ConvolutionalCodecConfig config;
  private final ParameterStore store;
  private final List<Normed> convolutions = new ArrayList<>();
  private final List<UnaryOperator<Tensor>> encoder = new ArrayList<>();
  private final List<Stage> stages = new ArrayList<>();
  private final List<UnaryOperator<Tensor>> decoder = new ArrayList<>();

  /** A codebook with how often its entries are chosen a step, and the projections around it. */
  private record Stage(Normed in, Parameter rowsKD, Parameter usageK, Normed out) {}

  /**
   * The terms of a batch, scalars with gradients.
   *
   * @param total the weighted sum: 15 mel + stft + 0.25 commitment + codebook
   * @param mel as in {@link WaveformLoss}
   * @param stft as there
   * @param commitment mean squared distance of latents to entries, summed over codebooks
   * @param codebook the same number, with gradients to the entries
   */
  public record Terms(Tensor total, Tensor mel, Tensor stft, Tensor commitment, Tensor codebook) {}

  /**
   * What a waveform becomes.
   *
   * @param codes I64 [batch, codebooks, frames]
   * @param waveform fp32 [batch, 1, samples]
   */
  public record Coded(Tensor codes, Tensor waveform) {}

  private record Quantised(Tensor sum, List<Tensor> codes, Tensor commitment, Tensor codebook) {}

  private ConvolutionalCodec(ConvolutionalCodecConfig config, long seed) {
    this.config = config;
    this.store = new ParameterStore(seed);
    addEncoder();
    for (int k = 0; k < config.codebooks(); k++) {
      String name = "quantizer.quantizers." + k;
      stages.add(
          new Stage(
              new Normed(name + ".in_proj", config.codebookDim(), config.latent(), 1, false),
              store.declareUndecayed(
                  name + ".codebook.weight",
                  Initializer.normal(1),
                  config.codebookSize(),
                  config.codebookDim()),
              store.declareState(name + ".usage", Initializer.zeros(), config.codebookSize()),
              new Normed(name + ".out_proj", config.latent(), config.codebookDim(), 1, false)));
    }
    addDecoder();
  }

  /** A codec with fresh weights that can be trained. */
  public static ConvolutionalCodec create(ConvolutionalCodecConfig config, long seed) {
    ConvolutionalCodec codec = new ConvolutionalCodec(config, seed);
    codec.store.build();
    return codec;
  }

  public ConvolutionalCodecConfig config() {
    return config;
  }

  /** All weights: what the optimiser moves and a checkpoint holds. */
  public ParameterStore parameters() {
    return store;
  }

  // ---------------------------------------------------------------- layers

  /** A weight-normalised convolution: lengths along the first dimension times directions. */
  private final class Normed {
    private final String name;
    private final Parameter length;
    private final Parameter direction;
    private final Parameter bias;

    /** A transposed one has its inputs first. */
    Normed(String name, int outputs, int inputs, int kernel, boolean transposed) {
      long first = transposed ? inputs : outputs;
      long second = transposed ? outputs : inputs;
      double fan = Math.sqrt((double) second * kernel);
      this.name = name;
      // Uniform directions in ±1/√fan have length 1/√3 on average.
      this.length =
          store.declareUndecayed(
              name + ".weight_g", Initializer.constant(1 / Math.sqrt(3)), first, 1, 1);
      this.direction =
          store.declare(name + ".weight_v", Initializer.uniform(1 / fan), first, second, kernel);
      this.bias = store.declare(name + ".bias", Initializer.uniform(1 / fan), outputs);
      convolutions.add(this);
    }

    Tensor weight() {
      Tensor norm = direction.tensor().square().sum(new long[] {1, 2}, true).sqrt();
      return direction.tensor().mul(length.tensor().div(norm));
    }

    Tensor apply(Tensor x, Tensor.Conv shape) {
      return x.conv1d(weight(), bias.tensor(), shape);
    }
  }

  private void addEncoder() {
    int wide = config.encoderWidth();
    encoder.add(convolution("encoder.conv1", 1, wide, KERNEL, Tensor.Conv.same(KERNEL)));
    for (int i = 0; i < config.ratios().size(); i++) {
      String block = "encoder.block." + i;
      int ratio = config.ratios().get(i);
      addUnits(encoder, block, wide);
      encoder.add(snake(block + ".snake1", wide));
      encoder.add(convolution(block + ".conv1", wide, 2 * wide, 2 * ratio, strided(ratio)));
      wide *= 2;
    }
    encoder.add(snake("encoder.snake1", wide));
    encoder.add(
        convolution(
            "encoder.conv2",
            wide,
            config.latent(),
            LAST_ENCODER_KERNEL,
            Tensor.Conv.same(LAST_ENCODER_KERNEL)));
  }

  private void addDecoder() {
    int wide = config.decoderWidth();
    decoder.add(
        convolution("decoder.conv1", config.latent(), wide, KERNEL, Tensor.Conv.same(KERNEL)));
    for (int i = 0; i < config.ratios().size(); i++) {
      String block = "decoder.block." + i;
      int ratio = config.ratios().reversed().get(i);
      int half = config.decoderWidth() >> (i + 1);
      decoder.add(snake(block + ".snake1", wide));
      Normed up = new Normed(block + ".conv_t1", half, wide, 2 * ratio, true);
      decoder.add(x -> x.convTranspose1d(up.weight(), up.bias.tensor(), strided(ratio), 0));
      addUnits(decoder, block, half);
      wide = half;
    }
    decoder.add(snake("decoder.snake1", wide));
    decoder.add(convolution("decoder.conv2", wide, 1, KERNEL, Tensor.Conv.same(KERNEL)));
    decoder.add(Tensor::tanh);
  }

  private void addUnits(List<UnaryOperator<Tensor>> layers, String block, int wide) {
    for (int i = 0; i < DILATIONS.length; i++) {
      String unit = block + ".res_unit" + (i + 1);
      long dilation = DILATIONS[i];
      Tensor.Conv keeping =
          Tensor.Conv.PLAIN.withDilation(dilation).withPadding((KERNEL - 1) / 2 * dilation);
      List<UnaryOperator<Tensor>> change =
          List.of(
              snake(unit + ".snake1", wide),
              convolution(unit + ".conv1", wide, wide, KERNEL, keeping),
              snake(unit + ".snake2", wide),
              convolution(unit + ".conv2", wide, wide, 1, Tensor.Conv.PLAIN));
      layers.add(x -> x.add(through(change, x)));
    }
  }

  private static Tensor.Conv strided(int ratio) {
    return Tensor.Conv.PLAIN.withStride(ratio).withPadding(ratio / 2);
  }

  private UnaryOperator<Tensor> convolution(
      String name, int inputs, int outputs, int kernel, Tensor.Conv shape) {
    Normed normed = new Normed(name, outputs, inputs, kernel, false);
    return x -> normed.apply(x, shape);
  }

  private UnaryOperator<Tensor> snake(String name, int channels) {
    Parameter alpha = store.declareUndecayed(name + ".alpha", Initializer.ones(), 1, channels, 1);
    return x -> {
      Tensor a = alpha.tensor();
      return x.add(x.mul(a).sin().square().mul(a.add(ALPHA_MIN).reciprocal()));
    };
  }

  private static Tensor through(List<UnaryOperator<Tensor>> layers, Tensor x) {
    Tensor at = x;
    for (UnaryOperator<Tensor> layer : layers) {
      at = layer.apply(at);
    }
    return at;
  }

  // ---------------------------------------------------------------- quantiser

  /**
   * @param kept for each codebook 1 for the rows of the batch that use it, 0 for the others
   * @param random of restarts; null leaves the codebooks as they are
   */
  private Quantised quantise(
      Tensor latentBDF, List<float[]> kept, @Nullable SplittableRandom random) {
    Tensor rest = latentBDF;
    Tensor sum = latentBDF.zerosLike();
    Tensor commitment = Tensor.scalar(0);
    Tensor codebook = Tensor.scalar(0);
    List<Tensor> codes = new ArrayList<>();
    for (int k = 0; k < kept.size(); k++) {
      Stage stage = stages.get(k);
      Tensor keepB = Tensor.of(kept.get(k), kept.get(k).length);
      Tensor narrow = stage.in.apply(rest, Tensor.Conv.PLAIN);
      if (random != null) {
        restartDead(stage, narrow, random);
      }
      Tensor indexBF = nearest(narrow, stage.rowsKD.tensor());
      if (random != null) {
        count(stage, indexBF);
      }
      Tensor found = stage.rowsKD.tensor().embedding(indexBF).transpose(1, 2);
      commitment = commitment.add(distance(narrow, found.detach()).mul(keepB).mean());
      codebook = codebook.add(distance(found, narrow.detach()).mul(keepB).mean());
      Tensor straight = narrow.add(found.sub(narrow).detach());
      Tensor part = stage.out.apply(straight, Tensor.Conv.PLAIN);
      sum = sum.add(part.mul(keepB.reshape(-1, 1, 1)));
      rest = rest.sub(part);
      codes.add(indexBF);
    }
    return new Quantised(sum, codes, commitment, codebook);
  }

  /**
   * Puts entries that are hardly chosen on vectors of the batch, as if chosen like the average.
   *
   * <p>Entries are written as plain memory: the store's parameters are views of one buffer, and
   * libtorch would take a change to one of them for a change to all that backward still needs.
   * Backward needs no entries, only which were chosen.
   */
  private void restartDead(Stage stage, Tensor narrowBDF, SplittableRandom random) {
    int dim = config.codebookDim();
    float[] vectors = narrowBDF.detach().transpose(1, 2).contiguous().toFloats();
    float[] rows = stage.rowsKD.tensor().toFloats();
    float[] usage = stage.usageK.tensor().toFloats();
    int count = vectors.length / dim;
    float average = (float) count / usage.length;
    for (int i = 0; i < usage.length; i++) {
      if (usage[i] < DEAD_SHARE * average) {
        System.arraycopy(vectors, random.nextInt(count) * dim, rows, i * dim, dim);
        usage[i] = average;
      }
    }
    stage.rowsKD.tensor().copyFrom(rows);
    stage.usageK.tensor().copyFrom(usage);
  }

  private void count(Stage stage, Tensor indexBF) {
    try (NoGrad noGrad = NoGrad.open()) {
      Tensor hits =
          Tensor.zeros(config.codebookSize())
              .indexAddInPlace(0, indexBF.reshape(-1), Tensor.ones(indexBF.count()));
      stage.usageK.tensor().lerpInPlace(hits, 1 - USAGE_DECAY);
    }
  }

  /** Mean squared distance of each row of the batch. */
  private static Tensor distance(Tensor a, Tensor b) {
    return a.sub(b).square().mean(new long[] {1, 2}, false);
  }

  /** The entries of the nearest direction, I64 [batch, frames]; fp64 tells neighbours apart. */
  private static Tensor nearest(Tensor narrowBDF, Tensor rowsKD) {
    try (NoGrad noGrad = NoGrad.open()) {
      Tensor vectors = unit(narrowBDF.detach().transpose(1, 2));
      return vectors.matmul(unit(rowsKD.detach()).transpose(0, 1)).argmax(2, false);
    }
  }

  private static Tensor unit(Tensor vectors) {
    Tensor wide = vectors.to(DType.F64);
    return wide.div(wide.square().sum(-1, true).sqrt().clampMin(LENGTH_MIN));
  }

  // ---------------------------------------------------------------- training

  /**
   * Forward pass of one training batch; restarts dead entries.
   *
   * @param audioB1N waveforms, fp32 [batch, 1, samples], a whole number of frames and at least
   *     {@link WaveformLoss#samplesMin()} samples
   * @param loss for the codec's sample rate
   * @param seed of this step's random draws (numbers of codebooks, restarts); give each step its
   *     own
   */
  public Terms train(Tensor audioB1N, WaveformLoss loss, long seed) {
    requireAudio(audioB1N);
    Tensor latent = through(encoder, audioB1N);
    SplittableRandom random = new SplittableRandom(seed);
    Quantised quantised = quantise(latent, kept((int) audioB1N.size(0), random), random);
    Tensor made = through(decoder, quantised.sum);
    WaveformLoss.Terms terms = loss.of(made, audioB1N);
    Tensor total =
        terms
            .mel()
            .mul(MEL_WEIGHT)
            .add(terms.stft().mul(STFT_WEIGHT))
            .add(quantised.commitment.mul(COMMITMENT_WEIGHT))
            .add(quantised.codebook.mul(CODEBOOK_WEIGHT));
    return new Terms(total, terms.mel(), terms.stft(), quantised.commitment, quantised.codebook);
  }

  private List<float[]> kept(int batch, SplittableRandom random) {
    List<float[]> kept = new ArrayList<>();
    for (int k = 0; k < config.codebooks(); k++) {
      kept.add(new float[batch]);
    }
    for (int row = 0; row < batch; row++) {
      boolean fewer = random.nextDouble() < DROPOUT_SHARE;
      int uses = fewer ? 1 + random.nextInt(config.codebooks()) : config.codebooks();
      for (int k = 0; k < uses; k++) {
        kept.get(k)[row] = 1;
      }
    }
    return kept;
  }

  /**
   * Codes waveforms of a few seconds and decodes them, without learning.
   *
   * @param audioB1N fp32 [batch, 1, samples], a whole number of frames
   * @param codebooks how many leading ones to use
   */
  public Coded code(Tensor audioB1N, int codebooks) {
    requireAudio(audioB1N);
    if (codebooks < 1 || codebooks > config.codebooks()) {
      throw new ModelException(
          "This codec has 1 to %d codebooks, %d were asked for."
              .formatted(config.codebooks(), codebooks));
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      float[] all = new float[(int) audioB1N.size(0)];
      Arrays.fill(all, 1);
      Quantised quantised =
          quantise(through(encoder, audioB1N), Collections.nCopies(codebooks, all), null);
      Tensor made = through(decoder, quantised.sum);
      return new Coded(scope.keep(Tensor.stack(quantised.codes, 1)), scope.keep(made));
    }
  }

  private void requireAudio(Tensor audio) {
    if (audio.dim() != 3
        || audio.size(1) != 1
        || audio.dtype() != DType.F32
        || audio.count() == 0
        || audio.size(2) % config.samplesPerFrame() != 0) {
      throw new ModelException(
          "Audio must be F32 [batch, 1, a multiple of %d samples], not %s."
              .formatted(config.samplesPerFrame(), audio));
    }
  }

  // ---------------------------------------------------------------- files

  /**
   * Writes the model folder that the published checkpoints of this family have: {@code
   * model.safetensors} (fp32, weight normalisation folded in) and {@code config.json}.
   *
   * @throws ModelException when the folder cannot be written
   */
  public void save(Path folder) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Files.createDirectories(folder);
      Map<String, Tensor> tensors = new TreeMap<>();
      store.saveTo("", tensors);
      for (Stage stage : stages) {
        tensors.remove(stage.usageK.name());
      }
      for (Normed normed : convolutions) {
        tensors.remove(normed.length.name());
        tensors.remove(normed.direction.name());
        tensors.put(normed.name + ".weight", normed.weight());
      }
      SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
      Path aside = folder.resolve("config.json.tmp");
      Files.writeString(aside, JSON.writeValueAsString(published()) + "\n");
      Files.move(
          aside,
          folder.resolve("config.json"),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new ModelException("Cannot write a model to %s: %s.".formatted(folder, e), e);
    }
  }

  private Map<String, Object> published() {
    Map<String, Object> keys = new LinkedHashMap<>();
    keys.put("architectures", List.of("DacModel"));
    keys.put("model_type", "dac");
    keys.put("sampling_rate", config.sampleRate());
    keys.put("encoder_hidden_size", config.encoderWidth());
    keys.put("downsampling_ratios", config.ratios());
    keys.put("decoder_hidden_size", config.decoderWidth());
    keys.put("upsampling_ratios", config.ratios().reversed());
    keys.put("hidden_size", config.latent());
    keys.put("hop_length", config.samplesPerFrame());
    keys.put("n_codebooks", config.codebooks());
    keys.put("codebook_size", config.codebookSize());
    keys.put("codebook_dim", config.codebookDim());
    keys.put("quantizer_dropout", DROPOUT_SHARE);
    keys.put("commitment_loss_weight", COMMITMENT_WEIGHT);
    keys.put("codebook_loss_weight", CODEBOOK_WEIGHT);
    keys.put("torch_dtype", "float32");
    return keys;
  }

  /** Frees the weights. */
  @Override
  public void close() {
    store.close();
  }
}
