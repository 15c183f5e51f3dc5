package org.descant.training.recipe;

import static org.descant.training.TrainingException.require;

import java.util.List;
import java.util.Objects;
import org.descant.models.codec.CodecConfig;
import org.descant.models.flow.FlowConfig;
import org.descant.models.lm.TokenLmConfig;
import org.descant.training.TrainingException;
import org.descant.training.loop.Guard;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Schedule;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a training run depends on beside the code, the dataset and the kind of CPU. A
 * recipe is complete: there are no defaults elsewhere. Its last stage is a language model or a flow
 * model, never both; the text form leaves out the one that is not there.
 *
 * @param name of the recipe
 * @param steps optimizer steps of the whole run, codec and last stage together
 * @param seed of every random draw
 * @param batch sequences in a step of the last stage
 * @param accumulate parts that such a batch goes through the model in, one after the other: less
 *     memory, the same gradient
 * @param precision {@code auto} (measured once at the start and kept in the record), {@code fp32}
 *     or {@code bf16}
 * @param threads of libtorch; 0 is one a processor, at most 8, resolved at the start and kept in
 *     the record
 * @param heldOut recordings set aside for measuring and never trained on
 * @param logEvery steps between two logged lines
 * @param checkpoint when the state is saved
 * @param guard which batches are refused, and what follows
 * @param codec stage one
 * @param augment stage two: copies of the recordings in other keys and tempos, as tokens
 * @param lm stage three, a language model of tokens, or null
 * @param flow stage three, a flow model of latents, or null
 */
public record Recipe(
    String name,
    long steps,
    long seed,
    int batch,
    int accumulate,
    String precision,
    int threads,
    int heldOut,
    int logEvery,
    Checkpoint checkpoint,
    Guard.Options guard,
    Codec codec,
    Augment augment,
    @Nullable Lm lm,
    @Nullable Flow flow) {

  private static final long STEPS_MAX = 100_000_000;
  private static final int BATCH_MAX = 4096;
  private static final int THREADS_MAX = 1024;

  /** The precisions that a recipe may name. */
  static final List<String> PRECISIONS = List.of("auto", "fp32", "bf16");

  public Recipe {
    require(!name.isBlank(), "name", name, "a word");
    require(steps >= 2 && steps <= STEPS_MAX, "steps", steps, "2 to " + STEPS_MAX);
    require(batch >= 1 && batch <= BATCH_MAX, "batch", batch, "1 to " + BATCH_MAX);
    requireDivides("", accumulate, batch);
    require(PRECISIONS.contains(precision), "precision", precision, String.join(", ", PRECISIONS));
    require(threads >= 0 && threads <= THREADS_MAX, "threads", threads, "0 to " + THREADS_MAX);
    require(heldOut >= 1, "heldOut", heldOut, "at least 1");
    require(logEvery >= 1, "logEvery", logEvery, "at least 1");
    if ((lm == null) == (flow == null)) {
      throw new TrainingException(
          "the recipe %s needs a last stage: lm or flow, and only one of them".formatted(name));
    }
    if (lm != null) {
      requireFits(codec, lm);
    }
    if (flow != null) {
      requireFits(codec, flow);
    }
  }

  /** A recipe whose last stage is a language model. */
  public Recipe(
      String name,
      long steps,
      long seed,
      int batch,
      int accumulate,
      String precision,
      int threads,
      int heldOut,
      int logEvery,
      Checkpoint checkpoint,
      Guard.Options guard,
      Codec codec,
      Augment augment,
      Lm lm) {
    this(
        name,
        steps,
        seed,
        batch,
        accumulate,
        precision,
        threads,
        heldOut,
        logEvery,
        checkpoint,
        guard,
        codec,
        augment,
        lm,
        null);
  }

  private static void requireFits(Codec codec, Flow flow) {
    int latent = codec.model().latent();
    require(
        flow.model().latent() == latent,
        "flow.model.latent",
        flow.model().latent(),
        "the same as codec.model.latent, " + latent);
    require(
        flow.model().styleSize() == 2 * latent,
        "flow.model.styleSize",
        flow.model().styleSize(),
        "twice codec.model.latent, " + 2 * latent);
    require(
        flow.frames() <= flow.model().context(),
        "flow.frames",
        flow.frames(),
        "at most flow.model.context, " + flow.model().context());
  }

  private static void requireFits(Codec codec, Lm lm) {
    require(
        codec.model().codebooks() >= lm.model().codebooks(),
        "lm.model.codebooks",
        lm.model().codebooks(),
        "at most codec.model.codebooks, " + codec.model().codebooks());
    require(
        codec.model().codebookSize() == lm.model().codebookSize(),
        "lm.model.codebookSize",
        lm.model().codebookSize(),
        "the same as codec.model.codebookSize, " + codec.model().codebookSize());
    require(
        lm.frames() + lm.model().codebooks() - 1 <= lm.model().context(),
        "lm.frames",
        lm.frames(),
        "at most lm.model.context less the delay, "
            + (lm.model().context() - lm.model().codebooks() + 1));
  }

  /**
   * When the state is saved.
   *
   * @param every steps between two checkpoints
   * @param keep newest checkpoints that stay
   */
  public record Checkpoint(int every, int keep) {
    public Checkpoint {
      require(every >= 1, "checkpoint.every", every, "at least 1");
      require(keep >= 1, "checkpoint.keep", keep, "at least 1");
    }
  }

  /**
   * The codec's stage: short excerpts at random gain.
   *
   * @param share of all steps that belong to this stage, more than 0; with 1 the run ends with its
   *     codec
   * @param batch excerpts in a step
   * @param accumulate parts that such a batch goes through the model in
   * @param frames latent frames of an excerpt
   * @param learningRate at its highest
   * @param warmup steps until it is reached
   * @param weightDecay of AdamW
   * @param clip largest gradient norm
   * @param gainDb excerpts are made louder or softer by up to this much
   * @param schedule how the learning rate goes on after warm-up
   * @param optimiser which one, and its constants
   * @param model shape of the codec
   * @param adversarial the discriminator that it learns against, if any
   * @param from empty; or a folder of a run or a model on the same dataset, whose codec is taken as
   *     it is: all steps are the last stage's then. In an effective recipe the hash of that codec
   */
  public record Codec(
      double share,
      int batch,
      int accumulate,
      int frames,
      double learningRate,
      int warmup,
      double weightDecay,
      double clip,
      double gainDb,
      Schedule.Options schedule,
      Optimisation.Options optimiser,
      CodecConfig model,
      Adversarial adversarial,
      String from) {
    /** Learned here, without a discriminator. */
    public Codec(
        double share,
        int batch,
        int accumulate,
        int frames,
        double learningRate,
        int warmup,
        double weightDecay,
        double clip,
        double gainDb,
        Schedule.Options schedule,
        Optimisation.Options optimiser,
        CodecConfig model) {
      this(
          share,
          batch,
          accumulate,
          frames,
          learningRate,
          warmup,
          weightDecay,
          clip,
          gainDb,
          schedule,
          optimiser,
          model,
          Adversarial.OFF,
          "");
    }

    public Codec {
      require(share > 0 && share <= 1, "codec.share", share, "more than 0, up to 1");
      require(
          from.isEmpty() || share < 1,
          "codec.share",
          share,
          "less than 1 where codec.from gives the codec");
      require(batch >= 1 && batch <= BATCH_MAX, "codec.batch", batch, "1 to " + BATCH_MAX);
      requireDivides("codec.", accumulate, batch);
      require(frames >= 16 && frames <= 1024, "codec.frames", frames, "16 to 1024");
      requireLearnable("codec", learningRate, warmup, weightDecay, clip);
      require(gainDb >= 0 && gainDb <= 40, "codec.gainDb", gainDb, "0 to 40");
      require(
          !adversarial.takesPart() || adversarial.frames <= frames,
          "codec.adversarial.frames",
          adversarial.frames,
          "at most codec.frames, " + frames);
    }
  }

  /**
   * The codec's discriminator: on waveforms where the network makes phases, on decibels where they
   * are recovered.
   *
   * @param weight of the adversarial loss in the codec's; 0 trains without a discriminator
   * @param featureWeight of feature matching in the codec's loss
   * @param start share of the codec's steps before the discriminator begins
   * @param frames latent frames of each excerpt that are judged
   * @param periodChannels of the multi-period networks' first layer; on waveforms only
   * @param bandChannels of the multi-band networks
   */
  public record Adversarial(
      double weight,
      double featureWeight,
      double start,
      int frames,
      int periodChannels,
      int bandChannels) {
    /** No discriminator; the other numbers are where one may begin. */
    public static final Adversarial OFF = new Adversarial(0, 0.5, 0.25, 32, 4, 8);

    private static final int CHANNELS_MAX = 256;

    public Adversarial {
      require(weight >= 0 && weight <= 1000, "codec.adversarial.weight", weight, "0 to 1000");
      require(
          featureWeight >= 0 && featureWeight <= 1000,
          "codec.adversarial.featureWeight",
          featureWeight,
          "0 to 1000");
      require(start >= 0 && start < 1, "codec.adversarial.start", start, "0 to less than 1");
      require(frames >= 4 && frames <= 1024, "codec.adversarial.frames", frames, "4 to 1024");
      require(
          periodChannels >= 1 && periodChannels <= CHANNELS_MAX,
          "codec.adversarial.periodChannels",
          periodChannels,
          "1 to " + CHANNELS_MAX);
      require(
          bandChannels >= 1 && bandChannels <= CHANNELS_MAX,
          "codec.adversarial.bandChannels",
          bandChannels,
          "1 to " + CHANNELS_MAX);
    }

    /** Whether there is a discriminator at all. */
    public boolean takesPart() {
      return weight > 0;
    }

    /** The same with another weight. */
    Adversarial weighing(double other) {
      return new Adversarial(other, featureWeight, start, frames, periodChannels, bandChannels);
    }
  }

  /**
   * Copies that the last stage learns from, in stage two. A copy is played faster or slower by
   * {@code 2^(k/12)}, which moves its pitch by k semitones, and then stretched back, and a little
   * more or less, so that pitch and tempo vary independently.
   *
   * @param copies of each recording; the first is as it was recorded
   * @param semitonesDown lowest transposition, 0 or less
   * @param semitonesUp highest transposition, 0 or more
   * @param tempoMin slowest tempo as a factor
   * @param tempoMax fastest tempo as a factor
   */
  public record Augment(
      int copies, int semitonesDown, int semitonesUp, double tempoMin, double tempoMax) {
    public Augment {
      require(copies >= 1 && copies <= 1000, "augment.copies", copies, "1 to 1000");
      require(
          semitonesDown <= 0 && semitonesDown >= -12,
          "augment.semitonesDown",
          semitonesDown,
          "-12 to 0");
      require(semitonesUp >= 0 && semitonesUp <= 12, "augment.semitonesUp", semitonesUp, "0 to 12");
      require(tempoMin > 0.5 && tempoMin <= 1, "augment.tempoMin", tempoMin, "0.5 to 1");
      require(tempoMax >= 1 && tempoMax < 2, "augment.tempoMax", tempoMax, "1 to 2");
    }
  }

  /**
   * The language model's stage.
   *
   * @param frames latent frames of a sequence
   * @param learningRate at its highest
   * @param warmup steps until it is reached
   * @param weightDecay of AdamW
   * @param clip largest gradient norm
   * @param dropConditions chance that a sequence learns without the music's conditions, and the
   *     same without the style's; single groups and all at once half as often
   * @param keepTag chance that each of its tags is told
   * @param keepMelody chance that a sequence is told its melody, for a model with one
   * @param tokenNoise chance that an input token is replaced by a random one
   * @param spans chance that a sequence is met as a span to fill between both sides; 0 without
   * @param codebookWeight weight of each codebook's loss relative to that of the coarser one
   * @param emaDecay of the averaged weights that are measured and shipped; 0 ships the last ones
   * @param evaluateEvery steps between two measurements on held-out recordings
   * @param stopAfter measurements without a new best before the stage ends early; 0 never ends
   *     early and ships the last weights, otherwise the best are shipped
   * @param recompute whether layers keep only their inputs and run again in the backward pass: less
   *     memory, a third more time, the same gradient
   * @param schedule how the learning rate goes on after warm-up
   * @param optimiser which one, and its constants
   * @param model shape of the language model
   */
  public record Lm(
      int frames,
      double learningRate,
      int warmup,
      double weightDecay,
      double clip,
      double dropConditions,
      double keepTag,
      double keepMelody,
      double tokenNoise,
      double spans,
      double codebookWeight,
      double emaDecay,
      int evaluateEvery,
      int stopAfter,
      boolean recompute,
      Schedule.Options schedule,
      Optimisation.Options optimiser,
      TokenLmConfig model)
      implements Last {
    @Override
    public String name() {
      return "lm";
    }

    public Lm {
      require(frames >= 16 && frames <= 8192, "lm.frames", frames, "16 to 8192");
      requireLearnable("lm", learningRate, warmup, weightDecay, clip);
      require(
          dropConditions >= 0 && dropConditions <= 0.5,
          "lm.dropConditions",
          dropConditions,
          "0 to 0.5");
      require(keepTag > 0 && keepTag <= 1, "lm.keepTag", keepTag, "more than 0, up to 1");
      require(keepMelody >= 0 && keepMelody <= 1, "lm.keepMelody", keepMelody, "0 to 1");
      require(spans >= 0 && spans <= 1, "lm.spans", spans, "0 to 1");
      require(spans == 0 || model.spans(), "lm.spans", spans, "0 unless lm.model.spans is true");
      require(tokenNoise >= 0 && tokenNoise <= 0.5, "lm.tokenNoise", tokenNoise, "0 to 0.5");
      require(
          codebookWeight > 0 && codebookWeight <= 1,
          "lm.codebookWeight",
          codebookWeight,
          "more than 0, up to 1");
      require(emaDecay >= 0 && emaDecay < 1, "lm.emaDecay", emaDecay, "0 to less than 1");
      require(evaluateEvery >= 1, "lm.evaluateEvery", evaluateEvery, "at least 1");
      require(stopAfter >= 0, "lm.stopAfter", stopAfter, "0 or more");
    }
  }

  /** What the last stages have in common. */
  public sealed interface Last permits Lm, Flow {
    /** Its word in metrics, checkpoints and keys. */
    String name();

    /** Latent frames of a sequence. */
    int frames();

    /** Highest learning rate. */
    double learningRate();

    /** Steps until it is reached. */
    int warmup();

    /** Of AdamW. */
    double weightDecay();

    /** Largest gradient norm. */
    double clip();

    /** Of the averaged weights that are measured and shipped; 0 ships the last ones. */
    double emaDecay();

    /** Steps between two measurements on held-out recordings. */
    int evaluateEvery();

    /** Measurements without a new best before the stage ends early, 0 for never. */
    int stopAfter();

    /** How the learning rate goes on after warm-up. */
    Schedule.Options schedule();

    /** Which optimiser, and its constants. */
    Optimisation.Options optimiser();
  }

  /**
   * The flow model's stage.
   *
   * @param frames latent frames of a window
   * @param learningRate at its highest
   * @param warmup steps until it is reached
   * @param weightDecay of AdamW
   * @param clip largest gradient norm
   * @param dropConditions as in {@link Lm}
   * @param inpaint chance that a window keeps its frames outside of one random span, so that the
   *     model learns to fill spans and to go on from a beginning
   * @param keepTag chance that each of its tags is told
   * @param emaDecay of the averaged weights that are measured and shipped; 0 ships the last ones
   * @param evaluateEvery steps between two measurements on held-out recordings
   * @param stopAfter as in {@link Lm}
   * @param schedule how the learning rate goes on after warm-up
   * @param optimiser which one, and its constants
   * @param model shape of the flow model; it makes {@code context} frames at once
   */
  public record Flow(
      int frames,
      double learningRate,
      int warmup,
      double weightDecay,
      double clip,
      double dropConditions,
      double inpaint,
      double keepTag,
      double emaDecay,
      int evaluateEvery,
      int stopAfter,
      Schedule.Options schedule,
      Optimisation.Options optimiser,
      FlowConfig model)
      implements Last {
    @Override
    public String name() {
      return "flow";
    }

    public Flow {
      require(frames >= 16 && frames <= 8192, "flow.frames", frames, "16 to 8192");
      requireLearnable("flow", learningRate, warmup, weightDecay, clip);
      require(
          dropConditions >= 0 && dropConditions <= 0.5,
          "flow.dropConditions",
          dropConditions,
          "0 to 0.5");
      require(inpaint >= 0 && inpaint <= 1, "flow.inpaint", inpaint, "0 to 1");
      require(keepTag > 0 && keepTag <= 1, "flow.keepTag", keepTag, "more than 0, up to 1");
      require(emaDecay >= 0 && emaDecay < 1, "flow.emaDecay", emaDecay, "0 to less than 1");
      require(evaluateEvery >= 1, "flow.evaluateEvery", evaluateEvery, "at least 1");
      require(stopAfter >= 0, "flow.stopAfter", stopAfter, "0 or more");
    }
  }

  /** The last stage, whichever it is. */
  public Last last() {
    return lm != null ? lm : Objects.requireNonNull(flow);
  }

  /** Whether copies need to know their melody. */
  public boolean melody() {
    return lm != null && lm.model().melody();
  }

  /** Codebooks of the codes that the last stage, or what measures it, looks at. */
  public int codebooks() {
    return lm != null ? lm.model().codebooks() : codec.model().codebooks();
  }

  /**
   * Steps of the codec's stage: its share, at least one, and at least one is left if it is not all;
   * none where the codec is given.
   */
  public long codecSteps() {
    if (!codec.from().isEmpty()) {
      return 0;
    }
    return codec.share() == 1 ? steps : Math.clamp(Math.round(steps * codec.share()), 1, steps - 1);
  }

  /** Steps of the last stage; none in a run that ends with its codec. */
  public long lastSteps() {
    return steps - codecSteps();
  }

  /** The same recipe with what was {@code auto} resolved. */
  public Recipe resolved(String precision, int threads) {
    return new Recipe(
        name,
        steps,
        seed,
        batch,
        accumulate,
        precision,
        threads,
        heldOut,
        logEvery,
        checkpoint,
        guard,
        codec,
        augment,
        lm,
        flow);
  }

  private static void requireDivides(String stage, int accumulate, int batch) {
    require(
        accumulate >= 1 && batch % accumulate == 0,
        stage + "accumulate",
        accumulate,
        "a number that divides %sbatch, %d".formatted(stage, batch));
  }

  private static void requireLearnable(
      String stage, double learningRate, int warmup, double weightDecay, double clip) {
    require(
        learningRate > 0 && learningRate < 1,
        stage + ".learningRate",
        learningRate,
        "more than 0 and less than 1");
    require(warmup >= 0, stage + ".warmup", warmup, "0 or more");
    require(weightDecay >= 0 && weightDecay < 1, stage + ".weightDecay", weightDecay, "0 to 1");
    require(clip > 0, stage + ".clip", clip, "more than 0");
  }
}
