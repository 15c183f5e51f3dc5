package org.descant.rights;

import java.time.LocalDate;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How long what was made from a recording may outlive its clearance. */
final class RunOff {
  private RunOff() {}

  /**
   * See {@link Clearance#runOffUntil}.
   *
   * @param refusals why the use is refused now
   */
  static LocalDate until(Standing standing, @Nullable Recording recording, List<Reason> refusals) {
    if (recording == null || !refusals.stream().allMatch(RunOff::endsWhatHeld)) {
      return LocalDate.MIN;
    }
    LocalDate lastCleared = LocalDate.MAX;
    int days = Terms.RUN_OFF_DAYS_MAX;
    for (Standing.Owner owner : standing.owners(recording.isrc())) {
      Standing.Candidate held = heldLongest(owner);
      if (held == null) {
        return LocalDate.MIN;
      }
      days = Math.min(days, held.agreement().terms().runOffDays());
      lastCleared = earlier(lastCleared, lastDay(held));
    }
    for (Choice choice : standing.choices(recording.isrc())) {
      if (!choice.allowed()) {
        lastCleared = earlier(lastCleared, choice.from().minusDays(1));
      }
    }
    return lastCleared.plusDays(days);
  }

  /** A no, or an end: before it the use may have been cleared. Everything else was never right. */
  private static boolean endsWhatHeld(Reason reason) {
    return switch (reason.code()) {
      case CHOICE_NO, AGREEMENT_ENDED, USE_NOT_GRANTED -> true;
      case GRANTED,
          NO_AGREEMENT,
          NOT_YET_IN_FORCE,
          TERRITORY_NOT_GRANTED,
          OWNER_MISSING,
          SHARES_INCOMPLETE,
          WORK_UNKNOWN,
          BLOCKED,
          UNKNOWN_RECORDING ->
          false;
    };
  }

  /** The agreement that grants now, or of those that granted the one that ended last. */
  private static Standing.@Nullable Candidate heldLongest(Standing.Owner owner) {
    Standing.Candidate best = null;
    for (Standing.Candidate candidate : owner.candidates()) {
      if (!candidate.usesOk() || !candidate.begun() || !candidate.territoryOk()) {
        continue;
      }
      if (best == null
          || lastDay(candidate).isAfter(lastDay(best))
          || (lastDay(candidate).equals(lastDay(best))
              && Standing.BEST_FIRST.compare(candidate.agreement(), best.agreement()) < 0)) {
        best = candidate;
      }
    }
    return best;
  }

  private static LocalDate lastDay(Standing.Candidate candidate) {
    LocalDate to = candidate.agreement().to();
    return candidate.notEnded() || to == null ? LocalDate.MAX : to;
  }

  private static LocalDate earlier(LocalDate a, LocalDate b) {
    return a.isBefore(b) ? a : b;
  }
}
