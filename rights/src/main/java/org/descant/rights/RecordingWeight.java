package org.descant.rights;

/**
 * How much a recording shaped a clip.
 *
 * @param weight not negative and finite; only its part of the sum of all weights matters
 */
public record RecordingWeight(Isrc isrc, double weight) {
  /** Checks the weight. */
  public RecordingWeight {
    if (!(weight >= 0) || Double.isInfinite(weight)) {
      throw new RightsException(
          "The weight of %s must be a number from 0 on, was %s".formatted(isrc, weight));
    }
  }
}
