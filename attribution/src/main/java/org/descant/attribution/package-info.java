/**
 * From a clip back to the recordings that shaped it.
 *
 * <pre>
 *   recordings → codec → codes → counts ┐
 *                                       ├ TokenInfluence (each left out) → weights
 *   a generation's codes ───────────────┘
 * </pre>
 *
 * <p>A recording counts for a clip by how much worse the clip would be known without it, under the
 * token frequencies that the model starts from. It is measured against leave-one-out retraining by
 * {@code evaluation}, beside loss gradients and style similarity, and the figure belongs beside
 * every use of it; where it is too low, pay equal shares. It says nothing of what the model does
 * with the order of tokens, and in a catalogue where all recordings share their tokens evenly it
 * has little to tell them apart by.
 *
 * <p>Beside it stands what copies are found by: the fingerprint of every recording as the model's
 * codec gives it back, which is how a model would recite it.
 *
 * <p>What must always hold: weights cover exactly the recordings that the model's card lists as
 * trained on, are not negative and sum to 1; the same index and codes give the same weights.
 *
 * <p>What it refuses: an index that was built for other weights, by an earlier version or is
 * damaged, and a dataset that the model was not trained on.
 */
@NullMarked
package org.descant.attribution;

import org.jspecify.annotations.NullMarked;
