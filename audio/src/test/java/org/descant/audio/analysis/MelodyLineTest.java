package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.descant.audio.AudioException;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;

class MelodyLineTest {
  private static final int RATE = 22_050;
  private static final double BEAT = 0.6;

  /** Notes with three harmonics above a louder bass on C, one a beat; a negative one is silence. */
  private static Pcm song(int[] pitches, int semitones) {
    float[] samples = new float[(int) (pitches.length * BEAT * RATE)];
    for (int i = 0; i < samples.length; i++) {
      double time = i / (double) RATE;
      int pitch = pitches[Math.min(pitches.length - 1, (int) (time / BEAT))];
      if (pitch < 0) {
        continue;
      }
      double hertz = 440 * Math.pow(2, (pitch + semitones - 9) / 12.0);
      for (int h = 1; h <= 3; h++) {
        samples[i] += (float) (0.15 / h * Math.sin(2 * Math.PI * hertz * h * time));
      }
      double bass = 65.406 * Math.pow(2, semitones / 12.0);
      samples[i] += (float) (0.3 * Math.sin(2 * Math.PI * bass * time));
    }
    return new Pcm(new float[][] {samples}, RATE);
  }

  private static double[] beats(int count) {
    return IntStream.rangeClosed(0, count).mapToDouble(i -> i * BEAT).toArray();
  }

  @Test
  void theNoteAboveTheBassIsHeardAndMovesWithATransposition() {
    SplittableRandom random = new SplittableRandom(4);
    int[] pitches = random.ints(16, 0, 12).toArray();
    pitches[5] = -1;
    pitches[6] = -1;
    for (int semitones : new int[] {0, 1, 4, -5}) {
      int[] heard = MelodyLine.between(song(pitches, semitones), beats(pitches.length));
      int hits = 0;
      for (int i = 0; i < pitches.length; i++) {
        int want = pitches[i] < 0 ? MelodyLine.NOTHING : Math.floorMod(pitches[i] + semitones, 12);
        hits += heard[i] == want ? 1 : 0;
      }
      // A window of 0.7 s lies over the beats' borders; so the first silent beat may hear the last.
      assertThat(hits).isGreaterThanOrEqualTo(14);
    }
  }

  @Test
  void silenceAndWhatLiesBeyondTheEndHaveNoMelody() {
    Pcm silence = new Pcm(new float[1][RATE], RATE);
    double[] times = MelodyLine.halfSeconds(3);
    assertThat(times).hasSize(7);
    assertThat(Arrays.stream(MelodyLine.between(silence, times)).distinct().toArray())
        .containsExactly(MelodyLine.NOTHING);
    assertThatThrownBy(() -> MelodyLine.between(silence, new double[] {0}))
        .isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> MelodyLine.between(silence, new double[] {1, 0}))
        .hasMessageContaining("must rise");
  }
}
