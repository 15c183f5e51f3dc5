package org.descant.synth;

import java.util.List;

/**
 * A line of music before it has a pitch: a melody in scale degrees or a figure in chord tones.
 *
 * @param bars length in bars
 * @param beatsPerBar quarter notes in each of them
 * @param steps in the order of their start
 */
record Phrase(int bars, int beatsPerBar, List<Step> steps) {

  /**
   * What begins at one moment.
   *
   * @param start beats from the start of the phrase
   * @param beats written length
   * @param atoms what sounds together
   * @param accent 1 accented, -1 soft, 0 plain
   * @param staccato half of the written length
   */
  record Step(double start, double beats, List<Atom> atoms, int accent, boolean staccato) {
    Step held(double more) {
      return new Step(start, beats + more, atoms, accent, staccato);
    }

    Step moved(double by) {
      return new Step(start + by, beats, atoms, accent, staccato);
    }
  }

  /** One sign: a degree {@code 1..9} or a figure letter, with accidental and octave marks. */
  record Atom(char sign, int accidental, int octave) {}
}
