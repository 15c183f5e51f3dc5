/**
 * The house models: a codec between sound and tokens, and on it either a token language model or a
 * flow model of the codec's continuous latents; and the folders that hold them.
 *
 * <pre>
 *   waveform -> MagnitudeCodec.encode -> codes [codebook][frame] -> MagnitudeCodec.decode -> waveform
 *                                           ^
 *   Planner -> FrameConditions + GlobalConditions -> lm.Decoder (one frame a step)
 * </pre>
 *
 * <p>What must always hold: a model that was saved and loaded again saves to the same bytes; the
 * decoder's stepwise logits are those of the training forward; every random draw comes from a seed
 * that the caller gave.
 *
 * <p>What it refuses: shapes that do not belong to the loaded configuration, folders without a
 * model card, and weights whose hash is not the one the card names. It knows nothing of audio
 * files, catalogues or rights: beats, chords and tags come in as plain arrays.
 */
@NullMarked
package org.descant.models;

import org.jspecify.annotations.NullMarked;
