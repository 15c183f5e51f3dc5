/**
 * The token language model: a decoder-only transformer over the codec's codes in a delay pattern,
 * its stepwise {@link org.descant.models.lm.Decoder} with a cache, and how a token is drawn.
 *
 * <p>What must always hold: the decoder's stepwise logits are those of the training forward; a
 * drawn token is a function of (seed, step, codebook).
 *
 * <p>What it refuses: codes, conditions and weights of another shape than the configuration's.
 */
@NullMarked
package org.descant.models.lm;

import org.jspecify.annotations.NullMarked;
