package org.descant.rights;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.descant.database.Database;
import org.descant.database.Notifications;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jspecify.annotations.Nullable;

/**
 * What is known about rights: records facts, and finds them. Thread-safe; any number may be open on
 * one database, in any number of processes.
 *
 * <pre>{@code
 * Rights rights = Rights.open(database);
 * rights.record(List.of(artist, work, recording, agreement)); // all of it or nothing
 * Decision decision = rights.clearance().decide(Use.TRAIN, isrc, DecisionContext.at(day));
 * }</pre>
 *
 * <p>Recording a fact that says exactly what is already known does nothing, so a delivery may come
 * twice.
 */
public final class Rights {
  private static final String CHANNEL = "rights_change";

  /** The most facts that are recorded in one step; a step is one transaction. */
  public static final int FACTS_MAX = 100_000;

  private final Database database;
  private final Jdbi jdbi;

  private Rights(Database database) {
    this.database = database;
    this.jdbi = database.jdbi();
  }

  /** Opens the rights of a database and brings their tables up to date. */
  public static Rights open(Database database) {
    database.migrate("rights");
    return new Rights(database);
  }

  /** The gate that decides on what is recorded here. */
  public Clearance clearance() {
    return new Clearance(jdbi);
  }

  /** Folds recordings into the people behind them. */
  public Credits credits() {
    return new Credits(this);
  }

  /** Records a party, or its new name. */
  public void register(Party party) {
    record(List.of(party));
  }

  /** Records a work, or its new state; its people must be registered. */
  public void register(Work work) {
    record(List.of(work));
  }

  /** Records a recording, or its new state; its people and works must be registered. */
  public void register(Recording recording) {
    record(List.of(recording));
  }

  /** Records an agreement, or its new version; its licensor must be registered. */
  public void record(Agreement agreement) {
    record(List.of(agreement));
  }

  /**
   * Records a choice; every process that listens knows within a second.
   *
   * @return the choice's id, which decisions give as evidence
   */
  public String choose(Choice choice) {
    record(List.of(choice));
    return choice.id();
  }

  /**
   * Records facts in their order, all or none. A fact may name what an earlier one of the same list
   * registers.
   *
   * @throws RightsException when a fact names a party or work that nobody registered
   */
  public void record(List<? extends Fact> facts) {
    jdbi.useTransaction(handle -> record(handle, facts));
  }

  /**
   * As {@link #record(List)}, as a part of the caller's transaction: all of that or nothing. Until
   * it ends, every other recording and deciding waits, so record last.
   */
  public void record(Handle handle, List<? extends Fact> facts) {
    Recording.requireCount(facts.size(), FACTS_MAX, "facts", "step");
    List<Fact> fresh = Recorder.record(handle, facts);
    Database.notify(handle, CHANNEL, fresh.stream().map(Rights::payload).toList());
  }

  /** A party by its id, as it is now. */
  public Optional<Party> party(String id) {
    return one(handle -> FactStore.parties(handle, FactStore.NOW, List.of(id)));
  }

  /** A work by its id or ISWC, as it is now. */
  public Optional<Work> work(String id) {
    return one(handle -> FactStore.works(handle, FactStore.NOW, List.of(Work.normalId(id))));
  }

  /** A recording, as it is now. */
  public Optional<Recording> recording(Isrc isrc) {
    return one(handle -> FactStore.recordings(handle, FactStore.NOW, List.of(isrc)));
  }

  /** The recordings whose sound has a hash: more than one when it was delivered twice. */
  public List<Recording> recordingsOfSound(String pcmHash) {
    return jdbi.withHandle(handle -> {
      List<Isrc> isrcs =
          handle
              .createQuery("select distinct isrc from rights.recording where pcm_hash = :hash")
              .bind("hash", pcmHash)
              .mapTo(String.class)
              .map(Isrc::new)
              .list();
      return FactStore.recordings(handle, FactStore.NOW, isrcs).stream()
          .filter(recording -> pcmHash.equals(recording.pcmHash()))
          .toList();
    });
  }

  /** An agreement in its latest version. */
  public Optional<Agreement> agreement(String id) {
    return one(handle -> FactStore.agreements(handle, FactStore.NOW, List.of(id)));
  }

  /** A choice by the id that decisions give as evidence. */
  public Optional<Choice> choice(String id) {
    return jdbi.withHandle(handle ->
        handle
            .createQuery("select * from rights.choice where id = :id limit 1")
            .bind("id", id)
            .map((row, _) -> FactStore.choice(row))
            .findFirst());
  }

  /** All parties, by id. */
  public List<Party> parties() {
    return jdbi.withHandle(handle -> FactStore.parties(handle, FactStore.NOW, null));
  }

  /** The parties of some ids, by id; those that nobody registered are left out. */
  public List<Party> parties(Collection<String> ids) {
    return jdbi.withHandle(handle -> FactStore.parties(handle, FactStore.NOW, ids));
  }

  /** All works, by id. */
  public List<Work> works() {
    return jdbi.withHandle(handle -> FactStore.works(handle, FactStore.NOW, null));
  }

  /** The works of some ids or ISWCs, by id; those that nobody registered are left out. */
  public List<Work> works(Collection<String> ids) {
    List<String> normal = ids.stream().map(Work::normalId).toList();
    return jdbi.withHandle(handle -> FactStore.works(handle, FactStore.NOW, normal));
  }

  /** All recordings, blocked ones too, by ISRC. */
  public List<Recording> recordings() {
    return jdbi.withHandle(handle -> FactStore.recordings(handle, FactStore.NOW, null));
  }

  /** The recordings of some ISRCs, by ISRC; those that nobody registered are left out. */
  public List<Recording> recordings(Collection<Isrc> isrcs) {
    return jdbi.withHandle(handle -> FactStore.recordings(handle, FactStore.NOW, isrcs));
  }

  /** All agreements in their latest versions, by id. */
  public List<Agreement> agreements() {
    return jdbi.withHandle(handle -> FactStore.agreements(handle, FactStore.NOW, null));
  }

  /** A party's agreements in their latest versions, by id. */
  public List<Agreement> agreementsOf(String partyId) {
    return jdbi.withHandle(handle -> {
      List<String> ids =
          handle
              .createQuery("select distinct id from rights.agreement where licensor = :party")
              .bind("party", partyId)
              .mapTo(String.class)
              .list();
      return FactStore.agreements(handle, FactStore.NOW, ids).stream()
          .filter(agreement -> agreement.licensor().equals(partyId))
          .toList();
    });
  }

  /**
   * A choice with the moment at which it was recorded.
   *
   * @param recordedAt by the database's clock, to the microsecond
   */
  public record RecordedChoice(Choice choice, Instant recordedAt) {}

  /** Everything a party has ever chosen, in the order in which it was recorded. */
  public List<RecordedChoice> choicesOf(String partyId) {
    return choices("where party_id = :party", partyId);
  }

  /** Everything anybody has ever chosen, in the order in which it was recorded. */
  public List<RecordedChoice> choices() {
    return choices("", null);
  }

  private List<RecordedChoice> choices(String where, @Nullable String partyId) {
    return jdbi.withHandle(handle -> {
      var query =
          handle.createQuery(
              "select * from rights.choice join rights.event using (seq) "
                  + where
                  + " order by seq");
      if (partyId != null) {
        query.bind("party", partyId);
      }
      return query
          .map((row, _) ->
              new RecordedChoice(FactStore.choice(row), RecordClock.instant(row, "recorded_at")))
          .list();
    });
  }

  /** The moment of the last fact recorded, or empty when there is none. */
  public Optional<Instant> lastRecordedAt() {
    return jdbi.withHandle(RecordClock::last);
  }

  private <T> Optional<T> one(org.jdbi.v3.core.HandleCallback<List<T>, RuntimeException> query) {
    return jdbi.withHandle(query).stream().findFirst();
  }

  /**
   * Tells the listener of every fact that is recorded, in this process or another, on a thread of
   * its own, within a second. Returns once it is listening.
   *
   * @return close it to stop listening
   */
  public Notifications onChange(Consumer<RightsChange> listener) {
    return database.listen(
        CHANNEL,
        new Notifications.Listener() {
          @Override
          public void received(String payload) {
            listener.accept(change(payload));
          }

          @Override
          public void gap() {
            listener.accept(new RightsChange(RightsChange.Kind.ANYTHING, ""));
          }
        });
  }

  private static String payload(Fact fact) {
    return switch (fact) {
      case Party party -> RightsChange.Kind.PARTY + " " + party.id();
      case Work work -> RightsChange.Kind.WORK + " " + work.id();
      case Recording recording -> RightsChange.Kind.RECORDING + " " + recording.isrc();
      case Agreement agreement -> RightsChange.Kind.AGREEMENT + " " + agreement.id();
      case Choice choice -> RightsChange.Kind.CHOICE + " " + choice.partyId();
    };
  }

  private static RightsChange change(String payload) {
    List<String> parts = new ArrayList<>(List.of(payload.split(" ", 2)));
    return new RightsChange(
        RightsChange.Kind.valueOf(parts.getFirst()), parts.size() > 1 ? parts.get(1) : "");
  }
}
