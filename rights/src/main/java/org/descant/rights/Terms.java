package org.descant.rights;

/**
 * What the licensor gets, and what happens when the promise ends. All parts of money are in basis
 * points (10,000 = all of it).
 *
 * @param platformFeeBasisPoints of the gross amount: what the platform keeps for running the
 *     service, taken first
 * @param masterSideBasisPoints of what is left after the fee: the part of the recording's side
 *     (owners and contributors); the rest is the works' side (publishing owners)
 * @param contributorPoolBasisPoints of the recording's side: the part that goes to its contributors
 *     (featured artists, musicians, producers) in equal parts whoever owns the recording; the rest
 *     goes to the owners by their shares
 * @param runOffDays how many days after a refusal a model that had been trained on the recording
 *     may still be played; 0 means that it ends with the refusal
 * @param creditRequired whether the people behind the recording must be named
 * @param paymentDue whether money is owed at all; without it all three parts above must be 0
 */
public record Terms(
    int platformFeeBasisPoints,
    int masterSideBasisPoints,
    int contributorPoolBasisPoints,
    int runOffDays,
    boolean creditRequired,
    boolean paymentDue) {
  /** The longest run-off: a hundred years, which is what "for ever" is written as. */
  public static final int RUN_OFF_DAYS_MAX = 36_500;

  /** What a public-domain dedication says: name the people, owe nothing, never ends. */
  public static final Terms PUBLIC_DOMAIN = new Terms(0, 0, 0, RUN_OFF_DAYS_MAX, true, false);

  /**
   * The terms of a plain licence: the platform keeps 30 %; of the rest 60 % is the recording's
   * side, of which a fifth goes to its contributors; credit is due; a model that had learned from
   * it may be played for 90 days after a refusal.
   */
  public static final Terms STANDARD = new Terms(3_000, 6_000, 2_000, 90, true, true);

  /** Checks the bounds. */
  public Terms {
    requireBasisPoints(platformFeeBasisPoints, "platform fee");
    requireBasisPoints(masterSideBasisPoints, "master side");
    requireBasisPoints(contributorPoolBasisPoints, "contributor pool");
    if (runOffDays < 0 || runOffDays > RUN_OFF_DAYS_MAX) {
      throw new RightsException(
          "The run-off must be 0 to %d days, was %d".formatted(RUN_OFF_DAYS_MAX, runOffDays));
    }
    if (!paymentDue
        && (platformFeeBasisPoints | masterSideBasisPoints | contributorPoolBasisPoints) != 0) {
      throw new RightsException(
          "Terms without payment must have fee, master side and contributor pool 0");
    }
  }

  private static void requireBasisPoints(int value, String what) {
    if (value < 0 || value > Share.WHOLE) {
      throw new RightsException(
          "The %s must be 0 to %d basis points, was %d".formatted(what, Share.WHOLE, value));
    }
  }

  /** The same terms with another run-off. */
  public Terms withRunOffDays(int days) {
    return new Terms(
        platformFeeBasisPoints,
        masterSideBasisPoints,
        contributorPoolBasisPoints,
        days,
        creditRequired,
        paymentDue);
  }
}
