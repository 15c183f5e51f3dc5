/**
 * Networks that tell decoded sound from true sound, against which a codec may be trained:
 * multi-period and multi-band STFT discriminators on waveforms, and one on decibels for a codec
 * that makes no waveform in training.
 *
 * <p>What must always hold: a discriminator is a function of its weights and of what it judges, row
 * by row; its weights are all in its store.
 *
 * <p>What it refuses: excerpts shorter than its longest window and spectra of another width.
 */
@NullMarked
package org.descant.models.codec.discriminator;

import org.jspecify.annotations.NullMarked;
