/**
 * MusicGen as published: delayed columns of codes from text, and in MusicGen-melody from the pitch
 * classes of a recording, with guidance, a cache and weights in fp32 or int8.
 *
 * <p>What must always hold: greedy tokens are those of the reference implementation; a session's
 * steps give what the whole sequence gives.
 *
 * <p>What it refuses: configuration values it does not know, by key and value; adapters of another
 * model.
 */
@NullMarked
package org.descant.models.published.musicgen;

import org.jspecify.annotations.NullMarked;
