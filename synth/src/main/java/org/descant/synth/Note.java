package org.descant.synth;

/**
 * What a voice plays.
 *
 * @param start sample at which it begins
 * @param length samples for which the key, bow or breath is held
 * @param pitch MIDI number; of a drum, the code of its piece
 * @param velocity 0 to 1
 */
record Note(int start, int length, int pitch, float velocity) {}
