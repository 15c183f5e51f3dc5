/**
 * The training loop, the same for every stage of a run.
 *
 * <pre>
 * Prefetch ─▶ Optimisation: parts forward, backward ─▶ Guard ─▶ clip, optimizer, average
 *                                                       └▶ stop, skip, or rewind and skip
 * Meter: one line every so many steps
 * CheckpointWriter: a copy, then a thread writes, hashes and renames
 * </pre>
 *
 * <p>What always holds: what a step does is a function of the weights, the batch of its number and
 * the state in the checkpoint; the guard's decisions are part of it, so a run that was cut off
 * decides again what it decided before. A refused step changes no weight, no codebook and no
 * average. A checkpoint holds finite numbers only and appears whole, by rename. The host waits for
 * the device once a step. Where several processes train, all decide by the same means, all go back
 * to the same checkpoint, and one writes; see {@link org.descant.training.parallel}.
 *
 * <p>What it refuses: more refused batches than the recipe allows, a checkpoint of weights that are
 * not finite.
 */
@NullMarked
package org.descant.training.loop;

import org.jspecify.annotations.NullMarked;
