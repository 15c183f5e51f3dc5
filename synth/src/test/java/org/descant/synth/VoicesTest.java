package org.descant.synth;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class VoicesTest {
  private static final Set<String> UNPITCHED = Set.of("record-noise", "wind");

  private static final double[] WINDOW = new double[22_050];

  static {
    for (int i = 0; i < WINDOW.length; i++) {
      WINDOW[i] = 1 - Math.cos(2 * Math.PI * i / WINDOW.length);
    }
  }

  private static Stream<String> pitched() {
    return Voices.names().stream().filter(n -> !Voices.drums(n) && !UNPITCHED.contains(n));
  }

  private static float[] sound(String name, int pitch, int length) {
    Voice voice = Voices.of(name);
    float[] out = new float[length + Dsp.samples(voice.ring()) + 64];
    Note note = new Note(0, length, pitch, 0.75f);
    voice.play(note, Dsp.hz(pitch), new Dsp.Noise(3), out);
    return out;
  }

  /** Sections are detuned by up to 14 cents on purpose, and their beating pulls the peak. */
  @ParameterizedTest
  @MethodSource("pitched")
  void everyPitchedInstrumentIsInTune(String name) {
    for (int pitch : List.of(52, 64, 76)) {
      float[] sound = sound(name, pitch, 22_050);
      double hz = Dsp.hz(pitch);
      double best = 0;
      int at = 0;
      for (int cents = -60; cents <= 60; cents += 5) {
        double power = power(sound, hz * Math.pow(2, cents / 1200.0));
        if (power > best) {
          best = power;
          at = cents;
        }
      }
      assertThat(Math.abs(at))
          .as("%s at %d is off by %d cents", name, pitch, at)
          .isLessThanOrEqualTo(25);
    }
  }

  /** Power at one frequency under a Hann window, by the Goertzel recursion. */
  private static double power(float[] sound, double hz) {
    double turn = 2 * Math.cos(2 * Math.PI * hz / Dsp.RATE);
    double s1 = 0;
    double s2 = 0;
    for (int i = 0; i < WINDOW.length; i++) {
      double s0 = WINDOW[i] * sound[i] + turn * s1 - s2;
      s2 = s1;
      s1 = s0;
    }
    return s1 * s1 + s2 * s2 - turn * s1 * s2;
  }

  @ParameterizedTest
  @MethodSource("pitched")
  void notesStartAndEndWithoutAClick(String name) {
    float[] sound = sound(name, 64, 20_000);
    float peak = 0;
    for (float x : sound) {
      assertThat(x).isFinite();
      peak = Math.max(peak, Math.abs(x));
    }
    assertThat(peak).isBetween(0.01f, 1f);
    assertThat(Math.abs(sound[sound.length - 65])).isLessThan(0.003f * peak);
  }

  @ParameterizedTest
  @MethodSource("pieces")
  void everyDrumSoundsAndSaysHowLong(String kit, DrumKit.Piece piece) {
    Voice voice = Voices.of(kit);
    float[] out = new float[Dsp.samples(voice.ring()) + 64];
    int count = voice.play(new Note(0, 0, piece.code(), 0.9f), 0, new Dsp.Noise(3), out);
    float peak = 0;
    for (int i = 0; i < out.length; i++) {
      peak = Math.max(peak, Math.abs(out[i]));
      if (i >= count) {
        assertThat(out[i]).as("sample %d after the end %d", i, count).isZero();
      }
    }
    assertThat(peak).isBetween(0.03f, 1.1f);
  }

  private static Stream<Arguments> pieces() {
    return Voices.names().stream()
        .filter(Voices::drums)
        .flatMap(kit -> Stream.of(DrumKit.Piece.values()).map(piece -> Arguments.of(kit, piece)));
  }
}
