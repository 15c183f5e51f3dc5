package org.descant.models.codec.discriminator;

import java.util.List;
import org.descant.models.ModelException;
import org.descant.tensor.Tensor;

/**
 * The least-squares losses of a discriminator and of whom it judges (Mao et al., "Least Squares
 * Generative Adversarial Networks", 2017), and feature matching (Larsen et al. 2016; as in Kong,
 * Kim, Bae, "HiFi-GAN", 2020). Means over networks and layers, so that more of them do not weigh
 * more. Stateless.
 */
public final class AdversarialLoss {
  private AdversarialLoss() {}

  /** The discriminator's: true sound is to score 1, decoded sound 0. */
  public static Tensor ofDiscriminator(List<Verdict> truth, List<Verdict> made) {
    requirePairs(truth, made);
    Tensor sum = Tensor.scalar(0);
    for (int i = 0; i < truth.size(); i++) {
      sum = sum.add(truth.get(i).score().sub(1.0).square().mean());
      sum = sum.add(made.get(i).score().square().mean());
    }
    return sum.div((double) truth.size());
  }

  /** The codec's: decoded sound is to score 1. */
  public static Tensor ofCodec(List<Verdict> made) {
    Tensor sum = Tensor.scalar(0);
    for (Verdict verdict : made) {
      sum = sum.add(verdict.score().sub(1.0).square().mean());
    }
    return sum.div((double) made.size());
  }

  /** Mean absolute difference of the features; those of true sound are taken as they are. */
  public static Tensor features(List<Verdict> truth, List<Verdict> made) {
    requirePairs(truth, made);
    Tensor sum = Tensor.scalar(0);
    int layers = 0;
    for (int i = 0; i < truth.size(); i++) {
      for (int layer = 0; layer < truth.get(i).features().size(); layer++) {
        sum =
            sum.add(
                made.get(i)
                    .features()
                    .get(layer)
                    .l1Loss(truth.get(i).features().get(layer).detach()));
        layers++;
      }
    }
    return sum.div((double) layers);
  }

  private static void requirePairs(List<Verdict> truth, List<Verdict> made) {
    if (truth.size() != made.size()) {
      throw new ModelException(
          "Verdicts of %d and %d networks do not belong together"
              .formatted(truth.size(), made.size()));
    }
  }
}
