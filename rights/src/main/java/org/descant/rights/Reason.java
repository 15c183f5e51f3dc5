package org.descant.rights;

import java.util.List;

/**
 * One reason of a decision.
 *
 * @param sentence the reason in plain words, for the person who asked
 * @param evidenceIds the agreements and choices that it rests on
 */
public record Reason(ReasonCode code, String sentence, List<String> evidenceIds) {
  /** Keeps the evidence as it is. */
  public Reason {
    evidenceIds = List.copyOf(evidenceIds);
  }
}
