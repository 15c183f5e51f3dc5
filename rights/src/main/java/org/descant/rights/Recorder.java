package org.descant.rights;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jdbi.v3.core.Handle;

/** Adds facts to the record: checks what they name, and leaves out what is known already. */
final class Recorder {
  private Recorder() {}

  /**
   * Records facts in their order, within the handle's transaction, in a number of queries that does
   * not grow with theirs. From here on to the end of the transaction nobody else records or
   * decides.
   *
   * @return what was not known, in order
   * @throws RightsException when a fact names what neither is registered nor comes before it
   */
  static List<Fact> record(Handle handle, List<? extends Fact> facts) {
    RecordClock.lockForWriting(handle);
    Map<String, Fact> current = new HashMap<>(FactStore.current(handle, facts));
    Set<String> named = new LinkedHashSet<>();
    facts.forEach(fact -> named.addAll(references(fact)));
    Set<String> known = FactStore.known(handle, named);
    List<Fact> fresh = new ArrayList<>();
    for (Fact fact : facts) {
      for (String reference : references(fact)) {
        if (!known.contains(reference)) {
          throw new RightsException(
              "The %s names the %s, which nobody has registered: register it first"
                  .formatted(description(fact), reference));
        }
      }
      String key = FactStore.key(fact);
      known.add(key);
      if (!fact.equals(current.put(key, fact))) {
        fresh.add(fact);
      }
    }
    FactStore.insert(handle, RecordClock.next(handle, fresh.size()), fresh);
    return fresh;
  }

  private static String description(Fact fact) {
    return fact instanceof Choice choice ? "choice of " + choice.partyId() : FactStore.key(fact);
  }

  /** What a fact names, as the keys of those facts. */
  private static Set<String> references(Fact fact) {
    Set<String> keys = new LinkedHashSet<>();
    switch (fact) {
      case Party _ -> {}
      case Work work -> addPeople(keys, work.contributors(), work.shares());
      case Recording recording -> {
        recording.workIds().forEach(id -> keys.add(FactStore.workKey(id)));
        addPeople(keys, recording.contributors(), recording.shares());
      }
      case Agreement agreement -> {
        keys.add(FactStore.partyKey(agreement.licensor()));
        addScope(keys, agreement.scope());
      }
      case Choice choice -> {
        keys.add(FactStore.partyKey(choice.partyId()));
        addScope(keys, choice.scope());
      }
    }
    return keys;
  }

  private static void addPeople(
      Set<String> keys, List<Contributor> contributors, List<Share> shares) {
    contributors.forEach(contributor -> keys.add(FactStore.partyKey(contributor.partyId())));
    shares.forEach(share -> keys.add(FactStore.partyKey(share.partyId())));
  }

  private static void addScope(Set<String> keys, Scope scope) {
    switch (scope) {
      case Scope.All _ -> {}
      case Scope.OfRecording(Isrc isrc) -> keys.add(FactStore.recordingKey(isrc));
      case Scope.OfWork(String workId) -> keys.add(FactStore.workKey(workId));
    }
  }
}
