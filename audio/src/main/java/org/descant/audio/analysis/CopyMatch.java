package org.descant.audio.analysis;

/**
 * The longest span of a clip that repeats a recording, all in seconds.
 *
 * @param seconds how long; 0 if nothing is repeated
 * @param clipStart where it starts in the clip
 * @param recordingStart where it starts in the recording
 */
public record CopyMatch(double seconds, double clipStart, double recordingStart) {
  /** Nothing is repeated. */
  public static final CopyMatch NONE = new CopyMatch(0, 0, 0);
}
