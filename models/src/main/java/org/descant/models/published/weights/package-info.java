/**
 * What the published models are read with: configuration, tensors by name, the layers that several
 * of them share, and low-rank adapters (Hu et al., "LoRA", 2021).
 *
 * <p>What must always hold: every tensor of a file is used or named as one that inference does not
 * need; what a model holds is freed when it is closed.
 *
 * <p>What it refuses: pickles; a tensor that is missing, left over or of another shape, by name.
 */
@NullMarked
package org.descant.models.published.weights;

import org.jspecify.annotations.NullMarked;
