package org.descant.rights;

/**
 * A part of the right in a recording (master) or in a work (publishing).
 *
 * @param partyId the owner
 * @param basisPoints 1 to 10,000; all shares of one right add up to {@link #WHOLE}, or the right is
 *     not completely known and nothing is cleared
 */
public record Share(String partyId, RightType type, int basisPoints) {
  /** The whole of a right. */
  public static final int WHOLE = 10_000;

  /** Checks the bounds. */
  public Share {
    Text.requireId(partyId, "party");
    if (basisPoints < 1 || basisPoints > WHOLE) {
      throw new RightsException(
          "The share of %s must be 1 to %d basis points, was %d"
              .formatted(partyId, WHOLE, basisPoints));
    }
  }

  /** An owner's part of a recording. */
  public static Share master(String partyId, int basisPoints) {
    return new Share(partyId, RightType.MASTER, basisPoints);
  }

  /** An owner's part of a work. */
  public static Share publishing(String partyId, int basisPoints) {
    return new Share(partyId, RightType.PUBLISHING, basisPoints);
  }
}
