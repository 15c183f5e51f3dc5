package org.descant.models.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.descant.models.ModelException;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class WaveformLossTest {
  private static final int RATE = 22_050;
  private static final int SAMPLES = 4096;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static Tensor tone(double hz, double gain) {
    float[] samples = new float[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      samples[i] = (float) (gain * Math.sin(2 * Math.PI * hz * i / RATE));
    }
    return Tensor.of(samples, 1, 1, SAMPLES);
  }

  @Test
  void equalSoundsHaveNoDistanceAndFurtherOnesMore() {
    try (WaveformLoss loss = new WaveformLoss(RATE);
        Scope scope = Scope.open()) {
      Tensor truth = tone(440, 0.5);
      assertThat(loss.of(truth, truth).mel().item()).isZero();
      assertThat(loss.of(truth, truth).stft().item()).isZero();
      double near = loss.of(tone(440, 0.45), truth).mel().item();
      double far = loss.of(tone(880, 0.5), truth).mel().item();
      assertThat(near).isPositive();
      assertThat(far).isGreaterThan(near);
      assertThat(loss.of(tone(880, 0.5), truth).stft().item())
          .isGreaterThan(loss.of(tone(440, 0.45), truth).stft().item());
    }
  }

  /** A sound ten times as loud is one unit of log10 away in every band that is not near silence. */
  @Test
  void theLogarithmOfMagnitudesIsCompared() {
    try (WaveformLoss loss = new WaveformLoss(RATE);
        Scope scope = Scope.open()) {
      float[] noise = new float[SAMPLES];
      var random = new java.util.SplittableRandom(5);
      for (int i = 0; i < SAMPLES; i++) {
        noise[i] = (float) (random.nextDouble() - 0.5);
      }
      Tensor truth = Tensor.of(noise, 1, 1, SAMPLES);
      // Seven resolutions; a few of the narrow bands of the longest are near the floor.
      assertThat(loss.of(truth.mul(10.0), truth).mel().item()).isCloseTo(7, within(0.1));
    }
  }

  @Test
  void gradientsAreFiniteInSilenceAndLeadTowardsTheTruth() {
    try (WaveformLoss loss = new WaveformLoss(RATE);
        Scope scope = Scope.open()) {
      Tensor silence = Tensor.zeros(1, 1, SAMPLES).requiresGrad(true);
      loss.of(silence, tone(440, 0.5)).mel().backward();
      assertThat(silence.grad().allFinite()).isTrue();

      Tensor quiet = tone(440, 0.25).requiresGrad(true);
      WaveformLoss.Terms terms = loss.of(quiet, tone(440, 0.5));
      terms.mel().add(terms.stft()).backward();
      // Louder is nearer: along the sound itself the loss falls.
      assertThat(quiet.grad().mul(quiet.detach()).sum().item()).isNegative();
    }
  }

  @Test
  void otherShapesAreRefused() {
    try (WaveformLoss loss = new WaveformLoss(RATE);
        Scope scope = Scope.open()) {
      assertThatThrownBy(() -> loss.of(Tensor.zeros(1, 1, 1024), Tensor.zeros(1, 1, 1024)))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("1025 samples or more");
      assertThatThrownBy(() -> loss.of(Tensor.zeros(1, 1, 2048), Tensor.zeros(1, 1, 2050)))
          .isInstanceOf(ModelException.class);
      assertThatThrownBy(() -> loss.of(Tensor.zeros(1, 2, 2048), Tensor.zeros(1, 2, 2048)))
          .isInstanceOf(ModelException.class);
    }
  }
}
