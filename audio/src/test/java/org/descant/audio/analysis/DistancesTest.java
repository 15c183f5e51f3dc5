package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;

class DistancesTest {
  private static final int RATE = 44_100;
  private static final Pcm TONE = tone(440, 0.3);

  private static Pcm tone(double hz, double level) {
    float[] samples = new float[RATE];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) (level * Math.sin(2 * Math.PI * hz * i / RATE));
    }
    return new Pcm(new float[][] {samples}, RATE);
  }

  private static Pcm noisy(double level) {
    SplittableRandom random = new SplittableRandom(1);
    float[] samples = TONE.channel(0).clone();
    for (int i = 0; i < samples.length; i++) {
      samples[i] += (float) (level * (2 * random.nextDouble() - 1));
    }
    return new Pcm(new float[][] {samples}, RATE);
  }

  @Test
  void equalSoundsAreAtNoDistance() {
    assertThat(StftDistance.between(TONE, TONE)).isZero();
    assertThat(MelDistance.between(TONE, TONE)).isZero();
    assertThat(SiSdr.between(TONE, TONE)).isGreaterThan(100);
  }

  @Test
  void moreNoiseIsFurther() {
    double[] levels = {0.001, 0.01, 0.1};
    for (int i = 1; i < levels.length; i++) {
      Pcm less = noisy(levels[i - 1]);
      Pcm more = noisy(levels[i]);
      assertThat(StftDistance.between(TONE, more)).isGreaterThan(StftDistance.between(TONE, less));
      assertThat(SiSdr.between(TONE, more)).isLessThan(SiSdr.between(TONE, less) - 15);
    }
    // Energies of a sine of 0.3 and of even noise of ±0.1: 0.045 and 0.00333.
    assertThat(SiSdr.between(TONE, noisy(0.1))).isCloseTo(11.3, within(0.2));
  }

  @Test
  void gainIsNoDistortionButADistance() {
    Pcm quieter = tone(440, 0.15);
    assertThat(SiSdr.between(TONE, quieter)).isGreaterThan(100);
    // Half of each magnitude: 0.602 of log10 of the square, where there is something to hear.
    assertThat(StftDistance.between(TONE, quieter)).isBetween(0.6, 1.6);
  }

  @Test
  void aPitchThatIsOffIsHeard() {
    assertThat(SiSdr.between(TONE, tone(450, 0.3))).isLessThan(-10);
    assertThat(StftDistance.between(TONE, tone(450, 0.3)))
        .isGreaterThan(StftDistance.between(TONE, tone(441, 0.3)));
  }

  @Test
  void shorterSoundsGoOnInSilence() {
    Pcm half = TONE.slice(0, RATE / 2);
    assertThat(SiSdr.between(TONE, half)).isCloseTo(0, within(0.1));
    assertThat(StftDistance.between(TONE, half)).isPositive();
  }
}
