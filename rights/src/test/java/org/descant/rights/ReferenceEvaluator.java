package org.descant.rights;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The rules once more, as loops over a list of facts in the order in which they were recorded:
 * slow, and obviously right. {@link Clearance} must agree with it.
 */
final class ReferenceEvaluator {
  /** A reason without its words. */
  record Finding(ReasonCode code, List<String> evidence) {}

  private final List<Fact> known;

  ReferenceEvaluator(List<Fact> known) {
    this.known = known;
  }

  private <T extends Fact> Optional<T> last(Class<T> type, Predicate<T> which) {
    Optional<T> found = Optional.empty();
    for (Fact fact : known) {
      if (type.isInstance(fact) && which.test(type.cast(fact))) {
        found = Optional.of(type.cast(fact));
      }
    }
    return found;
  }

  /** Agreements in their latest versions, by id. */
  private List<Agreement> agreements() {
    List<Agreement> latest = new ArrayList<>();
    for (Fact fact : known) {
      if (fact instanceof Agreement agreement) {
        latest.removeIf(other -> other.id().equals(agreement.id()));
        latest.add(agreement);
      }
    }
    latest.sort(java.util.Comparator.comparing(Agreement::id));
    return latest;
  }

  /** All that is against it; empty when it is allowed. */
  Set<Finding> refusals(Use use, Isrc isrc, LocalDate day, String territory) {
    Set<Finding> refusals = new LinkedHashSet<>();
    Optional<Recording> found = last(Recording.class, r -> r.isrc().equals(isrc));
    if (found.isEmpty()) {
      refusals.add(new Finding(ReasonCode.UNKNOWN_RECORDING, List.of()));
      return refusals;
    }
    Recording recording = found.get();
    List<Work> works =
        recording.workIds().stream()
            .map(id -> last(Work.class, w -> w.id().equals(id)).orElseThrow())
            .toList();
    if (recording.blocked()) {
      refusals.add(new Finding(ReasonCode.BLOCKED, List.of()));
    }
    if (works.isEmpty()) {
      refusals.add(new Finding(ReasonCode.WORK_UNKNOWN, List.of()));
    }

    boolean owned = !recording.shares().isEmpty();
    boolean complete = whole(recording.shares());
    for (Work work : works) {
      owned |= !work.shares().isEmpty();
      complete &= whole(work.shares());
    }
    if (owned && !complete) {
      refusals.add(new Finding(ReasonCode.SHARES_INCOMPLETE, List.of()));
    }

    boolean anything = false;
    for (Share share : recording.shares()) {
      anything |= !reaching(share.partyId(), recording, null).isEmpty();
    }
    for (Work work : works) {
      for (Share share : work.shares()) {
        anything |= !reaching(share.partyId(), recording, work).isEmpty();
      }
    }
    if (!anything) {
      refusals.add(new Finding(ReasonCode.NO_AGREEMENT, List.of()));
    } else {
      for (Share share : recording.shares()) {
        owner(refusals, reaching(share.partyId(), recording, null), use, day, territory);
      }
      for (Work work : works) {
        for (Share share : work.shares()) {
          owner(refusals, reaching(share.partyId(), recording, work), use, day, territory);
        }
      }
    }

    Set<String> people = new LinkedHashSet<>();
    recording.contributors().forEach(c -> people.add(c.partyId()));
    recording.shares().forEach(s -> people.add(s.partyId()));
    works.forEach(w -> w.contributors().forEach(c -> people.add(c.partyId())));
    works.forEach(w -> w.shares().forEach(s -> people.add(s.partyId())));
    List<Scope> scopes = new ArrayList<>(List.of(Scope.ALL, Scope.of(isrc)));
    recording.workIds().forEach(id -> scopes.add(Scope.ofWork(id)));
    for (String person : people) {
      for (Scope scope : scopes) {
        last(
                Choice.class,
                c ->
                    c.partyId().equals(person)
                        && c.use() == use
                        && c.scope().equals(scope)
                        && !c.from().isAfter(day))
            .filter(choice -> !choice.allowed())
            .ifPresent(
                choice -> refusals.add(new Finding(ReasonCode.CHOICE_NO, List.of(choice.id()))));
      }
    }
    return refusals;
  }

  private static boolean whole(List<Share> shares) {
    int sum = 0;
    for (Share share : shares) {
      sum += share.basisPoints();
    }
    return sum == 10_000;
  }

  /** An owner's agreements that reach the recording, or a work in it. */
  private List<Agreement> reaching(
      String owner, Recording recording, @org.jspecify.annotations.Nullable Work work) {
    return agreements().stream()
        .filter(agreement -> agreement.licensor().equals(owner))
        .filter(agreement ->
            agreement.scope().equals(Scope.ALL)
                || agreement.scope().equals(Scope.of(recording.isrc()))
                || (work != null && agreement.scope().equals(Scope.ofWork(work.id()))))
        .toList();
  }

  private static void owner(
      Set<Finding> refusals, List<Agreement> agreements, Use use, LocalDate day, String territory) {
    for (Agreement agreement : agreements) {
      if (agreement.uses().contains(use)
          && agreement.inForceOn(day)
          && agreement.holdsIn(territory)) {
        return;
      }
    }
    if (agreements.isEmpty()) {
      refusals.add(new Finding(ReasonCode.OWNER_MISSING, List.of()));
    }
    for (Agreement agreement : agreements) {
      ReasonCode code;
      if (!agreement.uses().contains(use)) {
        code = ReasonCode.USE_NOT_GRANTED;
      } else if (agreement.to() != null && day.isAfter(agreement.to())) {
        code = ReasonCode.AGREEMENT_ENDED;
      } else if (day.isBefore(agreement.from())) {
        code = ReasonCode.NOT_YET_IN_FORCE;
      } else {
        code = ReasonCode.TERRITORY_NOT_GRANTED;
      }
      refusals.add(new Finding(code, List.of(agreement.id())));
    }
  }
}
