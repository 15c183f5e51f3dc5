/**
 * A model's release as a folder: one record of what the model is, what it came from and what it is
 * worth, with pictures, sounds to listen to, a card and a page for people.
 *
 * <pre>
 *   ModelEvaluation → EvaluationReport ─┐
 *   model folder, dataset, run folder ──┼→ ModelRelease → record.json, card.md, index.html,
 *   rights, the way out for sound ──────┘                 curve.png, spectrograms.png, examples/
 * </pre>
 *
 * <p>What must always hold: the record names every parent and every file of the folder by hash; no
 * figure stands without its sample, its seed, its command and what it must be compared with; apart
 * from what the clock says, the same model, dataset and options give the same folder; the folder is
 * whole or not there.
 *
 * <p>What it refuses: weights that are not those of the card, a quick look in the place of a full
 * release, and letting out an example that repeats a training recording. No sound is written here:
 * it leaves through the door that it is given.
 */
@NullMarked
package org.descant.evaluation.release;

import org.jspecify.annotations.NullMarked;
