package org.descant.models.flow;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.ConditionEncoder;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.Guidance;
import org.descant.models.lm.Rotary;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.Autocast;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The house flow model: a transformer that turns noise into the codec's continuous latents, all
 * frames at once.
 *
 * <pre>
 *   x_t = (1 − t) · data + t · noise;  the model learns v(x_t, t) = noise − data
 *   latents with noise, latents that are kept and where, conditions of the frame
 *     -> sum of linear layers -> blocks, modulated by t -> v
 * </pre>
 *
 * <p>Straight paths between noise and data as in Lipman et al., "Flow Matching for Generative
 * Modeling", and Liu, Gong, Liu, "Flow Straight and Fast" (rectified flow), both 2022; a
 * transformer with adaptive norms (Peebles and Xie, "Scalable Diffusion Models with Transformers",
 * 2023) in the manner of Stable Audio 3: gates {@code sigmoid(1 − g)}, normalised queries and keys
 * (Henry et al. 2020), rotary positions, SwiGLU, no causality. Times are drawn evenly, each row of
 * a batch from a part of its own. Conditions are the language model's ({@link ConditionEncoder}),
 * dropped and guided alike.
 *
 * <p>Cost of one evaluation: 2 · parameters multiply-adds a frame and row, and attention over all
 * frames; a clip takes {@code steps · rows} evaluations. One thread at a time trains; sampling only
 * reads the weights. {@link #close} frees them.
 */
public final class FlowModel implements AutoCloseable {
  private static final double EPSILON = 1e-6;

  /** Sines and cosines of the time, at frequencies in equal ratios. */
  private static final int TIME_FREQUENCIES = 64;

  private static final double FREQUENCY_MIN = 0.5;
  private static final double FREQUENCY_MAX = 32;

  /** Scale, shift and gate of attention, then of the hidden layer. */
  private static final int MODULATIONS = 6;

  private final FlowConfig config;
  private final ParameterStore store;
  private final Linear in;
  private final Linear kept;
  private final ConditionEncoder conditions;
  private final Linear timeIn;
  private final Linear timeOut;
  private final Linear modulation;
  private final Block[] blocks;
  private final Parameter outNorm;
  private final Linear out;

  private FlowModel(FlowConfig config, long seed) {
    this.config = config;
    this.store = new ParameterStore(seed);
    int width = config.width();
    int latent = config.latent();
    this.in = new Linear("in", latent, width, fan(latent));
    this.kept = new Linear("kept", latent + 1, width, fan(latent + 1));
    this.conditions = new ConditionEncoder(width, config.styleSize(), store);
    this.timeIn = new Linear("time.in", 2 * TIME_FREQUENCIES, width, fan(2 * TIME_FREQUENCIES));
    this.timeOut = new Linear("time.out", width, width, fan(width));
    this.modulation = new Linear("modulation", width, MODULATIONS * width, Initializer.zeros());
    this.blocks = new Block[config.layers()];
    Arrays.setAll(blocks, i -> new Block("blocks." + i + "."));
    this.outNorm = store.declare("out.norm", Initializer.ones(), width);
    this.out = new Linear("out", width, latent, Initializer.zeros());
  }

  /** A model with fresh weights that can be trained. */
  public static FlowModel create(FlowConfig config, long seed) {
    FlowModel model = new FlowModel(config, seed);
    model.store.build();
    return model;
  }

  /** A model without gradients, to load weights into. */
  public static FlowModel frozen(FlowConfig config) {
    FlowModel model = new FlowModel(config, 0);
    model.store.buildFrozen();
    return model;
  }

  public FlowConfig config() {
    return config;
  }

  /** Weights: all that a checkpoint must hold. */
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

    Linear(String name, int from, int to, Initializer start) {
      weight = store.declare(name + ".weight", start, to, from);
      bias = store.declare(name + ".bias", Initializer.zeros(), to);
    }

    Tensor apply(Tensor x) {
      return x.linear(weight.tensor(), bias.tensor());
    }
  }

  private final class Block {
    private final Parameter modulation;
    private final Parameter queryKeyValue;
    private final Parameter attentionOut;
    private final Parameter gateAndUp;
    private final Parameter down;

    Block(String name) {
      int width = config.width();
      int hidden = config.hidden();
      double flat = 1 / Math.sqrt(width);
      double deep = Math.sqrt(2.0 * config.layers());
      modulation = store.declare(name + "modulation", Initializer.zeros(), MODULATIONS, 1, width);
      queryKeyValue =
          store.declare(name + "attention.in", Initializer.normal(flat), 3L * width, width);
      attentionOut =
          store.declare(name + "attention.out", Initializer.normal(flat / deep), width, width);
      gateAndUp = store.declare(name + "hidden.in", Initializer.normal(flat), 2L * hidden, width);
      down =
          store.declare(
              name + "hidden.out", Initializer.normal(1 / Math.sqrt(hidden) / deep), width, hidden);
    }

    /** {@code timesB6W} modulates: one row for each example and purpose. */
    Tensor apply(Tensor xBTW, Tensor timesB6W, Rotary rotary) {
      Tensor[] m = new Tensor[MODULATIONS];
      for (int i = 0; i < MODULATIONS; i++) {
        m[i] = timesB6W.narrow(1, i, 1).add(modulation.tensor().select(0, i));
      }
      Tensor x = xBTW.add(attention(modulated(xBTW, m[0], m[1]), rotary).mul(gate(m[2])));
      Tensor both = modulated(x, m[3], m[4]).linear(gateAndUp.tensor());
      Tensor hidden =
          both.narrow(2, 0, config.hidden())
              .silu()
              .mul(both.narrow(2, config.hidden(), config.hidden()));
      return x.add(hidden.linear(down.tensor()).mul(gate(m[5])));
    }

    private static Tensor modulated(Tensor xBTW, Tensor scaleB1W, Tensor shiftB1W) {
      return xBTW.rmsNorm(null, EPSILON).mul(scaleB1W.add(1.0)).add(shiftB1W);
    }

    private static Tensor gate(Tensor gateB1W) {
      return gateB1W.neg().add(1.0).sigmoid();
    }

    /** Every frame attends to every other. */
    private Tensor attention(Tensor xBTW, Rotary rotary) {
      long batch = xBTW.size(0);
      long frames = xBTW.size(1);
      long size = config.headSize();
      Tensor projected =
          xBTW.linear(queryKeyValue.tensor())
              .view(batch, frames, 3L * config.heads(), size)
              .transpose(1, 2);
      Tensor turned =
          rotary.turn(projected.narrow(1, 0, 2L * config.heads()).rmsNorm(null, EPSILON));
      Tensor q = turned.narrow(1, 0, config.heads());
      Tensor k = turned.narrow(1, config.heads(), config.heads());
      Tensor v = projected.narrow(1, 2L * config.heads(), config.heads());
      Tensor weights = q.matmul(k.transpose(2, 3)).mul(1 / Math.sqrt(size)).softmax(-1);
      return weights
          .matmul(v)
          .transpose(1, 2)
          .reshape(batch, frames, config.width())
          .linear(attentionOut.tensor());
    }
  }

  /**
   * The velocity from data to noise.
   *
   * @param xBTD latents with noise
   * @param times of the examples, 0 (data) to 1 (noise)
   * @param keptBTD latents that are kept where {@code maskBT1} is 1, zeros elsewhere
   * @param conditionsBTW from {@link #encode}
   * @return [batch, frames, latent], fp32
   */
  Tensor velocity(
      Tensor xBTD, float[] times, Tensor keptBTD, Tensor maskBT1, Tensor conditionsBTW) {
    int batch = times.length;
    Tensor time = timeOut.apply(timeIn.apply(timeFeatures(times)).silu()).silu();
    Tensor timesB6W = modulation.apply(time).view(batch, MODULATIONS, config.width());
    Rotary rotary = Rotary.at(0, (int) xBTD.size(1), config.headSize());
    Tensor x =
        in.apply(xBTD).add(kept.apply(Tensor.cat(List.of(keptBTD, maskBT1), 2))).add(conditionsBTW);
    for (Block block : blocks) {
      x = block.apply(x, timesB6W, rotary);
    }
    return out.apply(x.rmsNorm(outNorm.tensor(), EPSILON)).to(DType.F32);
  }

  private static Tensor timeFeatures(float[] times) {
    float[] features = new float[times.length * 2 * TIME_FREQUENCIES];
    double ratio = StrictMath.log(FREQUENCY_MAX / FREQUENCY_MIN) / (TIME_FREQUENCIES - 1);
    for (int b = 0; b < times.length; b++) {
      int row = b * 2 * TIME_FREQUENCIES;
      for (int i = 0; i < TIME_FREQUENCIES; i++) {
        double angle = 2 * Math.PI * FREQUENCY_MIN * StrictMath.exp(ratio * i) * times[b];
        features[row + i] = (float) StrictMath.cos(angle);
        features[row + TIME_FREQUENCIES + i] = (float) StrictMath.sin(angle);
      }
    }
    return Tensor.of(features, times.length, 2L * TIME_FREQUENCIES);
  }

  // ---------------------------------------------------------------- training

  /**
   * Examples of equal length.
   *
   * @param latents [example][frame · latent]
   * @param conditions one per example, with as many frames
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one step, never compared.
  public record Batch(float[][] latents, List<Conditioning> conditions) {
    public Batch {
      if (latents.length == 0 || latents.length != conditions.size()) {
        throw new ModelException(
            "A batch needs one conditioning per example: "
                + latents.length
                + " and "
                + conditions.size());
      }
      conditions = List.copyOf(conditions);
    }
  }

  /**
   * What training does to its input.
   *
   * @param dropConditions as {@link TokenLm.Noise}
   * @param keep probability with which an example keeps its frames outside of one random span, so
   *     that the model learns to fill spans and to go on from a beginning
   */
  public record Noise(double dropConditions, double keep) {
    /** Everything is made from all conditions: for evaluation. */
    public static final Noise NONE = new Noise(0, 0);

    public static final Noise DEFAULT = new Noise(0.1, 0.5);

    public Noise {
      if (!(dropConditions >= 0 && dropConditions <= 1 && keep >= 0 && keep <= 1)) {
        throw new ModelException(
            "Probabilities go from 0 to 1, were " + dropConditions + " and " + keep);
      }
    }
  }

  /**
   * Examples as the model sees them in training, with all random draws made: rows of it mean the
   * same as in the whole. Plain numbers; the arrays are not copied.
   *
   * @param conditions of each row
   * @param shown which groups of conditions each row shows
   * @param times of the rows, 0 (data) to 1 (noise)
   * @param x latents with noise, [row, frame, latent] in one array, as the two that follow
   * @param target velocities
   * @param known latents that are kept, zeros elsewhere
   * @param mask 1 where a frame is kept, [row, frame] in one array
   * @param made frames of a row that are not kept, on average over the whole batch
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one step, never compared.
  public record Input(
      List<Conditioning> conditions,
      boolean[][] shown,
      float[] times,
      float[] x,
      float[] target,
      float[] known,
      float[] mask,
      double made) {
    /** Number of examples. */
    public int rows() {
      return times.length;
    }

    /** Examples {@code from} to {@code to}, without the latter. */
    public Input rows(int from, int to) {
      return new Input(
          conditions.subList(from, to),
          Arrays.copyOfRange(shown, from, to),
          Arrays.copyOfRange(times, from, to),
          part(x, from, to),
          part(target, from, to),
          part(known, from, to),
          part(mask, from, to),
          made);
    }

    private float[] part(float[] all, int from, int to) {
      int size = all.length / rows();
      return Arrays.copyOfRange(all, from * size, to * size);
    }
  }

  /**
   * Mean squared error of the velocity over all frames that are not kept, a scalar with gradients;
   * predicting nothing gives 1 plus the latents' mean square.
   *
   * @param seed of times, noise, kept spans and dropped conditions; give each step its own
   */
  public Tensor loss(Batch batch, Noise noise, long seed) {
    return loss(input(batch, noise, seed));
  }

  /** The loss of what {@link #input} made; of equal shares of a batch the mean is the batch's. */
  public Tensor loss(Input input) {
    int rows = input.rows();
    int latent = config.latent();
    long frames = input.mask.length / rows;
    Tensor maskBT1 = Tensor.of(input.mask, rows, frames, 1);
    Tensor v =
        velocity(
            Tensor.of(input.x, rows, frames, latent),
            input.times,
            Tensor.of(input.known, rows, frames, latent),
            maskBT1,
            conditions.encode(input.conditions, input.shown));
    Tensor off = v.sub(Tensor.of(input.target, rows, frames, latent)).square();
    return off.mul(maskBT1.neg().add(1.0)).sum().mul(1 / (input.made * rows * latent));
  }

  /**
   * Forward and backward pass: adds the gradient of {@code share} times the loss to the parameters'
   * gradients. Opens its own {@link Autocast} region; none may be open around it.
   *
   * @param input a whole batch, or rows of one whose shares sum to 1
   * @return the loss, without gradients
   */
  public Tensor learn(Input input, double share, Precision precision) {
    Tensor loss;
    try (Autocast autocast = Autocast.open(precision)) {
      loss = loss(input);
    }
    (share == 1 ? loss : loss.mul(share)).backward();
    return loss.detach();
  }

  /** Makes all random draws of a training step. Pure Java, safe in any thread. */
  public Input input(Batch batch, Noise noise, long seed) {
    int count = batch.latents.length;
    int frames = frames(batch.latents[0], batch.conditions.getFirst());
    SplittableRandom random = new SplittableRandom(seed);
    boolean[][] keep = ConditionEncoder.dropped(count, noise.dropConditions, random.nextLong());
    int size = frames * config.latent();
    float[] times = times(count, random);
    float[] x = new float[count * size];
    float[] target = new float[count * size];
    float[] known = new float[count * size];
    float[] mask = new float[count * frames];
    double made = 0;
    for (int b = 0; b < count; b++) {
      float[] data = batch.latents[b];
      if (frames(data, batch.conditions.get(b)) != frames) {
        throw new ModelException("All examples need the same number of frames, " + frames);
      }
      int from = 0;
      int to = frames;
      if (random.nextDouble() < noise.keep) {
        int length = 1 + random.nextInt(frames);
        from = random.nextInt(frames - length + 1);
        // One span in three reaches to the end: a continuation.
        to = random.nextInt(3) == 0 ? frames : from + length;
      }
      made += to - from;
      for (int t = 0; t < frames; t++) {
        boolean kept = t < from || t >= to;
        mask[b * frames + t] = kept ? 1 : 0;
        for (int i = t * config.latent(); i < (t + 1) * config.latent(); i++) {
          float drawn = (float) random.nextGaussian();
          x[b * size + i] = (1 - times[b]) * data[i] + times[b] * drawn;
          target[b * size + i] = drawn - data[i];
          known[b * size + i] = kept ? data[i] : 0;
        }
      }
    }
    return new Input(batch.conditions, keep, times, x, target, known, mask, made / count);
  }

  /** One time of each of {@code count} equal parts of 0 to 1, in random order. */
  private static float[] times(int count, SplittableRandom random) {
    float[] times = new float[count];
    for (int i = 0; i < count; i++) {
      float drawn = (float) ((i + random.nextDouble()) / count);
      int place = random.nextInt(i + 1);
      times[i] = times[place];
      times[place] = drawn;
    }
    return times;
  }

  private int frames(float[] latents, Conditioning conditioning) {
    int frames = conditioning.frames().frames();
    if (frames < 1 || frames > config.context()) {
      throw new ModelException(
          "The flow model takes 1 to " + config.context() + " frames, got " + frames);
    }
    if (latents.length != frames * config.latent()) {
      throw new ModelException(
          "Latents of "
              + frames
              + " frames are "
              + frames * config.latent()
              + " numbers, got "
              + latents.length);
    }
    return frames;
  }

  // ---------------------------------------------------------------- sampling

  /** What a clip begins from, if not from noise alone. */
  public sealed interface Given {
    /** One row of {@code latent} numbers a frame. */
    float[] latents();

    /** Frames that stay as they are; empty for none. */
    boolean[] keep();
  }

  /**
   * Another take of a sound (audio to audio; Meng et al., "SDEdit", 2022).
   *
   * @param noise how much of it is noise at the start, over 0 to 1, which forgets it
   * @param keep frames that stay as they are, bit for bit; empty for none
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one clip, never compared.
  public record Variation(float[] latents, float noise, boolean[] keep) implements Given {
    /** Another take of all of it. */
    public Variation(float[] latents, float noise) {
      this(latents, noise, new boolean[0]);
    }

    public Variation {
      if (!(noise > 0 && noise <= 1)) {
        throw new ModelException("A variation begins with noise of over 0 to 1, not " + noise);
      }
    }
  }

  /**
   * A sound with gaps.
   *
   * @param keep frames that stay as they are, bit for bit; the others are made to fit them
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one clip, never compared.
  public record Inpainting(float[] latents, boolean[] keep) implements Given {}

  /** One clip to make. The same seed gives the same noise, whatever is made beside it. */
  public record Clip(Conditioning conditions, @Nullable Given given, long seed) {}

  /** How the way from noise to data is walked. */
  public enum Walk {
    /** Along the velocity: for a model as it is trained here, 20 to 50 steps. */
    EULER,
    /**
     * To the guessed end and back with fresh noise (Novack et al., "Fast Text-to-Audio Generation
     * with Adversarial Post-Training", 2025): few steps.
     */
    PING_PONG
  }

  /** The walk and its number of steps. */
  public record Sampler(Walk walk, int steps) {
    private static final int STEPS_MAX = 1000;

    public static final Sampler FINE = new Sampler(Walk.EULER, 32);
    public static final Sampler FAST = new Sampler(Walk.PING_PONG, 8);

    public Sampler {
      if (steps < 1 || steps > STEPS_MAX) {
        throw new ModelException("A sampler has 1 to " + STEPS_MAX + " steps, not " + steps);
      }
    }

    /**
     * Times from {@code first} to 0, {@code steps + 1} of them: evenly spaced for Euler, for
     * ping-pong evenly in the logarithm of {@code (1 − t) / t} from −6.2 to 2, the ends put at 1
     * and 0.
     */
    float[] times(float first) {
      float[] times = new float[steps + 1];
      for (int i = 0; i <= steps; i++) {
        double even = (double) i / steps;
        double time =
            switch (walk) {
              case EULER -> 1 - even;
              case PING_PONG -> 1 / (1 + StrictMath.exp(-6.2 + 8.2 * even));
            };
        times[i] = first * (float) time;
      }
      times[0] = first;
      times[steps] = 0;
      return times;
    }
  }

  /**
   * Makes clips of equal length side by side; variations among them begin with equal noise.
   *
   * @return latents of each, one row of {@code latent} numbers a frame
   * @throws ModelException when lengths or noises differ, or given latents do not fit
   */
  public float[][] sample(List<Clip> clips, Guidance guidance, Sampler sampler) {
    return sample(clips, guidance, sampler, () -> {});
  }

  /**
   * The same, with a way to stop.
   *
   * @param beforeStep runs before every step; what it throws ends the sampling
   */
  public float[][] sample(
      List<Clip> clips, Guidance guidance, Sampler sampler, Runnable beforeStep) {
    if (clips.isEmpty()) {
      throw new ModelException("There is nothing to sample; give at least one clip");
    }
    int frames = clips.getFirst().conditions().frames().frames();
    int size = frames * config.latent();
    float first = firstNoise(clips.getFirst());
    List<SplittableRandom> random = new ArrayList<>();
    for (Clip clip : clips) {
      requireGiven(clip, frames);
      if (firstNoise(clip) != first) {
        throw new ModelException("Variations that are made side by side begin with equal noise");
      }
      random.add(new SplittableRandom(clip.seed()));
    }
    float[] times = sampler.times(first);
    float[][] x = new float[clips.size()][];
    for (int c = 0; c < x.length; c++) {
      float[] noise = noise(random.get(c), size);
      Given given = clips.get(c).given();
      x[c] = given instanceof Variation ? blend(given.latents(), noise, first) : noise;
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Field field = new Field(clips, guidance, frames);
      for (int step = 0; step < sampler.steps(); step++) {
        beforeStep.run();
        float now = times[step];
        float next = times[step + 1];
        float[][] v = field.at(x, now);
        for (int c = 0; c < x.length; c++) {
          switch (sampler.walk()) {
            case EULER -> {
              for (int i = 0; i < size; i++) {
                x[c][i] += (next - now) * v[c][i];
              }
            }
            case PING_PONG -> {
              for (int i = 0; i < size; i++) {
                x[c][i] -= now * v[c][i];
              }
              if (next > 0) {
                x[c] = blend(x[c], noise(random.get(c), size), next);
              }
            }
          }
        }
      }
    }
    for (int c = 0; c < x.length; c++) {
      Given given = clips.get(c).given();
      if (given != null && given.keep().length > 0) {
        for (int i = 0; i < size; i++) {
          if (given.keep()[i / config.latent()]) {
            x[c][i] = given.latents()[i];
          }
        }
      }
    }
    return x;
  }

  private static float firstNoise(Clip clip) {
    return clip.given() instanceof Variation variation ? variation.noise() : 1;
  }

  private void requireGiven(Clip clip, int frames) {
    if (clip.conditions().frames().frames() != frames) {
      throw new ModelException("Clips that are made side by side have one length, " + frames);
    }
    Given given = clip.given();
    frames(
        given == null ? new float[frames * config.latent()] : given.latents(), clip.conditions());
    boolean empty = given instanceof Variation && given.keep().length == 0;
    if (given != null && !empty && given.keep().length != frames) {
      throw new ModelException(
          "Inpainting says for each of "
              + frames
              + " frames whether it is kept, got "
              + given.keep().length);
    }
  }

  private static float[] noise(SplittableRandom random, int size) {
    float[] noise = new float[size];
    for (int i = 0; i < size; i++) {
      noise[i] = (float) random.nextGaussian();
    }
    return noise;
  }

  private static float[] blend(float[] data, float[] noise, float time) {
    float[] x = new float[data.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = (1 - time) * data[i] + time * noise[i];
    }
    return x;
  }

  /** Guided velocities of some clips: a row for each clip and one for each term of guidance. */
  private final class Field {
    private final Guidance guidance;
    private final int frames;
    private final int rows;
    private final Tensor conditionsRTW;
    private final Tensor keptRTD;
    private final Tensor maskRT1;

    Field(List<Clip> clips, Guidance guidance, int frames) {
      this.guidance = guidance;
      this.frames = frames;
      this.rows = clips.size() * guidance.rows();
      boolean[][] shown = ConditionEncoder.guided(guidance);
      List<Conditioning> told = new ArrayList<>();
      boolean[][] keep = new boolean[rows][];
      int size = frames * config.latent();
      float[] known = new float[rows * size];
      float[] mask = new float[rows * frames];
      for (int row = 0; row < rows; row++) {
        Clip clip = clips.get(row / guidance.rows());
        told.add(clip.conditions());
        keep[row] = shown[row % guidance.rows()];
        Given given = clip.given();
        if (given != null && given.keep().length > 0) {
          for (int t = 0; t < frames; t++) {
            if (given.keep()[t]) {
              mask[row * frames + t] = 1;
              System.arraycopy(
                  given.latents(),
                  t * config.latent(),
                  known,
                  row * size + t * config.latent(),
                  config.latent());
            }
          }
        }
      }
      this.conditionsRTW = conditions.encode(told, keep);
      this.keptRTD = Tensor.of(known, rows, frames, config.latent());
      this.maskRT1 = Tensor.of(mask, rows, frames, 1);
    }

    float[][] at(float[][] x, float time) {
      int size = frames * config.latent();
      float[] noisy = new float[rows * size];
      float[] times = new float[rows];
      Arrays.fill(times, time);
      for (int row = 0; row < rows; row++) {
        System.arraycopy(x[row / guidance.rows()], 0, noisy, row * size, size);
      }
      float[] all;
      try (Scope scope = Scope.open()) {
        Tensor xRTD = Tensor.of(noisy, rows, frames, config.latent());
        all = velocity(xRTD, times, keptRTD, maskRT1, conditionsRTW).toFloats();
      }
      float[][] guided = new float[x.length][size];
      for (int c = 0; c < x.length; c++) {
        float[][] each = new float[guidance.rows()][];
        for (int r = 0; r < each.length; r++) {
          int row = c * each.length + r;
          each[r] = Arrays.copyOfRange(all, row * size, (row + 1) * size);
        }
        guidance.combine(each, guided[c]);
      }
      return guided;
    }
  }

  @Override
  public void close() {
    store.close();
  }
}
