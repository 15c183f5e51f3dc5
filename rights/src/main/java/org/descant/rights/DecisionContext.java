package org.descant.rights;

import java.time.Instant;
import java.time.LocalDate;
import org.jspecify.annotations.Nullable;

/**
 * The two clocks of a decision, and its place.
 *
 * @param validAt the day on which the use takes place: agreements and choices must hold on it
 * @param knownAt what had been recorded by this moment counts; null means all that is recorded by
 *     now, by the database's clock
 * @param territory where the use takes place; worldwide needs agreements that hold everywhere
 */
public record DecisionContext(LocalDate validAt, @Nullable Instant knownAt, String territory) {
  /** Checks the parts. */
  public DecisionContext {
    Dates.require(validAt);
    Agreement.requireTerritory(territory);
  }

  /** Everywhere. */
  public DecisionContext(LocalDate validAt, @Nullable Instant knownAt) {
    this(validAt, knownAt, Agreement.WORLDWIDE);
  }

  /** A day, everywhere, with all that is recorded by now. */
  public static DecisionContext at(LocalDate validAt) {
    return new DecisionContext(validAt, null);
  }

  /** Today, everywhere, with all that is recorded by now. */
  public static DecisionContext today() {
    return at(LocalDate.now(java.time.ZoneOffset.UTC));
  }
}
