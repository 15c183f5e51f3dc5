/**
 * What a run depends on beside code, dataset and processor: complete recipes, and their text form
 * that {@code --set} and files override.
 *
 * <p>What must always hold: a recipe has no defaults elsewhere; the same recipe has the same
 * canonical text and hash.
 *
 * <p>What it refuses: keys that a recipe does not have and values outside their range, by name.
 */
@NullMarked
package org.descant.training.recipe;

import org.jspecify.annotations.NullMarked;
