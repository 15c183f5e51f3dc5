package org.descant.synth;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.Mode;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Section;
import org.descant.synth.Phrase.Atom;
import org.descant.synth.Phrase.Step;
import org.descant.synth.Score.ChordSlot;
import org.descant.synth.Score.Figure;
import org.descant.synth.Score.FormPart;
import org.descant.synth.Score.Groove;
import org.descant.synth.Score.Hit;
import org.descant.synth.Score.Line;
import org.descant.synth.Score.Part;
import org.descant.synth.Score.Setting;

/** Turns a score into notes at samples, and into the truth about them. */
final class Arranger {
  /** Built-in figure: the whole chord, held until the next one. */
  static final String HOLD = "hold";

  /** Built-in figure: the bass tone, held until the next chord. */
  static final String HOLD_BASS = "root";

  static final int SAMPLE_RATE = 44_100;

  /** Silence before the first beat, so that early (humanised) notes have room. */
  static final int LEAD_IN = SAMPLE_RATE / 20;

  /** Time after the last bar in which everything rings out. */
  static final int TAIL = 5 * SAMPLE_RATE / 2;

  private static final float ACCENT = 0.17f;

  private final Score score;
  private final int beatsPerBar;
  private final double samplesPerBeat;
  private final List<ChordSlot> chords = new ArrayList<>();
  private final List<Integer> sectionStarts = new ArrayList<>();
  private int totalBeats;

  private Arranger(Score score) {
    this.score = score;
    this.beatsPerBar = score.track().beatsPerBar();
    this.samplesPerBeat = SAMPLE_RATE * 60.0 / score.track().tempoBpm();
  }

  /**
   * @param frames length of the recording
   * @param notes what each part plays, in the band's order; parts that rest throughout are absent
   * @param truth beats, chords and sections on the score's grid
   */
  record Arrangement(int frames, LinkedHashMap<String, List<Note>> notes, MusicAnnotations truth) {}

  static Arrangement arrange(Score score) {
    return new Arranger(score).run();
  }

  private Arrangement run() {
    layOutChords();
    LinkedHashMap<String, List<Note>> notes = new LinkedHashMap<>();
    for (Part part : score.band().parts().values()) {
      List<Note> played = new PartPlayer(part).play();
      if (!played.isEmpty()) {
        notes.put(part.name(), played);
      }
    }
    int frames = grid(totalBeats) + TAIL;
    return new Arrangement(frames, notes, truth(frames));
  }

  private void layOutChords() {
    for (FormPart formPart : score.form()) {
      Score.Section section = section(formPart);
      sectionStarts.add(totalBeats);
      for (ChordSlot slot : section.chords()) {
        chords.add(
            new ChordSlot(
                totalBeats + slot.start(),
                slot.beats(),
                slot.chord().transposed(formPart.transpose())));
      }
      totalBeats += section.bars() * beatsPerBar;
    }
  }

  private Score.Section section(FormPart part) {
    Score.Section section = score.sections().get(part.section());
    if (section == null) {
      throw new SynthException("Section " + part.section() + " of the form is not there.");
    }
    return section;
  }

  /** The sample of a position on the straight grid. */
  private int grid(double beats) {
    return LEAD_IN + (int) Math.floor(beats * samplesPerBeat + 0.5);
  }

  private int swung(double beats) {
    return grid(score.swing().sounding(beats));
  }

  private MusicAnnotations truth(int frames) {
    List<Beat> beats = new ArrayList<>();
    for (int beat = 0; beat < totalBeats; beat++) {
      beats.add(new Beat(seconds(grid(beat)), beat % beatsPerBar + 1));
    }
    MusicalKey key = score.track().key();
    boolean flats = flatSignature(key);
    List<ChordSpan> spans = new ArrayList<>();
    for (ChordSlot slot : chords) {
      String label = slot.chord().harte(flats);
      double start = seconds(grid(slot.start()));
      double end = seconds(grid(slot.start() + slot.beats()));
      if (!spans.isEmpty() && spans.getLast().label().equals(label)) {
        start = spans.removeLast().start();
      }
      spans.add(new ChordSpan(start, end, label));
    }
    List<Section> sections = new ArrayList<>();
    for (int i = 0; i < sectionStarts.size(); i++) {
      int end = i + 1 < sectionStarts.size() ? sectionStarts.get(i + 1) : totalBeats;
      sections.add(
          new Section(
              seconds(grid(sectionStarts.get(i))),
              seconds(grid(end)),
              section(score.form().get(i)).label()));
    }
    return new MusicAnnotations(
        seconds(frames), score.track().tempoBpm(), key, beats, spans, sections);
  }

  private static boolean flatSignature(MusicalKey key) {
    int major = key.mode() == Mode.MAJOR ? key.tonic() : (key.tonic() + 3) % 12;
    return major == 5 || major == 10 || major == 3 || major == 8 || major == 1 || major == 0;
  }

  private static double seconds(int frame) {
    return frame / (double) SAMPLE_RATE;
  }

  private int chordIndexAt(double beat) {
    int low = 0;
    int high = chords.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (chords.get(middle).start() <= beat + 1e-9) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** One part's way through the form; keeps its voicing from chord to chord. */
  private final class PartPlayer {
    private final Part part;
    private final SplittableRandom random;
    private final Voicing voicing;
    private final List<Note> notes = new ArrayList<>();
    private int voicedChord = -1;
    private List<Integer> voiced = List.of();
    private double loudness = 1;

    PartPlayer(Part part) {
      this.part = part;
      this.random = new SplittableRandom(score.seed() * 1_000_003 + part.name().hashCode());
      this.voicing =
          new Voicing(
              (int) part.get(Setting.VOICES),
              (int) part.get(Setting.LOW),
              (int) part.get(Setting.HIGH),
              part.get(Setting.OPEN) > 0);
    }

    List<Note> play() {
      for (int i = 0; i < score.form().size(); i++) {
        FormPart formPart = score.form().get(i);
        Score.Section section = section(formPart);
        int start = sectionStarts.get(i);
        switch (section.lines().get(part.name())) {
          case Line.Melody melody -> melody(melody.phrase(), section, start, formPart.transpose());
          case Line.Figures figures -> figures(figures.figures(), section, start);
          case null -> {}
        }
      }
      notes.sort((a, b) -> Integer.compare(a.start(), b.start()));
      return notes;
    }

    private void setLoudness(Score.Section section, int start, double beat) {
      double way = (beat - start) / (section.bars() * beatsPerBar);
      loudness = section.loudnessFrom() + (section.loudnessTo() - section.loudnessFrom()) * way;
    }

    private void melody(Phrase phrase, Score.Section section, int start, int transpose) {
      MusicalKey key = score.track().key();
      int low = (int) part.get(Setting.LOW);
      int tonic = low + Math.floorMod(key.tonic() - low, 12) + transpose;
      int phraseBeats = phrase.bars() * beatsPerBar;
      for (int at = 0; at < section.bars() * beatsPerBar; at += phraseBeats) {
        for (Step step : phrase.steps()) {
          double beat = start + at + step.start();
          setLoudness(section, start, beat);
          int index = 0;
          for (Atom atom : step.atoms()) {
            int pitch =
                tonic
                    + Chord.degree(key.mode(), atom.sign() - '0')
                    + atom.accidental()
                    + 12 * atom.octave();
            add(step, beat, pitch, index++);
          }
        }
      }
    }

    private void figures(List<Figure> figures, Score.Section section, int start) {
      int bar = 0;
      for (int i = 0; i < figures.size() && bar < section.bars(); i++) {
        Figure figure = figures.get(i);
        int end = i + 1 < figures.size() ? bar + figure.bars() : section.bars();
        end = Math.min(end, section.bars());
        Groove groove = score.band().grooves().get(figure.name());
        Phrase pattern = score.band().patterns().get(figure.name());
        int from = start + bar * beatsPerBar;
        int to = start + end * beatsPerBar;
        if (Voices.drums(part.instrument()) && groove != null) {
          groove(groove, section, start, from, to);
        } else if (pattern != null) {
          pattern(pattern, section, start, from, to);
        } else {
          hold(figure.name().equals(HOLD), section, start, from, to);
        }
        bar = end;
      }
    }

    private void groove(Groove groove, Score.Section section, int start, int from, int to) {
      int length = groove.bars() * beatsPerBar;
      for (int at = from; at < to; at += length) {
        for (Hit hit : groove.hits()) {
          double beat = at + hit.start();
          if (beat < to) {
            setLoudness(section, start, beat);
            float velocity = (float) (hit.velocity() * loudness) + jitter() * 0.05f;
            int at0 = swung(beat) + shift();
            notes.add(new Note(Math.max(at0, 0), 0, hit.piece().code(), clamp(velocity)));
          }
        }
      }
    }

    private void pattern(Phrase pattern, Score.Section section, int start, int from, int to) {
      int length = pattern.bars() * beatsPerBar;
      for (int at = from; at < to; at += length) {
        for (Step step : pattern.steps()) {
          double beat = at + step.start();
          if (beat < to) {
            setLoudness(section, start, beat);
            int index = 0;
            for (Atom atom : step.atoms()) {
              index = figure(step, beat, atom, index);
            }
          }
        }
      }
    }

    private void hold(boolean chord, Score.Section section, int start, int from, int to) {
      for (int i = chordIndexAt(from); i < chords.size() && chords.get(i).start() < to; i++) {
        ChordSlot slot = chords.get(i);
        double beats = slot.beats();
        Chord first = slot.chord();
        while (i + 1 < chords.size()
            && chords.get(i + 1).start() < to
            && chords.get(i + 1).chord().equals(first)) {
          beats += chords.get(++i).beats();
        }
        setLoudness(section, start, slot.start());
        Step step = new Step(slot.start(), beats, List.of(), 0, false);
        if (chord) {
          int index = 0;
          for (int pitch : voiced(slot.start())) {
            add(step, slot.start(), pitch, index++);
          }
        } else {
          add(step, slot.start(), above(first.bassPitchClass()), 0);
        }
      }
    }

    private List<Integer> voiced(double beat) {
      int index = chordIndexAt(beat);
      if (index != voicedChord) {
        boolean same =
            voicedChord >= 0 && chords.get(index).chord().equals(chords.get(voicedChord).chord());
        voicedChord = index;
        voiced = same ? voiced : voicing.next(chords.get(index).chord());
      }
      return voiced;
    }

    private int above(int pitchClass) {
      int low = (int) part.get(Setting.LOW);
      return low + Math.floorMod(pitchClass - low, 12);
    }

    /** Plays one sign of a figure; returns how many notes the step has so far. */
    private int figure(Step step, double beat, Atom atom, int index) {
      int chordIndex = chordIndexAt(beat);
      Chord chord = chords.get(chordIndex).chord();
      int shift = 12 * atom.octave() + atom.accidental();
      int bass = above(chord.bassPitchClass());
      switch (atom.sign()) {
        case 'r' -> add(step, beat, bass + shift, index++);
        case 't' -> add(step, beat, over(bass, chord, 3) + shift, index++);
        case 'f' -> add(step, beat, over(bass, chord, 5) + shift, index++);
        case 's' -> add(step, beat, over(bass, chord, 7) + shift, index++);
        case 'n' -> add(step, beat, approach(chordIndex, bass) + shift, index++);
        case 'p' -> {
          int root = above(chord.root());
          add(step, beat, root + shift, index++);
          add(step, beat, root + chord.tone(5) + shift, index++);
          add(step, beat, root + 12 + shift, index++);
        }
        case 'c', 'd' -> {
          for (int pitch : voiced(beat)) {
            add(step, beat, pitch + shift, index++);
          }
        }
        case 'u' -> {
          for (int pitch : voiced(beat).reversed()) {
            add(step, beat, pitch + shift, index++);
          }
        }
        default -> {
          List<Integer> tones = voiced(beat);
          int voice = atom.sign() - '1';
          int octaves = voice / tones.size();
          add(step, beat, tones.get(voice % tones.size()) + 12 * octaves + shift, index++);
        }
      }
      return index;
    }

    /** A chord tone at or above the bass tone. */
    private int over(int bass, Chord chord, int tone) {
      int pitchClass = (chord.root() + chord.tone(tone)) % 12;
      return bass + Math.floorMod(pitchClass - bass, 12);
    }

    /** A half step from below, or from above if the line comes down, to the next chord's bass. */
    private int approach(int chordIndex, int bass) {
      int next = Math.min(chordIndex + 1, chords.size() - 1);
      int target = above(chords.get(next).chord().bassPitchClass());
      return target > bass ? target - 1 : target == bass ? target + 7 : target + 1;
    }

    private void add(Step step, double beat, int pitch, int index) {
      double gate = part.get(Setting.GATE) * (step.staccato() ? 0.5 : 1);
      int at = swung(beat);
      int length = swung(beat + step.beats()) - at;
      double strum = part.get(Setting.STRUM) * index * SAMPLE_RATE / 1000;
      double inBar = beat - Math.floor(beat / beatsPerBar) * beatsPerBar;
      double metric = inBar == 0 ? 0.05 : inBar == Math.floor(inBar) ? 0 : -0.05;
      double phrased = 0.004 * (pitch - 60);
      double velocity =
          (part.get(Setting.VELOCITY) + metric + phrased + ACCENT * step.accent()) * loudness
              + 0.035 * jitter();
      notes.add(
          new Note(
              Math.max(at + shift() + (int) strum, 0),
              Math.max((int) (length * gate), 200),
              Math.clamp(pitch, 12, 120),
              clamp((float) velocity)));
    }

    /** About normal, mostly within ±1. */
    private float jitter() {
      return (float) (random.nextDouble() + random.nextDouble() + random.nextDouble() - 1.5);
    }

    private int shift() {
      double ms = part.get(Setting.LATE) + part.get(Setting.JITTER) * jitter();
      return (int) (ms * SAMPLE_RATE / 1000);
    }

    private static float clamp(float velocity) {
      return Math.clamp(velocity, 0.05f, 1f);
    }
  }
}
