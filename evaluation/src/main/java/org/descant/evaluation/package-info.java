/**
 * What a model is worth: how its codec sounds beside Opus, whether its clips have the tempo, key
 * and melody that were asked for, how much of them is copied, how near they are to the music it
 * learned from, and how far its attribution can be trusted.
 *
 * <pre>
 *   model folder + dataset → ModelEvaluation → evaluation.json, pictures
 *                                            → card.json, attribution.safetensors
 * </pre>
 *
 * <p>What must always hold: every figure is measured by the code that reports it and stands beside
 * what it must be compared with (Opus, shuffled conditions, held-out music, equal shares); the same
 * model, dataset and options give the same figures, apart from speeds.
 *
 * <p>What it refuses: a dataset that the model was not trained on. It lets no sound out.
 */
@NullMarked
package org.descant.evaluation;

import org.jspecify.annotations.NullMarked;
