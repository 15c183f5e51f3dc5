/**
 * The T5 encoder and its tokenizer as published.
 *
 * <p>What must always hold: token numbers and hidden states are those of the reference
 * implementation; padding changes nothing.
 *
 * <p>What it refuses: tokenizers of another kind, configuration values it does not know.
 */
@NullMarked
package org.descant.models.published.text;

import org.jspecify.annotations.NullMarked;
