/**
 * Between waveforms and magnitudes: short-time Fourier transforms, overlap-add, and and phases,
 * found from magnitudes alone (PGHI and Griffin-Lim) or given, for whole recordings and for
 * streams.
 *
 * <p>What must always hold: the same magnitudes give the same waveform, bit for bit, however they
 * arrive. Nothing is random except the phases of what cannot be heard, which come from a fixed
 * seed.
 *
 * <p>What it refuses: a hop that does not divide the window. Transforms hold scratch memory and are
 * not thread-safe.
 */
@NullMarked
package org.descant.models.phase;

import org.jspecify.annotations.NullMarked;
