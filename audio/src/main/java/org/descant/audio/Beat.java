package org.descant.audio;

/**
 * One beat.
 *
 * @param time seconds from the start
 * @param positionInBar 1 for the downbeat, then 2, 3, …
 */
public record Beat(double time, int positionInBar) {
  private static final int POSITION_MAX = 64;

  public Beat {
    if (!(time >= 0) || time == Double.POSITIVE_INFINITY) {
      throw new AudioException("A beat's time must be 0 s or later, was %s.".formatted(time));
    }
    if (positionInBar < 1 || positionInBar > POSITION_MAX) {
      throw new AudioException(
          "A beat's position in its bar must be 1 to %d, was %d."
              .formatted(POSITION_MAX, positionInBar));
    }
  }
}
