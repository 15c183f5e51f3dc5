package org.descant.rights;

/**
 * A person's part of a clip.
 *
 * @param role what they did for the recording or its work, as DDEX names it
 * @param isrc the recording through which they are part of it
 * @param shareMicros millionths of the clip; the credits of a clip add up to exactly 1,000,000
 */
public record Credit(String partyId, String name, String role, Isrc isrc, int shareMicros) {
  /** The whole clip. */
  public static final int WHOLE_MICROS = 1_000_000;

  /** The part as a number from 0 to 1. */
  public double share() {
    return shareMicros / (double) WHOLE_MICROS;
  }

  Credit withName(String other) {
    return new Credit(partyId, other, role, isrc, shareMicros);
  }
}
