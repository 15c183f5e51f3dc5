package org.descant.provenance;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.descant.database.Database;
import org.descant.provenance.Artefact.Kind;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.mapper.RowMapper;

/**
 * What came from what, for ever. An artefact is recorded once, with all its parents, which must be
 * there before it: so the thread has no loop and no loose end. Recording the same again does
 * nothing. Thread-safe; several processes may share it.
 */
public final class Lineage {
  /** A thread from recording to statement has eight steps; a chain of models a few more. */
  public static final int DEPTH_MAX = 64;

  /** Artefacts in one direction of a trace. */
  public static final int STEPS_MAX = 20_000;

  private static final int PARENTS_MAX = 100_000;
  private static final int MATCHES_MAX = 20;
  private static final int PREFIX_MIN = 3;

  private static final RowMapper<Artefact> ARTEFACT =
      (row, _) ->
          new Artefact(
              Kind.valueOf(row.getString("kind")), row.getString("id"), row.getString("facts"));

  private final Database database;

  private Lineage(Database database) {
    this.database = database;
  }

  /** Opens the lineage of this database and brings its tables up to date. */
  public static Lineage open(Database database) {
    database.migrate("provenance");
    return new Lineage(database);
  }

  /** An artefact and the ids of what it came from. */
  public record Node(Artefact artefact, Set<String> parents) {
    public Node {
      parents = Set.copyOf(parents);
      if (parents.contains(artefact.id())) {
        throw new ProvenanceException("%s cannot be its own parent.".formatted(artefact.id()));
      }
      if (parents.size() > PARENTS_MAX) {
        throw new ProvenanceException(
            "%s has %d parents, at most %d are kept."
                .formatted(artefact.id(), parents.size(), PARENTS_MAX));
      }
    }
  }

  /**
   * Records an artefact that came from these.
   *
   * @throws ProvenanceException if a parent is unknown, or the id is known with other facts,
   *     another kind or other parents
   */
  public void record(Artefact artefact, Collection<String> parents) {
    record(List.of(new Node(artefact, Set.copyOf(parents))));
  }

  /** Records several, in this order, all or none. */
  public void record(List<Node> nodes) {
    database.jdbi().useTransaction(handle -> record(handle, nodes));
  }

  /** As {@link #record(List)} inside a transaction of the caller's. */
  public void record(Handle handle, List<Node> nodes) {
    for (Node node : nodes) {
      Artefact artefact = node.artefact();
      boolean added =
          handle
                  .createUpdate(
                      """
                      insert into provenance.artefact (id, kind, facts)
                      values (:id, :kind, :facts) on conflict do nothing
                      """)
                  .bind("id", artefact.id())
                  .bind("kind", artefact.kind().name())
                  .bind("facts", artefact.facts())
                  .execute()
              == 1;
      if (added) {
        addParents(handle, node);
      } else {
        requireSame(handle, node);
      }
    }
  }

  private static void addParents(Handle handle, Node node) {
    if (node.parents().isEmpty()) {
      return;
    }
    int edges =
        handle
            .createUpdate(
                """
                insert into provenance.edge (child, parent)
                select :child, id from provenance.artefact where id = any(:parents)
                """)
            .bind("child", node.artefact().id())
            .bindArray("parents", String.class, List.copyOf(node.parents()))
            .execute();
    if (edges != node.parents().size()) {
      var missing = new TreeSet<>(node.parents());
      missing.removeAll(parents(handle, node.artefact().id()));
      throw new ProvenanceException(
          "%s came from %s, which is not recorded: record that first."
              .formatted(node.artefact().id(), missing.first()));
    }
  }

  private static void requireSame(Handle handle, Node node) {
    Artefact artefact = node.artefact();
    if (!find(handle, artefact.id()).equals(Optional.of(artefact))
        || !parents(handle, artefact.id()).equals(node.parents())) {
      throw new ProvenanceException(
          "%s is recorded already with another kind, other facts or other parents: a changed thing needs an id of its own."
              .formatted(artefact.id()));
    }
  }

  /** The artefact of exactly this id. */
  public Optional<Artefact> find(String id) {
    return database.jdbi().withHandle(handle -> find(handle, id));
  }

  /** Artefacts whose id starts with this, in order of id, at most {@value #MATCHES_MAX}. */
  public List<Artefact> startingWith(String prefix) {
    if (prefix.length() < PREFIX_MIN) {
      throw new ProvenanceException(
          "\"%s\" is too short: give at least %d characters of an id."
              .formatted(prefix, PREFIX_MIN));
    }
    String escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_");
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    """
                    select * from provenance.artefact where id like :pattern
                    order by id collate "C" limit :max
                    """)
                .bind("pattern", escaped + "%")
                .bind("max", MATCHES_MAX)
                .map(ARTEFACT)
                .list());
  }

  /**
   * The one artefact of this id or prefix of an id.
   *
   * @throws ProvenanceException if there is none, or several
   */
  public Artefact resolve(String idOrPrefix) {
    Optional<Artefact> exact = find(idOrPrefix);
    if (exact.isPresent()) {
      return exact.get();
    }
    List<Artefact> matches = startingWith(idOrPrefix);
    if (matches.isEmpty()) {
      throw new ProvenanceException(
          "Nothing is recorded under %s: give the id of a clip, recording, model or usage."
              .formatted(idOrPrefix));
    }
    if (matches.size() > 1) {
      throw new ProvenanceException(
          "%s could be %s: give more characters."
              .formatted(
                  idOrPrefix, String.join(", ", matches.stream().map(Artefact::id).toList())));
    }
    return matches.getFirst();
  }

  /**
   * The thread through an artefact, both ways, within {@link #DEPTH_MAX} and {@link #STEPS_MAX}.
   */
  public Trace trace(String idOrPrefix) {
    return trace(idOrPrefix, DEPTH_MAX, STEPS_MAX);
  }

  /** The thread within limits of one's own. */
  public Trace trace(String idOrPrefix, int depthMax, int stepsMax) {
    Artefact subject = resolve(idOrPrefix);
    return database
        .jdbi()
        .inTransaction(handle -> {
          Walk up = walk(handle, subject.id(), "child", "parent", depthMax, stepsMax);
          Walk down = walk(handle, subject.id(), "parent", "child", depthMax, stepsMax);
          return new Trace(subject, up.steps(), down.steps(), up.truncated() || down.truncated());
        });
  }

  private record Walk(List<Trace.Step> steps, boolean truncated) {}

  /** Breadth first, one query a level: each artefact is visited once, so the price is its edges. */
  private static Walk walk(
      Handle handle, String start, String near, String far, int depthMax, int stepsMax) {
    var steps = new ArrayList<Trace.Step>();
    var seen = new HashSet<String>(Set.of(start));
    List<String> level = List.of(start);
    for (int depth = 1; !level.isEmpty(); depth++) {
      Map<String, List<String>> via = new LinkedHashMap<>();
      handle
          .createQuery(
              "select %1$s as near, %2$s as far from provenance.edge where %1$s = any(:level) order by far, near"
                  .formatted(near, far))
          .bindArray("level", String.class, level)
          .map((row, _) -> new String[] {row.getString("near"), row.getString("far")})
          .forEach(edge -> {
            if (!seen.contains(edge[1])) {
              via.computeIfAbsent(edge[1], _ -> new ArrayList<>()).add(edge[0]);
            }
          });
      if (!via.isEmpty() && (depth > depthMax || steps.size() + via.size() > stepsMax)) {
        return new Walk(steps, true);
      }
      int here = depth;
      handle
          .createQuery("select * from provenance.artefact where id = any(:ids) order by kind, id")
          .bindArray("ids", String.class, List.copyOf(via.keySet()))
          .map(ARTEFACT)
          .forEach(artefact ->
              steps.add(
                  new Trace.Step(here, artefact, via.getOrDefault(artefact.id(), List.of()))));
      seen.addAll(via.keySet());
      level = List.copyOf(via.keySet());
    }
    return new Walk(steps, false);
  }

  private static Optional<Artefact> find(Handle handle, String id) {
    return handle
        .createQuery("select * from provenance.artefact where id = :id")
        .bind("id", id)
        .map(ARTEFACT)
        .findOne();
  }

  private static Set<String> parents(Handle handle, String id) {
    return handle
        .createQuery("select parent from provenance.edge where child = :id")
        .bind("id", id)
        .mapTo(String.class)
        .set();
  }
}
