/**
 * What a model is told beside the sound: per frame the beat, chord, section, energy and melody; for
 * all frames the key, tags, text and style; how strongly each is followed; and the planner that
 * writes the frames' part from a request.
 *
 * <p>What must always hold: an absent condition is a learned vector, never a number that means
 * something else; a plan is a function of (request, seed).
 *
 * <p>What it refuses: values outside their stated range. It knows nothing of catalogues: tags and
 * chords come in as plain arrays.
 */
@NullMarked
package org.descant.models.condition;

import org.jspecify.annotations.NullMarked;
