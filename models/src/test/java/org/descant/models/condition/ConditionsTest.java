package org.descant.models.condition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Set;
import org.descant.models.ModelException;
import org.descant.models.condition.Conditioning.Group;
import org.descant.models.phase.Signals;
import org.junit.jupiter.api.Test;

class ConditionsTest {

  @Test
  void beatsChordsAndSectionsLandOnTheirFrames() {
    List<FrameConditions.Beat> beats =
        List.of(
            new FrameConditions.Beat(0.0, 1),
            new FrameConditions.Beat(0.5, 2),
            new FrameConditions.Beat(1.0, 3),
            new FrameConditions.Beat(1.5, 4),
            new FrameConditions.Beat(2.0, 1));
    Chord c = Chord.parse("C:maj");
    Chord g = Chord.parse("G:7");
    FrameConditions frames =
        FrameConditions.from(
            10,
            beats,
            List.of(new FrameConditions.ChordSpan(0, 1, c), new FrameConditions.ChordSpan(1, 2, g)),
            List.of(new FrameConditions.SectionSpan(0.5, 2, SectionKind.CHORUS)),
            new int[25]);
    assertThat(frames.barPhase()[0]).isCloseTo(0.025f, within(1e-5f));
    assertThat(frames.beatPhase()[7]).isCloseTo(0.5f, within(1e-5f));
    assertThat(frames.barPhase()[17]).isCloseTo(0.875f, within(1e-5f));
    assertThat(frames.logTempo()[3]).isCloseTo(0f, within(1e-5f));
    assertThat(frames.chord()[9]).isEqualTo(c);
    assertThat(frames.nextChord()[9]).isEqualTo(g);
    assertThat(frames.chord()[10]).isEqualTo(g);
    assertThat(frames.chord()[24]).isEqualTo(Chord.NONE);
    assertThat(frames.section()[3]).isEqualTo(SectionKind.NONE);
    assertThat(frames.section()[12]).isEqualTo(SectionKind.CHORUS);
    assertThat(frames.slice(5, 10).then(frames.slice(10, 25)).chord())
        .isEqualTo(frames.slice(5, 25).chord());
  }

  @Test
  void chordLabelsAreRead() {
    assertThat(Chord.parse("F#:min7")).isEqualTo(new Chord(6, Chord.Kind.MINOR_SEVENTH));
    assertThat(Chord.parse("Bb:maj/3")).isEqualTo(new Chord(10, Chord.Kind.MAJOR));
    assertThat(Chord.parse("Cb")).isEqualTo(new Chord(11, Chord.Kind.MAJOR));
    assertThat(Chord.parse("E:sus4(9)")).isEqualTo(new Chord(4, Chord.Kind.OTHER));
    assertThat(Chord.parse("N")).isEqualTo(Chord.NONE);
    assertThat(Chord.parse("A:7").transposed(4))
        .isEqualTo(new Chord(1, Chord.Kind.DOMINANT_SEVENTH));
  }

  @Test
  void aPlanHoldsTheTempoTheKeyAndALength() {
    for (long seed = 0; seed < 50; seed++) {
      FrameConditions plan = Planner.plan(43.066, 96, 9, true, List.of("folk"), 60, seed);
      assertThat(plan.frames()).isEqualTo(2584);
      // 96 beats a minute: a bar of four beats lasts 2.5 s
      int downbeats = 0;
      for (int t = 1; t < plan.frames(); t++) {
        downbeats += plan.barPhase()[t] < plan.barPhase()[t - 1] ? 1 : 0;
      }
      assertThat(downbeats).isBetween(23, 24);
      int[] scale = {9, 11, 0, 2, 4, 5, 7, 8};
      for (Chord chord : plan.chord()) {
        assertThat(scale).contains(chord.root());
      }
      assertThat(plan.chord()[plan.frames() - 1]).isEqualTo(new Chord(9, Chord.Kind.MINOR));
      assertThat(plan.chord()[0]).isEqualTo(new Chord(9, Chord.Kind.MINOR));
      assertThat(plan.section()[0]).isEqualTo(SectionKind.INTRO);
      assertThat(plan.section()[plan.frames() - 1]).isEqualTo(SectionKind.OUTRO);
      assertThat(plan.section()).contains(SectionKind.VERSE, SectionKind.CHORUS);
    }
  }

  @Test
  void theSamePlanComesFromTheSameSeed() {
    FrameConditions a = Planner.plan(43, 120, 0, false, List.of("rock"), 20, 5);
    FrameConditions b = Planner.plan(43, 120, 0, false, List.of("rock"), 20, 5);
    assertThat(a.chord()).isEqualTo(b.chord());
    assertThat(Planner.plan(43, 120, 0, false, List.of("waltz"), 20, 5).barPhase())
        .isNotEqualTo(a.barPhase());
  }

  @Test
  void impossibleWishesAreRefused() {
    assertThatThrownBy(() -> Planner.plan(43, 500, 0, false, List.of(), 10, 1))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("30 to 300");
    assertThatThrownBy(() -> Planner.plan(43, 120, 0, false, List.of(), 0, 1))
        .isInstanceOf(ModelException.class);
    assertThatThrownBy(() -> new GlobalConditions(0, false, List.of(), "x".repeat(1 << 20), null))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("shorten");
  }

  @Test
  void energyFollowsTheLevel() {
    float[] signal = Signals.noise(6, 0.5, 1);
    for (int i = 0; i < signal.length / 2; i++) {
      signal[i] *= 0.1f;
    }
    int[] steps = FrameConditions.energySteps(signal, Signals.RATE, 43, 6 * 43);
    assertThat(steps[60]).isEqualTo(2);
    assertThat(steps[200]).isEqualTo(7);
  }

  @Test
  void wordsFallIntoStableBuckets() {
    GlobalConditions a =
        new GlobalConditions(0, false, List.of(" LoFi ", "Ada"), "Warm Keys", null);
    GlobalConditions b =
        new GlobalConditions(0, false, List.of("lofi", "ada"), "warm, keys!", null);
    assertThat(a.tagBuckets()).isEqualTo(b.tagBuckets()).hasSize(2);
    assertThat(a.textBuckets()).isEqualTo(b.textBuckets()).hasSize(3);
  }

  @Test
  void aMelodyIsReadLaidOnBeatsAndTransposed() {
    Melody melody = Melody.parse("C4 c F#5:2, Bb - Cb");
    assertThat(melody.pitches()).containsExactly(0, 0, 6, 6, 10, FrameConditions.REST, 11);
    assertThat(melody.spans(120))
        .startsWith(new FrameConditions.PitchSpan(0, 1, 0), new FrameConditions.PitchSpan(1, 2, 6));
    FrameConditions frames = FrameConditions.from(10, List.of(), List.of(), List.of(), new int[40]);
    assertThat(frames.melody()).containsOnly(FrameConditions.UNTOLD);
    int[] laid = frames.withMelody(10, melody.spans(120)).melody();
    assertThat(laid[9]).isZero();
    assertThat(laid[10]).isEqualTo(6);
    assertThat(laid[29]).isEqualTo(FrameConditions.REST);
    assertThat(laid[35]).isEqualTo(FrameConditions.UNTOLD);
    for (int semitones = -13; semitones <= 13; semitones++) {
      int[] moved = frames.withMelody(10, melody.transposed(semitones).spans(120)).melody();
      for (int t = 0; t < laid.length; t++) {
        assertThat(moved[t]).isEqualTo(Melody.transposed(laid[t], semitones));
      }
      assertThat(melody.transposed(semitones).transposed(-semitones)).isEqualTo(melody);
    }
    for (String bad : List.of("H4", "C4:x", "", "C44444", "C4:65", "C?", "C4 ..")) {
      assertThatThrownBy(() -> Melody.parse(bad)).isInstanceOf(ModelException.class);
    }
  }

  @Test
  void guidanceIsReadFromWords() {
    assertThat(Guidance.parse("2")).isEqualTo(Guidance.all(2));
    assertThat(Guidance.parse("all=1")).isEqualTo(Guidance.NONE);
    Guidance three = Guidance.parse("style=2, Melody=3,text=1.5");
    assertThat(three.terms())
        .containsExactly(
            new Guidance.Term(Set.of(Group.STYLE), 2),
            new Guidance.Term(Set.of(Group.MELODY), 3),
            new Guidance.Term(Set.of(Group.TEXT), 1.5f));
    assertThat(Guidance.parse("music=2,character=3")).isEqualTo(Guidance.of(2, 3));
    assertThatThrownBy(() -> Guidance.parse("mood=2")).hasMessageContaining("melody");
    assertThatThrownBy(() -> Guidance.parse("text=loud")).hasMessageContaining("text=loud");
    assertThatThrownBy(() -> Guidance.parse("text=2,text=3")).hasMessageContaining("twice");
    assertThatThrownBy(() -> Guidance.parse("text=NaN")).isInstanceOf(ModelException.class);
    assertThatThrownBy(() -> Guidance.parse("text=2,style=2,tags=2,form=2"))
        .hasMessageContaining("At most 3");
  }
}
