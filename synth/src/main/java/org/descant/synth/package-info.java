/**
 * The music of the demo catalogue: compositions as text scores, and the instruments that play them.
 *
 * <p>{@code *.band} and {@code *.score} (resources) → {@code ScoreParser} → {@code Arranger} (notes
 * and ground truth) → voices and channels (one stem a part) → {@code Mixer} (mix = sum of stems).
 * Everything that sounds is computed here; no samples, no sound bank.
 *
 * <p>What must always hold: a track renders to the same bits on every CPU. Samples come from tables
 * and from {@code + - * /} and {@code sqrt} on float and double only; tables, filter coefficients
 * and envelopes are built with {@link StrictMath}; random draws come from seeds in the scores. The
 * mix is the exact integer sum of its 16-bit stems and never clips. The truth (beats, chords,
 * sections) is the score's own grid, exact to the sample, before swing and humanised timing.
 *
 * <p>What it refuses: a score it cannot read to the end. The message names file, line and reason.
 */
@NullMarked
package org.descant.synth;

import org.jspecify.annotations.NullMarked;
