/**
 * One run in several processes: data parallel, each with the whole model and a share of every
 * batch.
 *
 * <pre>
 *   Launcher ─ hosts the store, starts the workers, starts them again when one is lost
 *      ├─ worker 0 ─ Team ─┐  gradients: GradientSync, while the backward pass still runs
 *      ├─ worker 1 ─ Team ─┤  everything that was exchanged: CollectiveRing → ranks/N/collectives.json
 *      └─ …              ─┘  who is missing, and in what: HangReport
 * </pre>
 *
 * <p>What must always hold: the order of data, the random draws and the learning rate do not depend
 * on the number of workers; all workers hold the same bits after every step; rank 0 alone writes
 * metrics, checkpoints and events; every wait ends, by success, by a timeout or by an alarm; a lost
 * worker costs at most the step under way, and no sample is skipped or seen twice.
 *
 * <p>How a run is spread is no part of its recipe. With the same number of workers runs agree bit
 * for bit. With another number sums are rounded in another order: a step's gradients agree to about
 * seven digits, but over many steps that grows, as any rounding does. The codec's codebooks make it
 * visible soon, because a restart of an entry draws anew for all that follow: after some twenty
 * steps of house-tiny losses differ in the third digit, as they do when one process is given inputs
 * that differ in the seventh.
 *
 * <p>What it refuses: a batch that cannot be split evenly, ranks that see different run folders,
 * and to go on after the third restart in a row that did not complete a step.
 */
@NullMarked
package org.descant.training.parallel;

import org.jspecify.annotations.NullMarked;
