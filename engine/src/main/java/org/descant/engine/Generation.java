package org.descant.engine;

import org.descant.audio.Pcm;

/**
 * A finished generation.
 *
 * @param request as it was resolved: nothing in it is open any more
 * @param codes {@code [codebook][frame]} that the model drew, between those of what was there
 * @param firstChunkMs from the request to the first samples
 * @param totalMs from the request to the last
 */
public record Generation(
    GenerationRequest request, Pcm audio, int[][] codes, long firstChunkMs, long totalMs) {

  /** Seconds of sound made per second of work. */
  public double realTimeFactor() {
    return audio.seconds() / Math.max(1e-3, totalMs / 1e3);
  }
}
