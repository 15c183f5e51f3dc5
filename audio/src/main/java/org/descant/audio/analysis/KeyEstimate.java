package org.descant.audio.analysis;

import org.descant.audio.MusicalKey;

/**
 * A key.
 *
 * @param confidence 0 to 1: how far the best key is ahead of the second; 0 if no pitch sounds
 */
public record KeyEstimate(MusicalKey key, double confidence) {}
