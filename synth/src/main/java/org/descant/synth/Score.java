package org.descant.synth;

import java.util.List;
import java.util.Map;

/**
 * A composition as read from its text, with the band that plays it. Nothing in it can fail later.
 */
record Score(
    DemoTrack track,
    Band band,
    long seed,
    Swing swing,
    Map<String, Section> sections,
    List<FormPart> form) {

  /**
   * Long-short lilt.
   *
   * @param subdivision 8 or 16: which notes come in pairs
   * @param ratio share of the pair that its first note takes, 0.5 for straight
   */
  record Swing(int subdivision, double ratio) {
    /** Where a position in beats sounds; beats themselves stay on the grid. */
    double sounding(double beats) {
      double pair = subdivision == 8 ? 1.0 : 0.5;
      double start = Math.floor(beats / pair) * pair;
      double within = (beats - start) / pair;
      double warped = within < 0.5 ? within * 2 * ratio : ratio + (within - 0.5) * 2 * (1 - ratio);
      return start + warped * pair;
    }
  }

  /** A section of the form, moved up by some semitones. */
  record FormPart(String section, int transpose) {}

  /**
   * @param label intro, verse, chorus, bridge, solo or outro
   * @param bars length in bars
   * @param chords in order, covering the bars without gap
   * @param loudnessFrom velocity factor at the start
   * @param loudnessTo velocity factor at the end
   * @param lines what each part plays; a part without a line rests
   */
  record Section(
      String label,
      int bars,
      List<ChordSlot> chords,
      double loudnessFrom,
      double loudnessTo,
      Map<String, Line> lines) {}

  /** A chord and how long it stands. */
  record ChordSlot(double start, double beats, Chord chord) {}

  /** What a part plays in a section. */
  sealed interface Line {
    /** Written notes, repeated until the section ends. */
    record Melody(Phrase phrase) implements Line {}

    /** Named figures, each for some bars; the last stays until the section ends. */
    record Figures(List<Figure> figures) implements Line {}
  }

  /** A use of a pattern or groove of the band. */
  record Figure(String name, int bars) {}

  /** Who plays, on what, and how it is mixed. Shared by an artist's scores. */
  record Band(
      String slug,
      Map<String, String> header,
      double lufs,
      Room.Size room,
      Map<String, Part> parts,
      Map<String, Phrase> patterns,
      Map<String, Groove> grooves) {}

  /** One player: an instrument and its settings by name (see {@link Setting}). */
  record Part(String name, String instrument, String stem, Map<Setting, Double> settings) {
    double get(Setting setting) {
      Double value = settings.get(setting);
      return value == null ? setting.standard : value;
    }

    boolean has(Setting setting) {
      return settings.containsKey(setting);
    }
  }

  /** A drum pattern. */
  record Groove(int bars, int beatsPerBar, List<Hit> hits) {}

  /** A stroke of a groove. */
  record Hit(double start, DrumKit.Piece piece, float velocity) {}

  /** Settings of a part, with the value that holds when the band says nothing. */
  enum Setting {
    /** Level in dB. */
    GAIN(0, -40, 24),
    /** Place, -1 left to 1 right. */
    PAN(0, -1, 1),
    /** How far low and high notes spread over the stage. */
    SPREAD(0, -1, 1),
    /** Send to the room. */
    ROOM(0.15, 0, 2),
    /** Lowest note of the part's range, MIDI. */
    LOW(48, 12, 108),
    /** Highest note of the part's voicings, MIDI. */
    HIGH(72, 12, 120),
    /** Tones of a chord voicing. */
    VOICES(3, 1, 6),
    /** 1: wide voicings, the second voice from the top an octave lower. */
    OPEN(0, 0, 1),
    /** Humanised timing, milliseconds. */
    JITTER(4, 0, 30),
    /** Laid back (or pushed) by so many milliseconds. */
    LATE(0, -30, 40),
    /** Plain velocity. */
    VELOCITY(0.7, 0.1, 1),
    /** Sounding length over written length. */
    GATE(1, 0.05, 8),
    /** Milliseconds between the strings of a strum. */
    STRUM(0, 0, 80),
    /** 1: two independent renderings, left and right. */
    WIDE(0, 0, 1),
    /** High-pass in Hz. */
    HP(30, 10, 4000),
    /** Low-pass in Hz. */
    LP(18000, 100, 18000),
    /** Bell filter: centre in Hz. */
    EQ(1000, 40, 12000),
    /** Bell filter: gain in dB. */
    EQGAIN(0, -18, 18),
    /** Distortion, gain into the clipper. */
    DRIVE(0, 0, 60),
    /** Low-pass after distortion, as a speaker cabinet does. */
    CABINET(18000, 500, 18000),
    /** Chorus mix. */
    CHORUS(0, 0, 1),
    /** Echo level. */
    DELAY(0, 0, 1),
    /** Echo time in beats. */
    ECHO(0.75, 0.125, 4),
    /** Echo feedback. */
    FEEDBACK(0.35, 0, 0.85),
    /** Tremolo depth. */
    TREMOLO(0, 0, 1),
    /** Tremolo rate in Hz. */
    RATE(5, 0.05, 12),
    /** Depth of the dip at every kick drum. */
    DUCK(0, 0, 1);

    final double standard;
    final double low;
    final double high;

    Setting(double standard, double low, double high) {
      this.standard = standard;
      this.low = low;
      this.high = high;
    }
  }
}
