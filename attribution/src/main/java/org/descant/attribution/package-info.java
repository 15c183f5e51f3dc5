/**
 * From a clip back to the recordings that shaped it.
 *
 * <pre>
 *   recordings → codec → codes → LossGradients ┐
 *                                              ├ Influence (products) → weights
 *   a generation's codes ───────→ LossGradients┘
 * </pre>
 *
 * <p>The first method is a gradient one: how far a step of training on a recording would have
 * lowered the model's loss on the clip. It is measured against leave-one-out retraining by {@code
 * evaluation}, and the figure belongs beside every use of it; where it is too low, pay equal
 * shares.
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
