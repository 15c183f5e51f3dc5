package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.descant.audio.AudioException;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoudnessTest {
  @ParameterizedTest
  @ValueSource(ints = {32_000, 44_100, 48_000, 96_000})
  void stereoSineOf997HertzAtMinus23DecibelsIsMinus23Lufs(int rate) {
    Pcm sine = sine(997, -23, 20, rate);
    Pcm stereo = new Pcm(new float[][] {sine.channel(0), sine.channel(0)}, rate);
    assertThat(Loudness.integratedLufs(stereo)).isCloseTo(-23, within(0.1));
  }

  @Test
  void fullScaleSineInOneChannelIsMinus3Point01() {
    assertThat(Loudness.integratedLufs(sine(997, 0, 5, 48_000))).isCloseTo(-3.01, within(0.05));
  }

  /** EBU Tech 3341, case 3: the quiet ends lie under the relative gate. */
  @Test
  void quietPartsAreGatedOut() {
    Pcm quiet = sine(1000, -36, 10, 48_000);
    Pcm loud = sine(1000, -23, 60, 48_000);
    float[] all = new float[quiet.frames() * 2 + loud.frames()];
    System.arraycopy(quiet.channel(0), 0, all, 0, quiet.frames());
    System.arraycopy(loud.channel(0), 0, all, quiet.frames(), loud.frames());
    System.arraycopy(quiet.channel(0), 0, all, quiet.frames() + loud.frames(), quiet.frames());
    Pcm stereo = new Pcm(new float[][] {all, all}, 48_000);
    assertThat(Loudness.integratedLufs(stereo)).isCloseTo(-23, within(0.1));
  }

  @Test
  void silenceHasNoLoudness() {
    Pcm silence = Pcm.ofMono(new float[48_000], 48_000);
    assertThat(Loudness.integratedLufs(silence)).isEqualTo(Double.NEGATIVE_INFINITY);
    assertThat(Loudness.normalizeTo(silence, -14, 1)).isEqualTo(silence);
    assertThat(Loudness.integratedLufs(Pcm.ofMono(new float[0], 48_000)))
        .isEqualTo(Double.NEGATIVE_INFINITY);
  }

  @Test
  void normalizingReachesTheLevelUnlessThePeakForbids() {
    Pcm sine = sine(500, -30, 3, 44_100);
    Pcm loud = Loudness.normalizeTo(sine, -16, 1);
    assertThat(Loudness.integratedLufs(loud)).isCloseTo(-16, within(0.01));
    Pcm capped = Loudness.normalizeTo(sine, 0, 0.5);
    assertThat(Loudness.samplePeak(capped)).isCloseTo(0.5f, within(1e-6f));
    assertThat(Loudness.integratedLufs(capped)).isLessThan(-6);
    assertThatThrownBy(() -> Loudness.normalizeTo(sine, -14, 0)).isInstanceOf(AudioException.class);
  }

  @Test
  void aSoundShorterThanABlockIsOneBlock() {
    assertThat(Loudness.integratedLufs(sine(997, -10, 0.2, 48_000))).isCloseTo(-13, within(0.3));
  }

  private static Pcm sine(double hertz, double decibels, double seconds, int rate) {
    float[] samples = new float[(int) (seconds * rate)];
    double level = Math.pow(10, decibels / 20);
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) (level * Math.sin(2 * Math.PI * hertz * i / rate));
    }
    return Pcm.ofMono(samples, rate);
  }
}
