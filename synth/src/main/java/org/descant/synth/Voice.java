package org.descant.synth;

/** An instrument: writes the sound of one note. Holds no state between notes. */
interface Voice {
  /**
   * Adds a note to {@code out}, which is silent before.
   *
   * @param hz sounding pitch
   * @param noise the note's own random source
   * @return samples written, at most {@code out.length}
   */
  int play(Note note, double hz, Dsp.Noise noise, float[] out);

  /** Longest time after the note's end in which it still sounds, in seconds. */
  double ring();
}
