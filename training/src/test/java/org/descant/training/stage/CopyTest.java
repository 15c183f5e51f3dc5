package org.descant.training.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.descant.audio.Beat;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.condition.FrameConditions.PitchSpan;
import org.descant.shards.Draws;
import org.descant.shards.SampleOrder;
import org.descant.training.Small;
import org.descant.training.recipe.Recipe;
import org.junit.jupiter.api.Test;

class CopyTest {
  private static final Recipe.Augment AUGMENT = new Recipe.Augment(25, -5, 6, 0.87, 1.15);

  @Test
  void theFirstCopyIsTheRecordingAndTheOthersCoverTheRange() {
    List<Copy> copies = Copy.of(AUGMENT, 1, "QZTST2600001");
    assertThat(copies).hasSize(25).isEqualTo(Copy.of(AUGMENT, 1, "QZTST2600001"));
    assertThat(copies.getFirst()).isEqualTo(new Copy(0, 0, 1));
    var semitones = new HashSet<Integer>();
    for (Copy copy : copies) {
      semitones.add(copy.semitones());
      assertThat(copy.tempo()).isBetween(0.87, 1.15);
    }
    assertThat(semitones).hasSize(12).contains(-5, 6);
    assertThat(Copy.of(AUGMENT, 1, "QZTST2600002")).isNotEqualTo(copies);
    assertThat(Copy.of(AUGMENT, 2, "QZTST2600001")).isNotEqualTo(copies);
  }

  @Test
  void annotationsMoveWithTheSound() {
    MusicAnnotations truth = Small.truth(6);
    MusicAnnotations moved = new Copy(1, 3, 1.25).apply(truth);
    assertThat(moved.tempoBpm()).isEqualTo(150);
    assertThat(moved.seconds()).isEqualTo(4.8);
    assertThat(moved.key()).isEqualTo(MusicalKey.parse("C minor"));
    assertThat(moved.beats().get(1).time()).isEqualTo(0.4);
    assertThat(moved.chords().get(0).label()).isEqualTo("C:min");
    assertThat(moved.chords().get(1).label()).isEqualTo("Db:maj7/3");
    assertThat(moved.sections().getFirst().end()).isEqualTo(4.8);
    assertThat(new Copy(0, 0, 1).apply(truth)).isSameAs(truth);
  }

  @Test
  void theMelodyOfACopyIsTheCopyOfTheMelody() {
    int rate = 22_050;
    double beat = 0.6;
    int[] notes = {0, 4, 7, 9, 2, 11, 5, 7};
    float[] samples = new float[(int) (notes.length * beat * rate)];
    for (int i = 0; i < samples.length; i++) {
      int note = notes[Math.min(notes.length - 1, (int) (i / (beat * rate)))];
      double hertz = 440 * Math.pow(2, (note - 9) / 12.0);
      samples[i] = (float) (0.3 * Math.sin(2 * Math.PI * hertz * i / rate));
    }
    Pcm sound = Pcm.ofMono(samples, rate);
    var beats = new ArrayList<Beat>();
    for (int i = 0; i <= notes.length; i++) {
      beats.add(new Beat(i * beat, i % 4 + 1));
    }
    var truth =
        new MusicAnnotations(
            sound.seconds(), 100, MusicalKey.parse("C major"), beats, List.of(), List.of());
    List<PitchSpan> melody = Music.melody(sound, truth);
    assertThat(melody.stream().map(PitchSpan::pitch)).containsExactly(0, 4, 7, 9, 2, 11, 5, 7);
    for (int semitones : new int[] {-5, 3, 12}) {
      // Played faster, pitch and tempo move together: one way to hear what a copy must be told.
      double factor = Math.pow(2, semitones / 12.0);
      Copy copy = new Copy(1, semitones, factor);
      Pcm played = new Pcm(sound.channels(), (int) Math.round(rate * factor)).resampled(rate);
      List<PitchSpan> heard = Music.melody(played, copy.apply(truth));
      List<PitchSpan> told = copy.apply(melody);
      assertThat(heard).hasSameSizeAs(told);
      for (int i = 0; i < told.size(); i++) {
        assertThat(heard.get(i).pitch()).isEqualTo(told.get(i).pitch());
        assertThat(heard.get(i).start()).isCloseTo(told.get(i).start(), within(1e-9));
      }
    }
  }

  /** A tone that moves up and a click that comes later: read from the codec's own features. */
  @Test
  void pitchAndTempoOfTheSoundMoveIndependently() {
    int rate = 44_100;
    int frames = 4 * rate;
    double hz = 1000;
    float[] samples = new float[frames];
    for (int i = 2 * rate; i < frames; i++) {
      samples[i] = (float) (0.5 * Math.sin(2 * Math.PI * hz * i / rate));
    }
    Pcm sound = Pcm.ofMono(samples, rate);
    try (var codec = MagnitudeCodec.create(new CodecConfig(16, 1, 1, 2, 8, 2, 16, 0, 2), 1)) {
      for (Copy copy : List.of(new Copy(0, 0, 1), new Copy(1, 7, 1), new Copy(2, -5, 1.15))) {
        float[] rows = TokenStage.features(codec, sound, copy);
        int size = codec.featureSize();
        int count = rows.length / size;
        assertThat(count).isCloseTo((int) (4 * codec.frameRate() / copy.tempo()), within(2));
        int onset = 0;
        while (loudestBin(rows, onset * size) < 3) {
          onset++;
        }
        assertThat((double) onset)
            .as("onset of %s", copy)
            .isCloseTo(2 * codec.frameRate() / copy.tempo(), within(2.5));
        double expected = hz * copy.pitchFactor() * 2048 / rate;
        assertThat((double) loudestBin(rows, (count - 20) * size))
            .as("pitch of %s", copy)
            .isCloseTo(expected, within(1.0));
      }
    }
  }

  /** The loudest bin of a spectrum, 0 when all are at the floor. */
  private static int loudestBin(float[] rows, int offset) {
    int loudest = 0;
    for (int bin = 1; bin < 1025; bin++) {
      if (rows[offset + bin] > rows[offset + loudest] + 0.5) {
        loudest = bin;
      }
    }
    return loudest;
  }

  @Test
  void stretchingByOneChangesNothingAndARampStaysARamp() {
    int spectra = 2;
    int bins = 3;
    int size = spectra * bins + 2;
    int count = 40;
    float[] rows = new float[count * size];
    for (int row = 0; row < count; row++) {
      for (int s = 0; s < spectra; s++) {
        for (int bin = 0; bin < bins; bin++) {
          rows[row * size + s * bins + bin] = row * spectra + s + 100 * bin;
        }
      }
      rows[row * size + 6] = row;
      rows[row * size + 7] = -row;
    }
    assertThat(Stretch.faster(rows, size, spectra, bins, 1)).isEqualTo(rows);
    float[] fast = Stretch.faster(rows, size, spectra, bins, 1.25);
    assertThat(fast).hasSize(32 * size);
    for (int row = 0; row < 31; row++) {
      assertThat(fast[row * size]).isCloseTo(row * 2 * 1.25f, within(1e-3f));
      assertThat(fast[row * size + bins + 2]).isCloseTo((row * 2 + 1) * 1.25f + 200, within(1e-3f));
      assertThat(fast[row * size + 6]).isCloseTo((row + 0.5f) * 1.25f - 0.5f, within(1e-3f));
    }
  }

  @Test
  void windowsCoverEverySlotOnceAnEpochAndStayInside() {
    int[] lengths = {1000, 250, 99, 100};
    var windows = new Windows(1, "test", lengths, 100);
    assertThat(windows.slots()).isEqualTo(10 + 2 + 1 + 1);
    var counts = new int[4];
    var order = new ArrayList<Windows.Window>();
    for (long position = 0; position < 2 * windows.slots(); position++) {
      Windows.Window window = windows.at(position);
      assertThat(window).isEqualTo(windows.at(position));
      assertThat(window.from()).isBetween(0, Math.max(0, lengths[window.source()] - 100));
      counts[window.source()]++;
      order.add(window);
    }
    assertThat(counts).containsExactly(20, 4, 2, 2);
    // The order that runs have been recorded with: a slot, and a start within it.
    for (long position = 0; position < 20; position++) {
      long slot = SampleOrder.sample(Draws.key(1, "test order", 0), 14, position);
      int source = slot < 10 ? 0 : slot < 12 ? 1 : slot < 13 ? 2 : 3;
      int first = List.of(0, 10, 12, 13).get(source);
      int start = Draws.of(1, "test start", position).nextInt(100);
      int from = (int) (slot - first) * 100 + start;
      assertThat(windows.at(position))
          .isEqualTo(
              new Windows.Window(source, Math.min(from, Math.max(0, lengths[source] - 100))));
      assertThat(windows.draws(position).nextLong())
          .isEqualTo(Draws.of(1, "test draws", position).nextLong());
    }
    var other = new Windows(2, "test", lengths, 100);
    assertThat(other.at(0).equals(order.get(0)) && other.at(1).equals(order.get(1))).isFalse();
  }
}
