package org.descant.audio.analysis;

/**
 * A tempo.
 *
 * @param bpm beats a minute
 * @param confidence 0 to 1: how sure the estimator is that neither half, nor double, nor another
 *     tempo is meant; 0 if nothing begins in the sound
 */
public record TempoEstimate(double bpm, double confidence) {}
