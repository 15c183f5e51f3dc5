/**
 * Trains the house models on a dataset.
 *
 * <pre>
 * recipe + dataset ─▶ codec on short excerpts ─▶ tokens of copies in other keys and tempos ─▶ language model ─▶ model/
 *                     checkpoints/, metrics.jsonl, order/, run.json in the run folder all the way
 * </pre>
 *
 * <p>What always holds: a run is a pure function of (code, effective recipe, dataset, kind of CPU).
 * Every random draw comes from (seed, purpose, step), so nothing random needs to be saved, and a
 * run that was cut off anywhere gives the same bits when it goes on. Held-out recordings are whole
 * recordings and are never trained on. Both stages that learn go through one {@link
 * org.descant.training.loop.Loop}. Nothing that is not finite reaches the optimizer or a
 * checkpoint. A checkpoint appears whole, by rename, or not at all.
 *
 * <p>What it refuses: keys that a recipe does not have, a run folder of another recipe or dataset,
 * a dataset too small to hold recordings out.
 */
@NullMarked
package org.descant.training;

import org.jspecify.annotations.NullMarked;
