/**
 * What can be computed from samples: spectra, loudness, tempo, beats, key, fingerprints, copied
 * spans, pictures.
 *
 * <p>The picture: {@link org.descant.audio.analysis.Spectra} turns samples into frames; {@code
 * OnsetStrength} and {@code Chroma} turn frames into rhythm and harmony; the estimators read those.
 *
 * <p>Always holds: every function is a pure function of its samples, keeps no state between calls,
 * and is safe for many threads; none changes the {@code Pcm} it is given. Refuses, with an {@link
 * org.descant.audio.AudioException}, sound that is too short to answer.
 */
@NullMarked
package org.descant.audio.analysis;

import org.jspecify.annotations.NullMarked;
