package org.descant.synth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.List;
import java.util.stream.Stream;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Section;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArrangerTest {
  private static final String BAND =
      """
      artist: Test Players
      genre: test
      loudness: -18
      composers: A
      performers: B
      producers: C
      part lead flute low=C5 jitter=0
      part bass finger-bass low=E1 jitter=0
      part drums rock-kit jitter=0
      pattern walk/4: r t f n
      groove beat/16
        kick X...X...X...X...
      """;

  private static Score score(String tempo, String swing) {
    String text =
        """
        title: Test
        band: test
        tempo: %s
        key: D minor
        meter: 4/4
        swing: %s
        form: A A^2
        description: A test.
        [A verse]
        chords: i | V7*3 i
        lead: 1 - 2 - 3 - 4 - | 5 6 7 1' 2' 1' 7 6
        bass: @walk
        drums: @beat
        """
            .formatted(tempo, swing);
    return ScoreParser.score("test", text, name -> ScoreParser.band(name, BAND));
  }

  @ParameterizedTest
  @ValueSource(strings = {"60", "97.3", "140"})
  void beatsOfTheTruthAreTheGridTheNotesStandOn(String tempo) {
    Arranger.Arrangement played = Arranger.arrange(score(tempo, "8 0.66"));
    List<Beat> beats = played.truth().beats();
    List<Note> kicks = List.copyOf(played.notes().sequencedValues().getLast());
    assertThat(kicks).hasSameSizeAs(beats);
    double perBeat = 44_100 * 60 / Double.parseDouble(tempo);
    for (int i = 0; i < beats.size(); i++) {
      int frame = (int) Math.round(beats.get(i).time() * 44_100);
      assertThat(kicks.get(i).start()).isEqualTo(frame);
      assertThat((double) frame).isCloseTo(Arranger.LEAD_IN + i * perBeat, offset(0.51));
      assertThat(beats.get(i).positionInBar()).isEqualTo(i % 4 + 1);
    }
  }

  @Test
  void swingMovesOffBeatsOnly() {
    List<Note> straight = lead(score("100", "8 0.5"));
    List<Note> swung = lead(score("100", "8 0.66"));
    for (int i = 0; i < straight.size(); i++) {
      int late = swung.get(i).start() - straight.get(i).start();
      boolean offBeat = i % 12 >= 4 && i % 2 == 1;
      assertThat(late).as("note %d", i).isEqualTo(offBeat ? 4234 : 0);
    }
  }

  private static List<Note> lead(Score score) {
    return List.copyOf(Arranger.arrange(score).notes().sequencedValues().getFirst());
  }

  @Test
  void chordsFollowTheFormAndItsTranspositions() {
    MusicAnnotations truth = Arranger.arrange(score("60", "8 0.5")).truth();
    assertThat(truth.chords().stream().map(ChordSpan::label))
        .containsExactly("D:min", "A:7", "D:min", "E:min", "B:7", "E:min");
    assertThat(truth.chords().get(1).start()).isEqualTo(4.05);
    assertThat(truth.sections().stream().map(Section::label)).containsExactly("verse", "verse");
  }

  private static Stream<DemoTrack> tracks() {
    return DemoCatalogue.tracks().stream();
  }

  @ParameterizedTest
  @MethodSource("tracks")
  void theTruthOfEveryTrackIsWhole(DemoTrack track) {
    MusicAnnotations truth = DemoCatalogue.truth(track.slug());
    assertThat(truth.seconds()).isBetween(48.0, 60.0);
    assertThat(truth.tempoBpm()).isEqualTo(track.tempoBpm());
    double before = 0.05;
    for (ChordSpan chord : truth.chords()) {
      assertThat(chord.start()).isEqualTo(before);
      before = chord.end();
    }
    assertThat(truth.sections().getLast().end()).isEqualTo(before);
    assertThat(truth.sections().stream().map(Section::label).distinct().count())
        .isGreaterThanOrEqualTo(2);
    assertThat(MusicAnnotations.fromJams(truth.toJams()).beats()).hasSameSizeAs(truth.beats());
  }
}
