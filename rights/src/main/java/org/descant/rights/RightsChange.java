package org.descant.rights;

/**
 * Something was recorded, here or in another process.
 *
 * @param kind what kind of fact
 * @param subject the party's, work's or agreement's id, the ISRC, or for a choice the id of the
 *     party that made it; empty when {@code kind} is {@link Kind#ANYTHING}
 */
public record RightsChange(Kind kind, String subject) {
  /** What changed. */
  public enum Kind {
    PARTY,
    WORK,
    RECORDING,
    AGREEMENT,
    CHOICE,
    /** The line to the database was lost for a while: whatever was remembered may be old. */
    ANYTHING
  }
}
