package org.descant.models.codec.discriminator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.Test;

class DiscriminatorTest {
  private static final int SAMPLES = 4100;

  private static float[] noise(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = (float) random.nextDouble(-0.5, 0.5);
    }
    return x;
  }

  private static float[] tones(int rows, int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] x = new float[rows * count];
    for (int b = 0; b < rows; b++) {
      double step = random.nextDouble(0.02, 0.2);
      for (int i = 0; i < count; i++) {
        x[b * count + i] = (float) (0.4 * Math.sin(step * i));
      }
    }
    return x;
  }

  @Test
  void verdictsHaveTheShapesOfThePapers() {
    try (var discriminator = new SoundDiscriminator(2, 3, 1);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Verdict> verdicts = discriminator.judge(Tensor.of(noise(2 * SAMPLES, 1), 2, SAMPLES));
      assertThat(verdicts).hasSize(8);
      Verdict second = verdicts.get(1); // every third sample: 1,367 rows of 3
      assertThat(second.features()).hasSize(5);
      assertThat(second.features().get(0).shape()).containsExactly(2, 2, 456, 3);
      assertThat(second.features().get(3).shape()).containsExactly(2, 64, 17, 3);
      assertThat(second.features().get(4).shape()).containsExactly(2, 64, 17, 3);
      assertThat(second.score().shape()).containsExactly(2, 1, 17, 3);
      Verdict spectrum = verdicts.get(5); // 2048 samples every 512: 9 frames
      assertThat(spectrum.features()).hasSize(5 * 5);
      assertThat(spectrum.features().get(0).shape()).containsExactly(2, 3, 9, 102);
      assertThat(spectrum.features().get(4).shape()).containsExactly(2, 3, 9, 13);
      assertThat(spectrum.score().size(2)).isEqualTo(9);
      assertThat(discriminator.products()).isGreaterThan(1e6);
      assertThatThrownBy(() -> discriminator.judge(Tensor.zeros(1, 2047)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("given 2047");
    }
    try (var discriminator = new SpectrumDiscriminator(3, 65, 1);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Verdict> verdicts = discriminator.judge(Tensor.of(noise(2 * 10 * 65, 2), 2, 10, 65));
      assertThat(verdicts).hasSize(1);
      assertThat(verdicts.getFirst().score().size(2)).isEqualTo(10);
      assertThatThrownBy(() -> discriminator.judge(Tensor.zeros(1, 10, 64)))
          .hasMessageContaining("sees 65 bins, was given 64");
    }
  }

  @Test
  void levelTellsAWaveformsJudgeNothing() {
    try (var discriminator = new SoundDiscriminator(1, 2, 1);
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor sound = Tensor.of(noise(SAMPLES, 3), 1, SAMPLES);
      List<Verdict> one = discriminator.judge(sound);
      List<Verdict> other = discriminator.judge(sound.mul(0.25).add(0.1));
      for (int i = 0; i < one.size(); i++) {
        assertThat(one.get(i).score().sub(other.get(i).score()).abs().amax().item())
            .isCloseTo(0, within(1e-4));
      }
      assertThat(AdversarialLoss.features(one, one).item()).isZero();
      assertThatThrownBy(() -> AdversarialLoss.features(one, one.subList(1, 3)))
          .hasMessageContaining("8 and 2 networks");
    }
  }

  /** Of the codec's losses by what is judged, and of the discriminator's by its weights. */
  @Test
  void gradientsAreThoseOfSmallChanges() {
    float[] made = noise(2 * 6 * 33, 4);
    float[] true_ = noise(2 * 6 * 33, 5);
    try (var discriminator = new SpectrumDiscriminator(2, 33, 3);
        Scope scope = Scope.open()) {
      Tensor truth = Tensor.of(true_, 2, 6, 33);
      Tensor x = Tensor.of(made, 2, 6, 33).requiresGrad(true);
      codecLoss(discriminator, truth, x).backward();
      Tensor direction = x.grad();
      double slope = direction.square().sum().item();
      double step = 0.02 / Math.sqrt(slope);
      double there = codecLoss(discriminator, truth, x.detach().add(direction.mul(step))).item();
      double back = codecLoss(discriminator, truth, x.detach().sub(direction.mul(step))).item();
      assertThat((there - back) / (2 * step)).isCloseTo(slope, within(0.03 * slope));

      discriminator.parameters().zeroGradients();
      ownLoss(discriminator, truth, x.detach()).backward();
      Tensor gradient = discriminator.parameters().gradients().copy();
      slope = gradient.square().sum().item();
      step = 0.01 / Math.sqrt(slope);
      try (NoGrad noGrad = NoGrad.open()) {
        discriminator.parameters().values().addInPlace(gradient, step);
        there = ownLoss(discriminator, truth, x.detach()).item();
        discriminator.parameters().values().addInPlace(gradient, -2 * step);
        back = ownLoss(discriminator, truth, x.detach()).item();
      }
      assertThat((there - back) / (2 * step)).isCloseTo(slope, within(0.03 * slope));
    }
  }

  private static Tensor codecLoss(Discriminator discriminator, Tensor truth, Tensor made) {
    List<Verdict> verdicts = discriminator.judge(made);
    return AdversarialLoss.ofCodec(verdicts)
        .add(AdversarialLoss.features(discriminator.judge(truth), verdicts));
  }

  private static Tensor ownLoss(Discriminator discriminator, Tensor truth, Tensor made) {
    return AdversarialLoss.ofDiscriminator(discriminator.judge(truth), discriminator.judge(made));
  }

  @Test
  void aFewStepsTellTonesFromNoise() {
    try (var discriminator = new SoundDiscriminator(1, 2, 7)) {
      double[] losses = new double[12];
      try (AdamW optimiser =
          new AdamW(discriminator.parameters(), new AdamW.Options(0.8, 0.99, 1e-8, 0))) {
        for (int step = 0; step < losses.length; step++) {
          try (Scope scope = Scope.open()) {
            Tensor truth = Tensor.of(tones(4, SAMPLES, step), 4, SAMPLES);
            Tensor made = Tensor.of(noise(4 * SAMPLES, step + 100), 4, SAMPLES);
            discriminator.parameters().zeroGradients();
            Tensor loss = ownLoss(discriminator, truth, made);
            loss.backward();
            optimiser.step(3e-3);
            losses[step] = loss.item();
          }
        }
      }
      System.out.printf("discriminator %.3f -> %.3f%n", losses[0], losses[losses.length - 1]);
      assertThat(losses[losses.length - 1]).isLessThan(0.6 * losses[0]);
    }
  }

  /** Made by bench/peers/discriminators.py: PyTorch's own weight norm, convolutions and STFT. */
  @Test
  void verdictsAndLossesAreThoseOfPyTorch() throws Exception {
    Path file =
        Path.of(
            Objects.requireNonNull(
                    DiscriminatorTest.class.getResource("/codec/discriminator.safetensors"))
                .toURI());
    try (var discriminator = new SoundDiscriminator(1, 2, 1);
        Safetensors golden = Safetensors.open(file);
        Scope scope = Scope.open()) {
      discriminator.parameters().restoreFrom("weights.", golden);
      Tensor made = golden.tensor("made").copy().requiresGrad(true);
      List<Verdict> truth = discriminator.judge(golden.tensor("truth"));
      List<Verdict> judged = discriminator.judge(made);
      for (int i = 0; i < judged.size(); i++) {
        assertClose(judged.get(i).score(), golden.tensor("score." + i), 1e-4);
      }
      Tensor own = AdversarialLoss.ofDiscriminator(truth, judged);
      Tensor codec = AdversarialLoss.ofCodec(judged);
      Tensor features = AdversarialLoss.features(truth, judged);
      assertClose(own, golden.tensor("loss.discriminator"), 1e-4);
      assertClose(codec, golden.tensor("loss.codec"), 1e-4);
      assertClose(features, golden.tensor("loss.features"), 1e-4);
      codec.add(features).backward();
      assertClose(made.grad(), golden.tensor("gradient"), 1e-3);
    }
  }

  private static void assertClose(Tensor actual, Tensor expected, double relative) {
    assertThat(actual.shape()).isEqualTo(expected.shape());
    double scale = expected.abs().amax().item();
    assertThat(actual.sub(expected).abs().amax().item()).isLessThan(relative * scale);
  }
}
