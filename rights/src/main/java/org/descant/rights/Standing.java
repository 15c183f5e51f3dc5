package org.descant.rights;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jdbi.v3.core.Handle;
import org.jspecify.annotations.Nullable;

/**
 * Everything that bears on a question about some recordings, as it was known at one moment: read by
 * five queries, however many recordings there are. PostgreSQL finds the versions that were known,
 * who is behind each recording, what covers it, and whether that holds.
 */
final class Standing {
  private static final String KNOWN =
      """
      with known_recording as (
        select distinct on (isrc) * from rights.recording
        where isrc = any(:isrcs) and seq <= :asOf
        order by isrc, seq desc
      ), known_work as (
        select distinct on (id) * from rights.work
        where id in (select unnest(work_ids) from known_recording) and seq <= :asOf
        order by id, seq desc
      ), owner as (
        select isrc, null as work_id, 0 as work_number, number, party_id, basis_points
        from known_recording
          cross join unnest(owner_ids, owner_basis_points)
            with ordinality as share (party_id, basis_points, number)
        union all
        select isrc, work_id, work_number, number, party_id, basis_points
        from known_recording
          cross join unnest(work_ids) with ordinality as named (work_id, work_number)
          join known_work on known_work.id = work_id
          cross join unnest(known_work.owner_ids, known_work.owner_basis_points)
            with ordinality as share (party_id, basis_points, number)
      )
      """;

  private static final String OWNERS =
      KNOWN
          + """
          , known_agreement as (
            select distinct on (id) * from rights.agreement
            where seq <= :asOf
              and id in (select id from rights.agreement
                         where licensor in (select party_id from owner))
            order by id, seq desc
          )
          select owner.isrc, owner.work_id, owner.party_id, owner.basis_points, agreement.*,
            :use = any(agreement.uses) as uses_ok,
            agreement.valid_from <= :validAt as begun,
            agreement.valid_to is null or agreement.valid_to >= :validAt as not_ended,
            'Worldwide' = any(agreement.territories) or :territory = any(agreement.territories)
              as territory_ok
          from owner left join known_agreement as agreement
            on agreement.licensor = owner.party_id
              and (agreement.scope in ('all', 'recording:' || owner.isrc)
                or agreement.scope = 'work:' || owner.work_id)
          order by owner.isrc, owner.work_number, owner.number, agreement.id
          """;

  private static final String CHOICES =
      KNOWN
          + """
          , person as (
            select isrc, party_id from owner
            union
            select isrc, unnest(contributor_ids) from known_recording
            union
            select isrc, unnest(known_work.contributor_ids)
            from known_recording join known_work on known_work.id = any(work_ids)
          ), known_choice as (
            select distinct on (party_id, scope) * from rights.choice
            where use = :use and seq <= :asOf and valid_from <= :validAt
              and party_id in (select party_id from person)
            order by party_id, scope, seq desc
          )
          select person.isrc, choice.*
          from person
            join known_choice as choice using (party_id)
            join known_recording on known_recording.isrc = person.isrc
          where choice.scope in ('all', 'recording:' || person.isrc)
            or choice.scope in (select 'work:' || unnest(known_recording.work_ids))
          order by person.isrc, choice.party_id, choice.scope
          """;

  /**
   * An agreement of an owner whose scope reaches what is owned.
   *
   * @param usesOk whether it grants the use
   * @param begun whether it has begun on the day
   * @param notEnded whether it has not ended by the day
   * @param territoryOk whether it holds in the place
   */
  record Candidate(
      Agreement agreement, boolean usesOk, boolean begun, boolean notEnded, boolean territoryOk) {
    boolean grants() {
      return usesOk && begun && notEnded && territoryOk;
    }
  }

  /**
   * A part of the recording or of one of its works.
   *
   * @param workId the work that it is a part of, null for the recording
   * @param candidates the owner's agreements that reach it, by id
   */
  record Owner(Share share, @Nullable String workId, List<Candidate> candidates) {
    String of(Recording recording, Standing standing) {
      return workId == null
          ? Sentences.recording(recording)
          : "the work “" + standing.workTitle(workId) + "”";
    }

    String canonical() {
      return Canonical.fields(
          "owner",
          share.type().name(),
          workId == null ? "" : workId,
          share.partyId(),
          String.valueOf(share.basisPoints()));
    }
  }

  /** The most specific scope, then the latest, then by content: the same in every home. */
  static final Comparator<Agreement> BEST_FIRST =
      Comparator.comparing((Agreement agreement) -> agreement.scope() instanceof Scope.All)
          .thenComparing(Agreement::from, Comparator.reverseOrder())
          .thenComparing(Canonical::of)
          .thenComparing(Agreement::id);

  private final Map<Isrc, Recording> recordings = new HashMap<>();
  private final Map<String, Work> works = new HashMap<>();
  private final Map<String, String> names = new HashMap<>();
  private final Map<Isrc, List<Owner>> owners = new HashMap<>();
  private final Map<Isrc, List<Choice>> choices = new HashMap<>();

  private Standing() {}

  static Standing read(
      Handle handle, Use use, List<Isrc> isrcs, DecisionContext context, long asOf) {
    Standing standing = new Standing();
    Set<String> workIds = new LinkedHashSet<>();
    for (Recording recording : FactStore.recordings(handle, asOf, isrcs)) {
      standing.recordings.put(recording.isrc(), recording);
      workIds.addAll(recording.workIds());
    }
    for (Work work : FactStore.works(handle, asOf, workIds)) {
      standing.works.put(work.id(), work);
    }
    Map<String, Object> question =
        Map.of(
            "isrcs", isrcs.stream().map(Isrc::value).toArray(String[]::new),
            "asOf", asOf,
            "use", use.name(),
            "validAt", context.validAt());
    standing.readOwners(handle, question, context.territory());
    standing.readChoices(handle, question);
    standing.readNames(handle, asOf);
    return standing;
  }

  private void readOwners(Handle handle, Map<String, Object> question, String territory) {
    record Row(Isrc isrc, Share share, @Nullable String workId, @Nullable Candidate candidate) {}
    record Part(Isrc isrc, Share share, @Nullable String workId) {}
    Map<Part, List<Candidate>> parts = new LinkedHashMap<>();
    handle
        .createQuery(OWNERS)
        .bindMap(question)
        .bind("territory", territory)
        .map((row, _) -> {
          String workId = row.getString("work_id");
          Share share =
              new Share(
                  FactStore.string(row, "party_id"),
                  workId == null ? RightType.MASTER : RightType.PUBLISHING,
                  row.getInt("basis_points"));
          Candidate candidate =
              row.getString("id") == null
                  ? null
                  : new Candidate(
                      FactStore.agreement(row),
                      row.getBoolean("uses_ok"),
                      row.getBoolean("begun"),
                      row.getBoolean("not_ended"),
                      row.getBoolean("territory_ok"));
          return new Row(new Isrc(FactStore.string(row, "isrc")), share, workId, candidate);
        })
        .forEach(row -> {
          List<Candidate> candidates =
              parts.computeIfAbsent(
                  new Part(row.isrc(), row.share(), row.workId()), _ -> new ArrayList<>());
          if (row.candidate() != null) {
            candidates.add(row.candidate());
          }
        });
    parts.forEach((part, candidates) ->
        owners
            .computeIfAbsent(part.isrc(), _ -> new ArrayList<>())
            .add(new Owner(part.share(), part.workId(), List.copyOf(candidates))));
  }

  private void readChoices(Handle handle, Map<String, Object> question) {
    record Row(Isrc isrc, Choice choice) {}
    handle
        .createQuery(CHOICES)
        .bindMap(question)
        .map((row, _) -> new Row(new Isrc(FactStore.string(row, "isrc")), FactStore.choice(row)))
        .forEach(
            row -> choices.computeIfAbsent(row.isrc(), _ -> new ArrayList<>()).add(row.choice()));
  }

  private void readNames(Handle handle, long asOf) {
    Set<String> ids = new TreeSet<>();
    owners.values().forEach(list -> list.forEach(owner -> ids.add(owner.share().partyId())));
    choices.values().forEach(list -> list.forEach(choice -> ids.add(choice.partyId())));
    FactStore.parties(handle, asOf, ids).forEach(party -> names.put(party.id(), party.name()));
  }

  @Nullable Recording recording(Isrc isrc) {
    return recordings.get(isrc);
  }

  List<Work> works(Recording recording) {
    List<Work> list = new ArrayList<>();
    for (String id : recording.workIds()) {
      Work work = works.get(id);
      if (work != null) {
        list.add(work);
      }
    }
    return list;
  }

  String workTitle(String workId) {
    Work work = works.get(workId);
    return work == null ? workId : work.title();
  }

  String name(String partyId) {
    return names.getOrDefault(partyId, partyId);
  }

  /** Owners of the recording, then of its works in their order. */
  List<Owner> owners(Isrc isrc) {
    return owners.getOrDefault(isrc, List.of());
  }

  /** What people behind the recording have chosen for it, yes and no, by party and scope. */
  List<Choice> choices(Isrc isrc) {
    return choices.getOrDefault(isrc, List.of());
  }
}
