/**
 * Sound as the other modules see it: samples ({@link org.descant.audio.Pcm}), files that are read
 * and written, and the words a recording is annotated with. What is computed from samples (tempo,
 * key, loudness, fingerprints, pictures) lives in {@code org.descant.audio.analysis}.
 *
 * <p>Training reads excerpts, not files: {@link org.descant.audio.AudioSlices} and {@link
 * org.descant.audio.FlacStream} decode any part of a WAV or FLAC without the rest.
 *
 * <p>Always holds: a {@code Pcm} that came out of {@link org.descant.audio.AudioFile} is mono or
 * stereo, finite, at most 30 minutes long, and is the whole of what its file promises. The same
 * samples have the same {@link org.descant.audio.Pcm#hash()} whatever container held them. A file
 * that was written is complete or absent.
 *
 * <p>Refuses: cut-off files, samples that are not numbers, more than two channels, files that are
 * not audio, containers that refer to other files or to the network. This is the only module that
 * sees FFmpeg.
 */
@NullMarked
package org.descant.audio;

import org.jspecify.annotations.NullMarked;
