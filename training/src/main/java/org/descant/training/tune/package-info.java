/**
 * Published models go on learning: an adapter beside a MusicGen's frozen decoder (LoRA, Hu et al.
 * 2021), or the decoder's own weights. The model's codec turns the recordings into codes once; text
 * encoder and codec never change.
 *
 * <pre>
 * Dataset ─▶ TuneCodes: a field of the dataset ─▶ TuneStage, a Learner of the loop
 *                                                   └▶ TunedWeights: AdapterWeights | DecoderWeights
 * Tuner: the run folder, its record, what ships
 * </pre>
 *
 * <p>What always holds: a run is a function of base, recipe, dataset and seed on one kind of CPU,
 * and one that was cut off goes on to the same bits; what ships names its parents by their hashes
 * ({@link org.descant.models.published.TunedModel}); an adapter is a folder that PEFT reads, a
 * tuned model one that {@code transformers} reads.
 *
 * <p>What it refuses: a base that changed since the run began, recordings shorter than an excerpt
 * (left out and named), weights that are not finite. Nothing made here may be played to listeners,
 * because nobody knows what the base learned from.
 */
@NullMarked
package org.descant.training.tune;

import org.jspecify.annotations.NullMarked;
