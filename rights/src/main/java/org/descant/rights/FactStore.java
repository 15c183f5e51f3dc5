package org.descant.rights;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;
import org.jdbi.v3.core.statement.Query;
import org.jspecify.annotations.Nullable;

/** Facts as rows: the only place that knows how a fact is written and read. */
final class FactStore {
  /** Everything that is recorded. */
  static final long NOW = Long.MAX_VALUE;

  private FactStore() {}

  /** What a fact is about: a later fact of the same key takes its place. */
  static String key(Fact fact) {
    return switch (fact) {
      case Party party -> partyKey(party.id());
      case Work work -> workKey(work.id());
      case Recording recording -> recordingKey(recording.isrc());
      case Agreement agreement -> "agreement " + agreement.id();
      case Choice choice ->
          "choice %s %s %s".formatted(choice.partyId(), choice.use(), choice.scope());
    };
  }

  static String partyKey(String id) {
    return "party " + id;
  }

  static String workKey(String id) {
    return "work " + id;
  }

  static String recordingKey(Isrc isrc) {
    return "recording " + isrc;
  }

  /** Those of some keys of parties, works and recordings that are registered. */
  static Set<String> known(Handle handle, Set<String> keys) {
    return new HashSet<>(
        handle
            .createQuery(
                """
                select 'party ' || id from rights.party where id = any(:parties)
                union
                select 'work ' || id from rights.work where id = any(:works)
                union
                select 'recording ' || isrc from rights.recording where isrc = any(:recordings)
                """)
            .bind("parties", withoutPrefix(keys, "party "))
            .bind("works", withoutPrefix(keys, "work "))
            .bind("recordings", withoutPrefix(keys, "recording "))
            .mapTo(String.class)
            .list());
  }

  private static String[] withoutPrefix(Set<String> keys, String prefix) {
    return keys.stream()
        .filter(key -> key.startsWith(prefix))
        .map(key -> key.substring(prefix.length()))
        .toArray(String[]::new);
  }

  /** The facts whose places some facts would take, by their keys. */
  static Map<String, Fact> current(Handle handle, List<? extends Fact> facts) {
    List<String> parties = new ArrayList<>();
    List<String> works = new ArrayList<>();
    List<Isrc> isrcs = new ArrayList<>();
    List<String> agreements = new ArrayList<>();
    Set<String> choosers = new HashSet<>();
    for (Fact fact : facts) {
      switch (fact) {
        case Party party -> parties.add(party.id());
        case Work work -> works.add(work.id());
        case Recording recording -> isrcs.add(recording.isrc());
        case Agreement agreement -> agreements.add(agreement.id());
        case Choice choice -> choosers.add(choice.partyId());
      }
    }
    Map<String, Fact> current = new HashMap<>();
    List<Fact> found = new ArrayList<>(parties(handle, NOW, parties));
    found.addAll(works(handle, NOW, works));
    found.addAll(recordings(handle, NOW, isrcs));
    found.addAll(agreements(handle, NOW, agreements));
    found.addAll(currentChoices(handle, choosers));
    found.forEach(fact -> current.put(key(fact), fact));
    return current;
  }

  private static List<Choice> currentChoices(Handle handle, Set<String> parties) {
    return handle
        .createQuery(
            """
            select distinct on (party_id, use, scope) * from rights.choice
            where party_id = any(:parties)
            order by party_id, use, scope, seq desc
            """)
        .bind("parties", parties.toArray(String[]::new))
        .map((row, _) -> choice(row))
        .list();
  }

  /**
   * Adds facts.
   *
   * @param seqs the number of each fact's event
   */
  static void insert(Handle handle, List<Long> seqs, List<Fact> facts) {
    Map<String, PreparedBatch> batches = new LinkedHashMap<>();
    for (int i = 0; i < facts.size(); i++) {
      Fact fact = facts.get(i);
      PreparedBatch batch = batches.computeIfAbsent(insertion(fact), handle::prepareBatch);
      batch.bind("seq", seqs.get(i));
      bind(batch, fact);
      batch.add();
    }
    batches.values().forEach(PreparedBatch::execute);
  }

  private static String insertion(Fact fact) {
    return switch (fact) {
      case Party _ -> "insert into rights.party values (:seq, :id, :name, :fictional, :isni)";
      case Work _ ->
          """
          insert into rights.work values
            (:seq, :id, :title, :contributors, :roles, :owners, :basisPoints)
          """;
      case Recording _ ->
          """
          insert into rights.recording values
            (:seq, :isrc, :title, :artist, :seconds, :pcmHash, :works,
             :contributors, :roles, :owners, :basisPoints, :blocked)
          """;
      case Agreement _ ->
          """
          insert into rights.agreement values
            (:seq, :id, :kind, :licensor, :uses, :scope, :from, :to, :territories,
             :fee, :masterSide, :pool, :runOffDays, :credit, :payment)
          """;
      case Choice _ ->
          "insert into rights.choice values (:seq, :id, :party, :use, :scope, :allowed, :from)";
    };
  }

  private static void bind(PreparedBatch row, Fact fact) {
    switch (fact) {
      case Party party ->
          row.bind("id", party.id())
              .bind("name", party.name())
              .bind("fictional", party.fictional())
              .bind("isni", party.isni() == null ? null : party.isni().value());
      case Work work ->
          row.bind("id", work.id())
              .bind("title", work.title())
              .bind("contributors", partiesOf(work.contributors()))
              .bind("roles", rolesOf(work.contributors()))
              .bind("owners", ownersOf(work.shares()))
              .bind("basisPoints", basisPointsOf(work.shares()));
      case Recording recording ->
          row.bind("isrc", recording.isrc().value())
              .bind("title", recording.title())
              .bind("artist", recording.displayArtist())
              .bind("seconds", recording.seconds())
              .bind("pcmHash", recording.pcmHash())
              .bind("works", recording.workIds().toArray(String[]::new))
              .bind("contributors", partiesOf(recording.contributors()))
              .bind("roles", rolesOf(recording.contributors()))
              .bind("owners", ownersOf(recording.shares()))
              .bind("basisPoints", basisPointsOf(recording.shares()))
              .bind("blocked", recording.blockedReason());
      case Agreement agreement ->
          row.bind("id", agreement.id())
              .bind("kind", agreement.kind().name())
              .bind("licensor", agreement.licensor())
              .bind("uses", agreement.uses().stream().map(Use::name).toArray(String[]::new))
              .bind("scope", agreement.scope().toString())
              .bind("from", agreement.from())
              .bind("to", agreement.to())
              .bind("territories", agreement.territories().toArray(String[]::new))
              .bind("fee", agreement.terms().platformFeeBasisPoints())
              .bind("masterSide", agreement.terms().masterSideBasisPoints())
              .bind("pool", agreement.terms().contributorPoolBasisPoints())
              .bind("runOffDays", agreement.terms().runOffDays())
              .bind("credit", agreement.terms().creditRequired())
              .bind("payment", agreement.terms().paymentDue());
      case Choice choice ->
          row.bind("id", choice.id())
              .bind("party", choice.partyId())
              .bind("use", choice.use().name())
              .bind("scope", choice.scope().toString())
              .bind("allowed", choice.allowed())
              .bind("from", choice.from());
    }
  }

  /** Parties as they were known; all of them when {@code ids} is null. By id. */
  static List<Party> parties(Handle handle, long asOf, @Nullable Collection<String> ids) {
    return latest(handle, "party", "id", asOf, ids)
        .map((row, _) -> {
          String isni = row.getString("isni");
          return new Party(
              string(row, "id"),
              string(row, "name"),
              row.getBoolean("fictional"),
              isni == null ? null : new Isni(isni));
        })
        .list();
  }

  /** Works as they were known; all of them when {@code ids} is null. By id. */
  static List<Work> works(Handle handle, long asOf, @Nullable Collection<String> ids) {
    return latest(handle, "work", "id", asOf, ids)
        .map((row, _) ->
            new Work(
                string(row, "id"),
                string(row, "title"),
                contributors(row),
                shares(row, RightType.PUBLISHING)))
        .list();
  }

  /** Recordings as they were known; all of them when {@code isrcs} is null. By ISRC. */
  static List<Recording> recordings(Handle handle, long asOf, @Nullable Collection<Isrc> isrcs) {
    List<String> keys = isrcs == null ? null : isrcs.stream().map(Isrc::value).toList();
    return latest(handle, "recording", "isrc", asOf, keys)
        .map((row, _) ->
            new Recording(
                new Isrc(string(row, "isrc")),
                string(row, "title"),
                string(row, "display_artist"),
                row.getDouble("seconds"),
                row.getString("pcm_hash"),
                strings(row, "work_ids"),
                contributors(row),
                shares(row, RightType.MASTER),
                row.getString("blocked_reason")))
        .list();
  }

  /** Agreements as they were known; all of them when {@code ids} is null. By id. */
  static List<Agreement> agreements(Handle handle, long asOf, @Nullable Collection<String> ids) {
    return latest(handle, "agreement", "id", asOf, ids).map((row, _) -> agreement(row)).list();
  }

  static Agreement agreement(ResultSet row) throws SQLException {
    Set<Use> uses = EnumSet.noneOf(Use.class);
    strings(row, "uses").forEach(use -> uses.add(Use.valueOf(use)));
    return new Agreement(
        string(row, "id"),
        AgreementKind.valueOf(string(row, "kind")),
        string(row, "licensor"),
        uses,
        Scope.parse(string(row, "scope")),
        date(row, "valid_from"),
        row.getObject("valid_to", LocalDate.class),
        new LinkedHashSet<>(strings(row, "territories")),
        new Terms(
            row.getInt("platform_fee_basis_points"),
            row.getInt("master_side_basis_points"),
            row.getInt("contributor_pool_basis_points"),
            row.getInt("run_off_days"),
            row.getBoolean("credit_required"),
            row.getBoolean("payment_due")));
  }

  static Choice choice(ResultSet row) throws SQLException {
    return new Choice(
        string(row, "party_id"),
        Use.valueOf(string(row, "use")),
        Scope.parse(string(row, "scope")),
        row.getBoolean("allowed"),
        date(row, "valid_from"));
  }

  private static Query latest(
      Handle handle, String table, String key, long asOf, @Nullable Collection<String> keys) {
    String some = keys == null ? "" : " and " + key + " = any(:keys)";
    Query query =
        handle
            .createQuery(
                "select distinct on (%s) * from rights.%s where seq <= :asOf%s order by %s, seq desc"
                    .formatted(key, table, some, key))
            .bind("asOf", asOf);
    if (keys != null) {
      query.bind("keys", keys.toArray(String[]::new));
    }
    return query;
  }

  private static List<Contributor> contributors(ResultSet row) throws SQLException {
    List<String> ids = strings(row, "contributor_ids");
    List<String> roles = strings(row, "contributor_roles");
    List<Contributor> contributors = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      contributors.add(new Contributor(ids.get(i), roles.get(i)));
    }
    return contributors;
  }

  private static List<Share> shares(ResultSet row, RightType type) throws SQLException {
    List<String> ids = strings(row, "owner_ids");
    Integer[] basisPoints = (Integer[]) row.getArray("owner_basis_points").getArray();
    List<Share> shares = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      shares.add(new Share(ids.get(i), type, basisPoints[i]));
    }
    return shares;
  }

  /** A column that the schema says is never null. */
  static String string(ResultSet row, String column) throws SQLException {
    String value = row.getString(column);
    if (value == null) {
      throw new SQLException(column + " is null");
    }
    return value;
  }

  private static LocalDate date(ResultSet row, String column) throws SQLException {
    LocalDate value = row.getObject(column, LocalDate.class);
    if (value == null) {
      throw new SQLException(column + " is null");
    }
    return value;
  }

  private static List<String> strings(ResultSet row, String column) throws SQLException {
    return Arrays.asList((String[]) row.getArray(column).getArray());
  }

  private static String[] partiesOf(List<Contributor> contributors) {
    return contributors.stream().map(Contributor::partyId).toArray(String[]::new);
  }

  private static String[] rolesOf(List<Contributor> contributors) {
    return contributors.stream().map(Contributor::role).toArray(String[]::new);
  }

  private static String[] ownersOf(List<Share> shares) {
    return shares.stream().map(Share::partyId).toArray(String[]::new);
  }

  private static Integer[] basisPointsOf(List<Share> shares) {
    return shares.stream().map(Share::basisPoints).toArray(Integer[]::new);
  }
}
