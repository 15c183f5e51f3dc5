/**
 * The flow model: a transformer that turns noise into the codec's continuous latents by flow
 * matching, under the same conditions as the language model.
 *
 * <p>What must always hold: sampling is a function of (weights, conditions, seed, steps); masked
 * latents come out as they went in.
 *
 * <p>What it refuses: latents and conditions of another shape than the configuration's.
 */
@NullMarked
package org.descant.models.flow;

import org.jspecify.annotations.NullMarked;
