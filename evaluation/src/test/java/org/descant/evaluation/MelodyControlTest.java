package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.evaluation.MelodyControl.Asked;
import org.junit.jupiter.api.Test;

class MelodyControlTest {
  private static final int RATE = 22_050;

  private static Pcm sung(Asked melody, int semitones) {
    double beat = 60 / melody.tempoBpm();
    float[] samples = new float[(int) (melody.pitches().size() * beat * RATE)];
    for (int i = 0; i < samples.length; i++) {
      int at = Math.min(melody.pitches().size() - 1, (int) (i / (beat * RATE)));
      double hertz = 440 * Math.pow(2, (melody.pitches().get(at) + semitones - 9) / 12.0);
      samples[i] = (float) (0.3 * Math.sin(2 * Math.PI * hertz * i / RATE));
    }
    return Pcm.ofMono(samples, RATE);
  }

  @Test
  void whatIsSungAsAskedIsHeardAndASemitoneAsideIsNot() {
    List<Asked> asked =
        List.of(
            MelodyControl.walk(MusicalKey.parse("C major"), 90, 8, new SplittableRandom(1)),
            MelodyControl.walk(MusicalKey.parse("F# minor"), 120, 8, new SplittableRandom(2)));
    assertThat(asked.getFirst().pitches()).hasSize(12).startsWith(0, 0);
    assertThat(asked.getFirst().pitches()).isSubsetOf(0, 2, 4, 5, 7, 9, 11);
    MelodyControl.Shares shares =
        MelodyControl.compare(
            asked.stream().map(melody -> sung(melody, 0)).toList(),
            asked.stream().map(melody -> sung(melody, 1)).toList(),
            asked);
    assertThat(shares.beats()).isBetween(25, 28);
    assertThat(shares.asked()).isGreaterThan(0.9);
    assertThat(shares.without()).isLessThan(0.1);
    assertThatThrownBy(() -> MelodyControl.compare(List.of(), List.of(), asked))
        .isInstanceOf(EvaluationException.class)
        .hasMessageContaining("2 melodies");
  }
}
