package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.descant.database.Database;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The gate and its reference must agree on every question about every random rights graph. */
class DifferentialTest {
  private final Map<ReasonCode, Integer> seen = new EnumMap<>(ReasonCode.class);
  private int questions;

  @Test
  void theGateAgreesWithTheReference() {
    compare(1, 5, 60);
    assertThat(seen.keySet()).as("every reason came up").contains(ReasonCode.values());
    assertThat(questions).isGreaterThan(2_000);
  }

  @Test
  @Tag("slow")
  void theGateAgreesWithTheReferenceOnManyGraphs() {
    compare(1_000, 60, 120);
    System.out.printf("%d questions agree: %s%n", questions, new TreeMap<>(seen));
  }

  private void compare(int firstGraph, int graphs, int later) {
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      for (int number = firstGraph; number < firstGraph + graphs; number++) {
        compare(rights, new RandomRights(number), later);
      }
    }
  }

  private void compare(Rights rights, RandomRights graph, int later) {
    List<Fact> facts = graph.facts(later);
    int middle = facts.size() - later / 2;
    Map<Instant, List<Fact>> knownAt = new TreeMap<>();
    rights.record(facts.subList(0, middle));
    knownAt.put(rights.lastRecordedAt().orElseThrow(), facts.subList(0, middle));
    rights.record(facts.subList(middle, facts.size()));
    knownAt.put(rights.lastRecordedAt().orElseThrow(), facts);

    knownAt.forEach((moment, known) -> {
      ReferenceEvaluator reference = new ReferenceEvaluator(known);
      for (Use use : List.of(Use.TRAIN, Use.STYLE, Use.VOICE)) {
        for (int day = -1; day <= RandomRights.DAYS; day += 2) {
          for (String territory : RandomRights.TERRITORIES) {
            LocalDate validAt = RandomRights.FIRST_DAY.plusDays(day);
            DecisionContext context = new DecisionContext(validAt, moment, territory);
            for (Decision decision : rights.clearance().decideAll(use, graph.isrcs(), context)) {
              compare(decision, reference.refusals(use, decision.isrc(), validAt, territory));
            }
          }
        }
      }
    });
  }

  private void compare(Decision decision, Set<ReferenceEvaluator.Finding> expected) {
    Set<ReferenceEvaluator.Finding> found = new HashSet<>();
    for (Reason reason : decision.reasons()) {
      seen.merge(reason.code(), 1, Integer::sum);
      if (reason.code() != ReasonCode.GRANTED) {
        found.add(new ReferenceEvaluator.Finding(reason.code(), reason.evidenceIds()));
      }
    }
    questions++;
    assertThat(decision.allowed()).as("%s", decision).isEqualTo(expected.isEmpty());
    assertThat(new ArrayList<>(found))
        .as("%s", decision)
        .containsExactlyInAnyOrderElementsOf(expected);
  }
}
