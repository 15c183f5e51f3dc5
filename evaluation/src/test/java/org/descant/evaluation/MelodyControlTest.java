package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.Melody;
import org.junit.jupiter.api.Test;

class MelodyControlTest {
  private static final int RATE = 22_050;

  private static Pcm sung(Melody melody, double tempoBpm) {
    double beat = 60 / tempoBpm;
    float[] samples = new float[(int) (melody.pitches().size() * beat * RATE)];
    for (int i = 0; i < samples.length; i++) {
      int at = Math.min(melody.pitches().size() - 1, (int) (i / (beat * RATE)));
      int pitch = melody.pitches().get(at);
      if (pitch < FrameConditions.REST) {
        double hertz = 440 * Math.pow(2, (pitch - 9) / 12.0);
        samples[i] = (float) (0.3 * Math.sin(2 * Math.PI * hertz * i / RATE));
      }
    }
    return Pcm.ofMono(samples, RATE);
  }

  @Test
  void whatWasSungIsHeardAndOtherMelodiesAreNot() {
    List<MelodyControl.Asked> asked =
        List.of(
            new MelodyControl.Asked(Melody.parse("C4 E4 G4 C5 - A4 F4 D4"), 90),
            new MelodyControl.Asked(Melody.parse("F#4:2 G#4 A#4 B4 C#4:2 D#4"), 100));
    List<Pcm> sounds = new ArrayList<>();
    asked.forEach(question -> sounds.add(sung(question.melody(), question.tempoBpm())));
    MelodyControl.Shares shares = MelodyControl.compare(sounds, asked);
    assertThat(shares.beats()).isBetween(13, 15);
    assertThat(shares.asked()).isGreaterThan(0.9);
    assertThat(shares.shuffled()).isZero();
    assertThatThrownBy(() -> MelodyControl.compare(sounds, asked.subList(0, 1)))
        .isInstanceOf(EvaluationException.class);
  }
}
