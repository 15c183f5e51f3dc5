/**
 * Training runs on disk, so that a person can see what a run was, how it went, and how two differ.
 *
 * <p>A run is a folder:
 *
 * <pre>
 * run.json                the record: recipe, dataset root, seed, code, libraries, processor, status
 * metrics.jsonl           one JSON line a logged step, only ever appended to
 * events.out.tfevents.*   the same scalars for TensorBoard, one file a process that worked on the run
 * checkpoints/, model/    belong to the trainer
 * </pre>
 *
 * <p>What always holds: {@code run.json} is replaced by rename and is never half written; a line of
 * {@code metrics.jsonl} that a killed process tore off is cut away by the next writer; a step that
 * was logged twice, because the run was cut off and went on from an earlier checkpoint, counts once
 * and the later line wins. Only one process writes to a run folder at a time.
 *
 * <p>What it refuses: values that are not finite numbers in the metrics (JSON has no word for them;
 * a run that makes them has to stop), and to open a folder that is not a run.
 */
@NullMarked
package org.descant.lab;

import org.jspecify.annotations.NullMarked;
