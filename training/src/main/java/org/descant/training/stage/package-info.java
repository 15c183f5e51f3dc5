/**
 * The stages of a house run: the codec, the tokens of copies in other keys and tempos, the language
 * model and the flow model; each says where its batches come from and what it learns from them.
 *
 * <p>What must always hold: a batch is a pure function of (recipe, dataset, step), whoever asks;
 * held-out recordings are whole and never in one.
 *
 * <p>What it refuses: a dataset too small to hold recordings out, and recordings too short for a
 * window.
 */
@NullMarked
package org.descant.training.stage;

import org.jspecify.annotations.NullMarked;
