package org.descant.models.codec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.models.BatchShare;
import org.descant.models.ModelException;
import org.descant.models.flow.FlowModel;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.QuantizedLinear;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The house codec: log magnitudes to tokens and back, phases by signal processing or, where {@link
 * CodecConfig#phases} says so, by the network.
 *
 * <pre>
 *   44.1 kHz -> STFT 2048/512 of the mid, dB -> 2 frames a latent frame (43.07 Hz) + stereo image
 *     -> linear -> ConvNeXt blocks -> 32 numbers, layer-normed -> residual VQ -> codes
 *   codes -> sum of entries -> ConvNeXt blocks -> dB -> phases -> mid; image -> side
 * </pre>
 *
 * <p>A linear codec runs beside the network and is added to it (see {@link LinearCodec}).
 *
 * <p>ConvNeXt blocks as in Vocos (Siuzdak 2023): depthwise convolution over 7 frames, layer norm, a
 * widening and a narrowing linear layer with GELU between, a learned scale, a residual path. The
 * decoder's convolutions see 5 frames back and 1 ahead, so a stream lags by one frame a block.
 *
 * <p>Training calls {@link #features} in any thread and {@link #train} in the training thread; the
 * codebooks move inside {@link #train}, everything else by the optimiser over {@link #parameters}.
 * One thread at a time; {@link #close} frees the weights.
 */
public final class MagnitudeCodec implements Codec, AutoCloseable {
  /** Bins of an STFT frame. */
  public static final int BINS = CodecFeatures.BINS;

  private static final int KERNEL = 7;
  private static final int DECODER_AHEAD = 1;
  private static final double EPSILON = 1e-6;

  /** Frames the network works on at once, beside their context. */
  private static final int CHUNK_FRAMES = 1024;

  /** Longest waveform: half an hour. */
  private static final int SAMPLES_MAX = 30 * 60 * CodecFeatures.SAMPLE_RATE;

  private static final long START_SEED = 0xa5e5;

  private final CodecConfig config;
  private final ParameterStore store;
  private final int featureSize;
  private final Linear in;
  private final Block[] encoder;
  private final Linear toLatent;
  private final Linear skipIn;
  private final ResidualVq quantiser;
  private final Linear fromLatent;
  private final Block[] decoder;
  private final Norm outNorm;
  private final Linear out;
  private final Linear skipOut;
  private final @Nullable PhaseHead phases;

  private MagnitudeCodec(CodecConfig config, long seed) {
    this.config = config;
    this.store = new ParameterStore(seed);
    this.featureSize = CodecFeatures.size(config.stereoBands());
    int width = config.width();
    this.in = new Linear("in", featureSize, width, fan(featureSize));
    this.encoder = new Block[config.encoderBlocks()];
    Arrays.setAll(
        encoder, i -> new Block("encoder." + i, config.encoderBlocks(), (KERNEL - 1) / 2));
    this.toLatent = new Linear("latent", width, config.latent(), Initializer.zeros());
    this.skipIn = new Linear("skip.in", featureSize, config.latent(), fan(featureSize));
    this.quantiser = new ResidualVq(config, store);
    this.fromLatent = new Linear("unlatent", config.latent(), width, fan(config.latent()));
    this.decoder = new Block[config.decoderBlocks()];
    Arrays.setAll(decoder, i -> new Block("decoder." + i, config.decoderBlocks(), DECODER_AHEAD));
    this.outNorm = new Norm("out.norm");
    this.out = new Linear("out", width, featureSize, Initializer.zeros());
    this.skipOut = new Linear("skip.out", config.latent(), featureSize, fan(config.latent()));
    this.phases =
        switch (config.phases()) {
          case RECOVERED -> null;
          case NETWORK -> new PhaseHead();
        };
  }

  /** A codec with fresh weights that can be trained. */
  public static MagnitudeCodec create(CodecConfig config, long seed) {
    MagnitudeCodec codec = new MagnitudeCodec(config, seed);
    codec.store.build();
    return codec;
  }

  /** A codec without gradients, to load weights into. */
  public static MagnitudeCodec frozen(CodecConfig config) {
    MagnitudeCodec codec = new MagnitudeCodec(config, 0);
    codec.store.buildFrozen();
    return codec;
  }

  public CodecConfig config() {
    return config;
  }

  /**
   * Makes int8 copies of the decoder's large matrices, with which it decodes from now on: a third
   * of the time, about 1 % of error in each product. For loaded models; a packed codec does not
   * learn.
   */
  public void pack() {
    for (Block block : decoder) {
      block.widen.pack();
      block.narrow.pack();
    }
    out.pack();
    if (phases != null) {
      phases.matrices().forEach(Linear::pack);
    }
  }

  /** Weights and codebook state: all that a checkpoint must hold. */
  public ParameterStore parameters() {
    return store;
  }

  // ---------------------------------------------------------------- layers

  private static Initializer fan(int in) {
    return Initializer.normal(1 / Math.sqrt(in));
  }

  private final class Linear {
    private final Parameter weight;
    private final Parameter bias;
    private @Nullable QuantizedLinear packed;

    Linear(String name, int from, int to, Initializer start) {
      weight = store.declare(name + ".weight", start, to, from);
      bias = store.declare(name + ".bias", Initializer.zeros(), to);
    }

    Tensor apply(Tensor x) {
      QuantizedLinear fast = packed;
      return fast == null ? x.linear(weight.tensor(), bias.tensor()) : fast.apply(x);
    }

    void pack() {
      unpack();
      packed = new QuantizedLinear(weight.tensor(), bias.tensor());
    }

    void unpack() {
      if (packed != null) {
        packed.close();
        packed = null;
      }
    }
  }

  private final class Norm {
    private final Parameter scale;
    private final Parameter shift;

    Norm(String name) {
      scale = store.declare(name + ".weight", Initializer.ones(), config.width());
      shift = store.declare(name + ".bias", Initializer.zeros(), config.width());
    }

    Tensor apply(Tensor x) {
      return x.layerNorm(scale.tensor(), shift.tensor(), EPSILON);
    }
  }

  private final class Block {
    private final Parameter filter;
    private final Parameter filterBias;
    private final Norm norm;
    private final Linear widen;
    private final Linear narrow;
    private final Parameter layerScale;
    private final int ahead;
    private final Tensor.Conv conv = new Tensor.Conv(1, 0, 1, config.width());

    Block(String name, int blocks, int ahead) {
      int width = config.width();
      int hidden = width * config.expansion();
      this.ahead = ahead;
      filter =
          store.declareUndecayed(
              name + ".conv.weight", Initializer.normal(1 / Math.sqrt(KERNEL)), width, 1, KERNEL);
      filterBias = store.declare(name + ".conv.bias", Initializer.zeros(), width);
      norm = new Norm(name + ".norm");
      widen = new Linear(name + ".widen", width, hidden, fan(width));
      narrow = new Linear(name + ".narrow", hidden, width, fan(hidden));
      layerScale = store.declare(name + ".scale", Initializer.constant(1.0 / blocks), width);
    }

    Tensor apply(Tensor xBLW) {
      return apply(xBLW, xBLW.transpose(1, 2).pad(KERNEL - 1 - ahead, ahead, 0));
    }

    /**
     * The next rows of a stream: as many as it is given, {@code ahead} earlier.
     *
     * @param reached the last {@code KERNEL - 1} rows given before, replaced by the last ones now
     */
    Tensor advance(Tensor xBLW, float[] reached) {
      long length = xBLW.size(1);
      Tensor seen = joined(reached, xBLW);
      seen.narrow(1, length, KERNEL - 1).contiguous().copyTo(reached);
      return apply(seen.narrow(1, KERNEL - 1 - ahead, length), seen.transpose(1, 2));
    }

    /** {@code seenBWL} are the rows and those that the convolution reaches around them. */
    private Tensor apply(Tensor xBLW, Tensor seenBWL) {
      Tensor h = seenBWL.conv1d(filter.tensor(), filterBias.tensor(), conv).transpose(1, 2);
      h = narrow.apply(widen.apply(norm.apply(h)).gelu());
      return xBLW.add(h.mul(layerScale.tensor()));
    }
  }

  /**
   * Phases from the decoder's last features and the magnitudes it made of them: an angle for each
   * bin of each STFT frame, whose sine and cosine are the phase, as the head of Vocos has it
   * (Siuzdak 2023). Ours are the ConvNeXt blocks at the STFT's rate before it, which hear the
   * decoded magnitudes: the shape of a phase is in their slopes.
   *
   * <p>The blocks see back and not ahead, so a stream lags no more than magnitudes do.
   */
  private final class PhaseHead {
    private static final int BLOCKS = 2;

    private final Linear spread =
        new Linear(
            "phase.in",
            config.width(),
            CodecFeatures.STFT_FRAMES * config.width(),
            fan(config.width()));
    private final Linear hear =
        new Linear("phase.magnitudes", CodecFeatures.BINS, config.width(), fan(CodecFeatures.BINS));
    private final Block[] blocks = new Block[BLOCKS];
    private final Norm norm;
    private final Linear angles;

    PhaseHead() {
      Arrays.setAll(blocks, i -> new Block("phase." + i, BLOCKS, 0));
      norm = new Norm("phase.norm");
      angles = new Linear("phase.out", config.width(), CodecFeatures.BINS, fan(config.width()));
    }

    List<Linear> matrices() {
      List<Linear> all = new ArrayList<>(List.of(spread, hear, angles));
      for (Block block : blocks) {
        all.add(block.widen);
        all.add(block.narrow);
      }
      return all;
    }

    /** Inputs of the blocks, [batch, STFT frames, width]. */
    Tensor enter(Tensor normedBLW, Tensor rowsBLF) {
      Tensor spreadBTW = spread.apply(normedBLW).reshape(normedBLW.size(0), -1, config.width());
      return spreadBTW.add(hear.apply(magnitudes(rowsBLF)));
    }

    /** Angles in radians, [batch, STFT frames, bins]. */
    Tensor leave(Tensor xBTW) {
      return angles.apply(norm.apply(xBTW)).to(DType.F32);
    }

    Tensor apply(Tensor normedBLW, Tensor rowsBLF) {
      Tensor x = enter(normedBLW, rowsBLF);
      for (Block block : blocks) {
        x = block.apply(x);
      }
      return leave(x);
    }
  }

  /** The magnitudes of rows, STFT frame by STFT frame: [batch, STFT frames, bins]. */
  private static Tensor magnitudes(Tensor rowsBLF) {
    return rowsBLF
        .narrow(2, 0, CodecFeatures.STFT_FRAMES * CodecFeatures.BINS)
        .reshape(rowsBLF.size(0), -1, CodecFeatures.BINS);
  }

  private Tensor latents(Tensor featuresBLF) {
    Tensor x = in.apply(featuresBLF);
    for (Block block : encoder) {
      x = block.apply(x);
    }
    return toLatent
        .apply(x)
        .add(skipIn.apply(featuresBLF))
        .to(DType.F32)
        .layerNorm(null, null, EPSILON)
        .to(DType.F32);
  }

  /** What the decoder makes of latents; angles in radians, where the network makes them. */
  private record Rendered(Tensor rowsBLF, @Nullable Tensor anglesBTM) {
    /** Rows as {@link CodecStream.Renderer} gives them. */
    Tensor joined() {
      if (anglesBTM == null) {
        return rowsBLF;
      }
      Tensor turns =
          anglesBTM
              .mul(1 / (2 * Math.PI))
              .reshape(rowsBLF.size(0), -1, CodecFeatures.STFT_FRAMES * CodecFeatures.BINS);
      return Tensor.cat(List.of(rowsBLF, turns), 2);
    }
  }

  private Rendered render(Tensor zBLD) {
    Tensor x = fromLatent.apply(zBLD);
    for (Block block : decoder) {
      x = block.apply(x);
    }
    Tensor normed = outNorm.apply(x);
    Tensor rows = out.apply(normed).add(skipOut.apply(zBLD)).to(DType.F32);
    return new Rendered(rows, phases == null ? null : phases.apply(normed, rows));
  }

  // ---------------------------------------------------------------- training

  /** Numbers per latent frame of {@link #features}. */
  public int featureSize() {
    return featureSize;
  }

  /**
   * What the network sees of one or two channels: {@code ceil(samples / 1024)} rows of {@link
   * #featureSize} numbers. Pure Java; safe in any number of threads.
   */
  public float[] features(float[][] channels) {
    requireWaveform(channels);
    return new CodecFeatures(config.stereoBands()).of(channels);
  }

  /**
   * Starts from the best linear codec of a batch of at least a few hundred frames, which saves the
   * first minutes; the network learns what lines cannot do.
   */
  public void startAt(Tensor featuresBLF) {
    try (NoGrad noGrad = NoGrad.open();
        CodecLoss loss = new CodecLoss();
        Scope scope = Scope.open()) {
      Tensor rows = featuresBLF.reshape(-1, featureSize);
      LinearCodec linear =
          LinearCodec.fit(rows, loss.importance(featureSize), config.latent(), EPSILON, START_SEED);
      skipIn.weight.tensor().copyFrom(linear.encodeDF());
      skipIn.bias.tensor().copyFrom(linear.encodeBiasD());
      skipOut.weight.tensor().copyFrom(linear.decodeFD());
      skipOut.bias.tensor().copyFrom(linear.decodeBiasF());
      in.bias.tensor().copyFrom(in.weight.tensor().matmul(rows.mean(0, false)).neg());
    }
  }

  /**
   * Forward pass of one training batch; moves the codebooks. May run inside an autocast region: the
   * quantiser and the loss stay fp32.
   *
   * @param featuresBLF features of the batch, [batch, frames, featureSize]
   * @param seed of this step's random draws (restarts, dropout of codebooks); give each step its
   *     own
   */
  public CodecLoss.Terms train(Tensor featuresBLF, CodecLoss loss, long seed) {
    try (Step step = step((int) featuresBLF.size(0), 1, seed)) {
      return step.part(featuresBLF, loss);
    }
  }

  /**
   * Begins a training step whose batch comes in parts of equal size, so that memory holds the
   * activations of one part. The mean of the parts' losses has the joined batch's gradient.
   *
   * @param rows of all parts together
   * @param seed of this step's random draws; give each step its own
   */
  public Step step(int rows, int parts, long seed) {
    return step(BatchShare.whole(rows / parts), parts, seed);
  }

  /**
   * The same for a share of each part: the terms are means over its own rows, the codebooks move by
   * the whole batch, alike in all shares.
   *
   * @param share of every part, the same rows of each
   */
  public Step step(BatchShare share, int parts, long seed) {
    return new Step(quantiser.new Training(share, parts, seed));
  }

  /**
   * What a training step decoded, with gradients.
   *
   * @param terms of the loss on magnitudes, stereo and codes
   * @param rowsBLF decoded features
   * @param anglesBTM phases in radians, [batch, STFT frames, bins]; null where they are recovered
   */
  public record Made(CodecLoss.Terms terms, Tensor rowsBLF, @Nullable Tensor anglesBTM) {
    /**
     * The mid signal that decoding gives, [batch, samples]; of a codec that recovers phases there
     * is none in training.
     */
    public Tensor soundBN() {
      if (anglesBTM == null) {
        throw new ModelException("A codec that recovers its phases makes no sound in training");
      }
      return CodecFeatures.sound(magnitudes(rowsBLF), anglesBTM);
    }
  }

  /** Scaled decibels of features, STFT frame by STFT frame: [batch, STFT frames, BINS]. */
  public static Tensor spectrum(Tensor featuresBLF) {
    return magnitudes(featuresBLF);
  }

  /** The mid of one or two channels: what a network with phases makes and is compared with. */
  public static float[] mid(float[][] channels) {
    return CodecFeatures.mid(channels);
  }

  /**
   * Multiplications that a latent frame takes in the network's matrices, one way through; those of
   * the phase head count for each STFT frame.
   */
  public double productsPerFrame() {
    double again = 0;
    for (Parameter parameter : store.parameters()) {
      String name = parameter.name();
      boolean perStftFrame = name.startsWith("phase.") && !name.startsWith("phase.in.");
      if (perStftFrame && parameter.isMatrix()) {
        again += (CodecFeatures.STFT_FRAMES - 1) * parameter.tensor().count();
      }
    }
    return store.matrixCount() + again;
  }

  /** A training step in parts; close it after the last one. */
  public final class Step implements AutoCloseable {
    private final ResidualVq.Training training;

    private Step(ResidualVq.Training training) {
      this.training = training;
    }

    /** Forward pass of the next part; the last one moves the codebooks. */
    public CodecLoss.Terms part(Tensor featuresBLF, CodecLoss loss) {
      return made(featuresBLF, loss).terms();
    }

    /** The same, with what was decoded, for losses on it. */
    public Made made(Tensor featuresBLF, CodecLoss loss) {
      ResidualVq.Quantised quantised = training.part(latents(featuresBLF));
      Rendered rendered = render(quantised.quantisedBLD());
      CodecLoss.Terms terms = loss.of(rendered.rowsBLF, featuresBLF, quantised.commitment());
      return new Made(terms, rendered.rowsBLF, rendered.anglesBTM);
    }

    @Override
    public void close() {
      training.close();
    }
  }

  /** The loss of a batch with the first {@code codebooks} codebooks, without learning. */
  public CodecLoss.Terms evaluate(Tensor featuresBLF, CodecLoss loss, int codebooks) {
    Tensor zBLD = latents(featuresBLF);
    Tensor quantised = quantiser.decode(quantiser.encode(zBLD, codebooks)).view(zBLD.shape());
    return loss.of(render(quantised).rowsBLF, featuresBLF, zBLD.mseLoss(quantised));
  }

  // ---------------------------------------------------------------- Codec

  @Override
  public int sampleRate() {
    return CodecFeatures.SAMPLE_RATE;
  }

  @Override
  public int channels() {
    return config.stereoBands() == 0 ? 1 : 2;
  }

  @Override
  public int samplesPerFrame() {
    return CodecFeatures.SAMPLES;
  }

  @Override
  public int codebooks() {
    return config.codebooks();
  }

  @Override
  public int codebookSize() {
    return config.codebookSize();
  }

  private static void requireWaveform(float[][] channels) {
    if (channels.length < 1 || channels.length > 2) {
      throw new ModelException("The codec takes 1 or 2 channels, got " + channels.length);
    }
    int samples = channels[0].length;
    if (samples < 1 || samples > SAMPLES_MAX) {
      throw new ModelException(
          "The codec takes 1 to " + SAMPLES_MAX + " samples (30 minutes), got " + samples);
    }
    if (channels[channels.length - 1].length != samples) {
      throw new ModelException("Both channels must have the same number of samples");
    }
  }

  @Override
  public int[][] encode(float[][] channels) {
    return encodeFeatures(features(channels));
  }

  /** Codes of rows as {@link #features} makes them, which a trainer may have stretched in time. */
  public int[][] encodeFeatures(float[] rows) {
    int[][] codes = new int[config.codebooks()][rows.length / featureSize];
    chunks(
        rows,
        (from, zBLD) -> {
          int[][] part = ResidualVq.toArrays(quantiser.encode(zBLD, config.codebooks()));
          for (int k = 0; k < part.length; k++) {
            System.arraycopy(part[k], 0, codes[k], from, part[k].length);
          }
        });
    return codes;
  }

  /** Latents before quantising, one row of {@code config().latent()} numbers per frame. */
  public float[] encodeLatents(float[][] channels) {
    return encodeFeatureLatents(features(channels));
  }

  /** Latents of rows as {@link #features} makes them. */
  public float[] encodeFeatureLatents(float[] rows) {
    int latent = config.latent();
    float[] latents = new float[rows.length / featureSize * latent];
    chunks(
        rows,
        (from, zBLD) -> {
          float[] part = zBLD.contiguous().toFloats();
          System.arraycopy(part, 0, latents, from * latent, part.length);
        });
    return latents;
  }

  /**
   * Codes of latents, as {@link #encodeLatents} or a {@link FlowModel} makes them: the nearest
   * entries, so that what was made without tokens can be decoded, fingerprinted and compared like
   * what was made of them.
   *
   * @param latents one row of {@code config().latent()} numbers per frame
   */
  public int[][] quantise(float[] latents) {
    int latent = config.latent();
    if (latents.length == 0 || latents.length % latent != 0) {
      throw new ModelException(
          "Latents are whole rows of " + latent + " numbers, got " + latents.length);
    }
    int frames = latents.length / latent;
    int[][] codes = new int[config.codebooks()][frames];
    try (NoGrad noGrad = NoGrad.open()) {
      for (int from = 0; from < frames; from += CHUNK_FRAMES) {
        int to = Math.min(frames, from + CHUNK_FRAMES);
        try (Scope scope = Scope.open()) {
          float[] rows = Arrays.copyOfRange(latents, from * latent, to * latent);
          Tensor zBLD = Tensor.of(rows, 1, to - from, latent);
          int[][] part = ResidualVq.toArrays(quantiser.encode(zBLD, config.codebooks()));
          for (int k = 0; k < part.length; k++) {
            System.arraycopy(part[k], 0, codes[k], from, part[k].length);
          }
        }
      }
    }
    return codes;
  }

  /**
   * Latents that codes stand for, one row of {@code config().latent()} numbers per frame: what the
   * decoder hears of them.
   */
  public float[] dequantise(int[][] codes) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return latents(codes).contiguous().toFloats();
    }
  }

  private interface LatentChunk {
    void take(int fromFrame, Tensor zBLD);
  }

  /** Encodes chunk by chunk; each chunk sees all frames that its convolutions reach. */
  private void chunks(float[] rows, LatentChunk taker) {
    if (rows.length == 0 || rows.length % featureSize != 0) {
      throw new ModelException(
          "Features are whole rows of " + featureSize + " numbers, got " + rows.length);
    }
    int frames = rows.length / featureSize;
    int reach = config.encoderBlocks() * (KERNEL - 1) / 2;
    try (NoGrad noGrad = NoGrad.open()) {
      for (int from = 0; from < frames; from += CHUNK_FRAMES) {
        int to = Math.min(frames, from + CHUNK_FRAMES);
        int first = Math.max(0, from - reach);
        int end = Math.min(frames, to + reach);
        try (Scope scope = Scope.open()) {
          float[] seen = Arrays.copyOfRange(rows, first * featureSize, end * featureSize);
          Tensor x = Tensor.of(seen, 1, end - first, featureSize);
          taker.take(from, latents(x).narrow(1, from - first, to - from));
        }
      }
    }
  }

  @Override
  public float[][] decode(int[][] codes) {
    int frames = codes.length == 0 ? 0 : codes[0].length;
    float[][] waveform = new float[channels()][frames * samplesPerFrame()];
    int at = 0;
    try (StreamingDecoder stream = stream()) {
      for (int from = 0; from < frames; from += CHUNK_FRAMES) {
        int to = Math.min(frames, from + CHUNK_FRAMES);
        int[][] part = new int[codes.length][];
        for (int k = 0; k < codes.length; k++) {
          if (codes[k].length != frames) {
            throw new ModelException("All codebooks must have the same number of frames");
          }
          part[k] = Arrays.copyOfRange(codes[k], from, to);
        }
        at = append(stream.push(part), waveform, at);
      }
      append(stream.finish(), waveform, at);
    }
    return waveform;
  }

  private static int append(float[][] part, float[][] waveform, int at) {
    for (int c = 0; c < waveform.length; c++) {
      System.arraycopy(part[c], 0, waveform[c], at, part[c].length);
    }
    return at + part[0].length;
  }

  @Override
  public StreamingDecoder stream() {
    return new CodecStream(config, renderer());
  }

  /** The decoder's network for one stream. */
  CodecStream.Renderer renderer() {
    return new UnitRenderer();
  }

  /** Rows that codes stand for, as the network saw them in training: all frames at once. */
  float[] rows(int[][] codes) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return render(latents(codes)).joined().contiguous().toFloats();
    }
  }

  /** Sums of the codes' entries: [1, frames, latent]. */
  private Tensor latents(int[][] codes) {
    List<Tensor> indices = new ArrayList<>();
    for (int[] book : codes) {
      indices.add(Tensor.of(Arrays.stream(book).asLongStream().toArray(), book.length));
    }
    return quantiser.decode(indices).unsqueeze(0);
  }

  /**
   * The decoder over a stream: each block keeps the rows that its convolution reaches back to. A
   * block sees one frame ahead, so it gives out rows one frame earlier than it takes them; rows
   * before the first frame and beyond the last are zeros to every block, as in {@link #render}.
   */
  private final class UnitRenderer implements CodecStream.Renderer {
    private final int lag = DECODER_AHEAD * config.decoderBlocks();
    private final float[][] reached = // of each block
        new float[config.decoderBlocks()][(KERNEL - 1) * config.width()];
    private final float[] latents = new float[lag * config.latent()]; // not yet rendered
    private final float[][] reachedByPhases = // of each block
        new float[PhaseHead.BLOCKS][(KERNEL - 1) * config.width()];
    private long start; // frame
    private long end = Long.MAX_VALUE; // frame, once it is known

    @Override
    public float[] render(int[][] codes, int unit) {
      if (codes[0].length < unit) {
        end = Math.min(end, start + codes[0].length);
      }
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        Tensor zBLD = decoded(codes, unit);
        Tensor x = fromLatent.apply(zBLD);
        long from = start;
        for (int i = 0; i < decoder.length; i++) {
          x = within(x, from, end);
          x = decoder[i].advance(x, reached[i]);
          from -= DECODER_AHEAD;
        }
        Tensor seen = joined(latents, zBLD);
        Tensor normed = outNorm.apply(x);
        Tensor rows = out.apply(normed).add(skipOut.apply(seen.narrow(1, 0, unit)));
        rows = new Rendered(rows, angles(normed, rows, from)).joined().squeeze(0);
        seen.narrow(1, unit, lag).contiguous().copyTo(latents);
        start += unit;
        int early = (int) Math.min(unit, Math.max(0, -from));
        return rows.narrow(0, early, unit - early).contiguous().toFloats();
      }
    }

    private Tensor decoded(int[][] codes, int unit) {
      int real = codes[0].length;
      Tensor beyond = Tensor.zeros(1, unit - real, config.latent());
      if (real == 0) {
        return beyond;
      }
      return real == unit ? latents(codes) : Tensor.cat(List.of(latents(codes), beyond), 1);
    }

    private @Nullable Tensor angles(Tensor normedBLW, Tensor rowsBLF, long from) {
      if (phases == null) {
        return null;
      }
      long each = CodecFeatures.STFT_FRAMES;
      long last = end == Long.MAX_VALUE ? end : each * end;
      Tensor x = phases.enter(normedBLW, rowsBLF);
      for (int i = 0; i < PhaseHead.BLOCKS; i++) {
        x = phases.blocks[i].advance(within(x, each * from, last), reachedByPhases[i]);
      }
      return phases.leave(x);
    }

    /** Rows {@code from ..}, with zeros before the first and from {@code end} on. */
    private Tensor within(Tensor xBLW, long from, long end) {
      long length = xBLW.size(1);
      long before = Math.clamp(-from, 0, length);
      long after = Math.clamp(from + length - end, 0, length - before);
      if (before == 0 && after == 0) {
        return xBLW;
      }
      return Tensor.cat(
          List.of(
              Tensor.zeros(1, before, config.width()),
              xBLW.narrow(1, before, length - before - after),
              Tensor.zeros(1, after, config.width())),
          1);
    }
  }

  private static Tensor joined(float[] rows, Tensor xBLW) {
    long width = xBLW.size(2);
    return Tensor.cat(List.of(Tensor.of(rows, 1, rows.length / width, width), xBLW), 1);
  }

  @Override
  public void close() {
    for (Block block : decoder) {
      block.widen.unpack();
      block.narrow.unpack();
    }
    out.unpack();
    if (phases != null) {
      phases.matrices().forEach(Linear::unpack);
    }
    store.close();
  }
}
