package org.descant.training.stage;

import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.models.BatchShare;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.codec.discriminator.AdversarialLoss;
import org.descant.models.codec.discriminator.Discriminator;
import org.descant.models.codec.discriminator.SoundDiscriminator;
import org.descant.models.codec.discriminator.SpectrumDiscriminator;
import org.descant.models.codec.discriminator.Verdict;
import org.descant.shards.Draws;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.recipe.Recipe;

/**
 * Whom the codec learns against: a discriminator with an optimiser of its own, and the excerpts
 * that it judges.
 *
 * <p>In one step both see the same decoded sound and take their gradients at the weights of before
 * it; both move only after the guard has accepted the losses of both. Where several processes share
 * a batch, the discriminator's gradients are their mean, so all keep the same weights.
 *
 * <p>Cost of a step: eight times the products of {@link Discriminator#judge} on the batch's judged
 * frames (true and decoded sound forwards and backwards for the discriminator, forwards and back to
 * the sound for the codec).
 */
final class Adversary implements AutoCloseable {
  private static final String PREFIX = CodecStage.NAME + ".discriminator.";
  private static final String WEIGHTS = PREFIX + "weights.";
  private static final String MOMENTS = PREFIX + "adamw.";
  private static final double PASSES = 8;

  /** As in HiFi-GAN: a discriminator's gradients change faster than AdamW's usual mean. */
  private static final AdamW.Options OPTIONS = new AdamW.Options(0.8, 0.99, 1e-8, 0);

  /** Largest gradient norm of the discriminator. */
  private static final double CLIP = 10;

  private final Recipe.Codec codec;
  private final Recipe.Adversarial recipe;
  private final long seed;
  private final long firstStep;
  private final Discriminator discriminator;
  private AdamW optimiser;

  /**
   * A discriminator that knows nothing yet.
   *
   * @param recipe of a run whose codec has a discriminator
   */
  Adversary(Recipe recipe) {
    this.codec = recipe.codec();
    this.recipe = codec.adversarial();
    this.seed = recipe.seed();
    this.firstStep = 1 + Math.round(recipe.codecSteps() * this.recipe.start());
    long weights = Draws.key(seed, "discriminator weights", 0);
    this.discriminator =
        judgesSound()
            ? new SoundDiscriminator(
                this.recipe.periodChannels(), this.recipe.bandChannels(), weights)
            : new SpectrumDiscriminator(this.recipe.bandChannels(), MagnitudeCodec.BINS, weights);
    this.optimiser = new AdamW(discriminator.parameters(), OPTIONS);
  }

  private boolean judgesSound() {
    return codec.model().phases() == CodecConfig.Phases.NETWORK;
  }

  /** Begins with the first weights and without moments. */
  void start() {
    discriminator.parameters().reset();
    optimiser.close();
    optimiser = new AdamW(discriminator.parameters(), OPTIONS);
  }

  /** Whether the discriminator learns and judges in a step of the stage. */
  boolean playsIn(long step) {
    return step >= firstStep;
  }

  /**
   * What it adds to a part of a step; scalars, the last two without gradients.
   *
   * @param total the weighted sum that belongs in the codec's loss
   * @param codec its adversarial loss
   * @param features its feature matching loss
   * @param own the discriminator's loss
   * @param gradientNorm of the discriminator over the whole step, once the last part has come
   */
  record Judged(Tensor total, Tensor codec, Tensor features, Tensor own, Tensor gradientNorm) {
    /** Zeros, which the metrics show before the discriminator begins. */
    static Judged nothing() {
      Tensor zero = Tensor.scalar(0);
      return new Judged(zero, zero, zero, zero, zero);
    }

    void addTo(Map<String, Tensor> values) {
      values.put("adversarial", codec.detach());
      values.put("featureMatching", features.detach());
      values.put("lossOfDiscriminator", own);
      values.put("gradientNormOfDiscriminator", gradientNorm);
    }
  }

  /**
   * Judges decoded sound, [rows, samples], or spectra, [rows, STFT frames, bins], beside the true
   * ones, and adds a part's share of the discriminator's gradient.
   */
  Judged judge(Tensor made, Tensor truth, long step, int part, BatchShare share) {
    int perFrame = (int) (made.size(1) / codec.frames());
    SplittableRandom random = Draws.of(seed, "judged frames", step);
    long from = random.nextInt(codec.frames() - recipe.frames() + 1) * (long) perFrame;
    long length = (long) recipe.frames() * perFrame;
    Tensor judged = made.narrow(1, from, length).contiguous();
    Tensor real = truth.narrow(1, from, length).contiguous();

    ParameterStore store = discriminator.parameters();
    if (part == 0) {
      store.zeroGradients();
    }
    List<Verdict> ofReal = discriminator.judge(real);
    Tensor own = AdversarialLoss.ofDiscriminator(ofReal, discriminator.judge(judged.detach()));
    int parts = codec.accumulate();
    own.mul(1.0 / parts).backward();
    boolean last = part == parts - 1;
    if (last && !share.isWhole()) {
      try (NoGrad noGrad = NoGrad.open()) {
        share.sum().accept(store.gradients());
        store.gradients().mulInPlace((double) share.rows() / share.of());
      }
    }

    learns(false);
    List<Verdict> ofMade;
    try {
      ofMade = discriminator.judge(judged);
    } finally {
      learns(true);
    }
    Tensor forCodec = AdversarialLoss.ofCodec(ofMade);
    Tensor features = AdversarialLoss.features(ofReal, ofMade);
    Tensor total = forCodec.mul(recipe.weight()).add(features.mul(recipe.featureWeight()));
    return new Judged(
        total, forCodec, features, own.detach(), last ? norm(store).mul(parts) : Tensor.scalar(0));
  }

  private static Tensor norm(ParameterStore store) {
    try (NoGrad noGrad = NoGrad.open()) {
      return store.gradients().norm();
    }
  }

  /** Whether gradients reach the discriminator's weights; they pass through either way. */
  private void learns(boolean wanted) {
    for (ParameterStore.Parameter parameter : discriminator.parameters().parameters()) {
      parameter.tensor().requiresGrad(wanted);
    }
  }

  /** Moves the discriminator by the gradients of the step. */
  void step(double learningRate) {
    try (Scope scope = Scope.open()) {
      discriminator.parameters().clipGradNorm(CLIP);
      optimiser.step(learningRate);
    }
  }

  /** Nominal operations for each row of a batch, after the first judgement. */
  double flopsPerRow(int rowsJudged) {
    return 2 * PASSES * discriminator.products() / rowsJudged;
  }

  /** Adds weights and moments to a checkpoint. */
  void saveTo(Map<String, Tensor> state) {
    discriminator.parameters().saveTo(WEIGHTS, state);
    optimiser.saveTo(MOMENTS, state);
  }

  /** Goes on from a checkpoint. */
  void restoreFrom(Safetensors state) {
    discriminator.parameters().restoreFrom(WEIGHTS, state);
    optimiser.restoreFrom(MOMENTS, state);
  }

  @Override
  public void close() {
    optimiser.close();
    discriminator.close();
  }
}
