package org.descant.rights;

import java.time.Instant;
import java.time.LocalDate;
import java.util.List;

/**
 * An answer of the gate, stored and readable by its id for ever.
 *
 * @param id a function of use, recording, day, territory, result, reasons and rules: the same
 *     question on the same facts has the same id in every home
 * @param reasons all reasons, not only the first; when allowed, one for each owner who granted it
 * @param rulesHash SHA-256 of the content of the owners, agreements and choices that decided: no
 *     clock and no id that a home made up goes in
 * @param validAt the day that was asked about
 * @param knownAt what had been recorded by this moment decided; a stored decision has that of the
 *     first time it was made
 */
public record Decision(
    String id,
    Use use,
    Isrc isrc,
    boolean allowed,
    List<Reason> reasons,
    String rulesHash,
    LocalDate validAt,
    Instant knownAt,
    String territory) {
  /** Keeps the reasons as they are. */
  public Decision {
    reasons = List.copyOf(reasons);
  }

  /** All reasons as one text, for a person. */
  public String sentence() {
    return String.join(" ", reasons.stream().map(Reason::sentence).toList());
  }

  /** Whether one of the reasons has the code. */
  public boolean has(ReasonCode code) {
    return reasons.stream().anyMatch(reason -> reason.code() == code);
  }
}
