package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.descant.database.Database;
import org.descant.provenance.Artefact.Kind;
import org.descant.provenance.Lineage.Node;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class LineageTest {
  static Database database;
  static Lineage lineage;

  @BeforeAll
  static void recordAThread() {
    database = Database.temporary();
    lineage = Lineage.open(database);
    lineage.record(thread());
  }

  @AfterAll
  static void close() {
    database.close();
  }

  private static List<Node> thread() {
    return List.of(
        node(Kind.RECORDING, "XXABC2600001"),
        node(Kind.RECORDING, "XXABC2600002"),
        node(Kind.DECISION, "decision:1", "XXABC2600001"),
        node(Kind.DECISION, "decision:2", "XXABC2600002"),
        node(Kind.DATASET, "sha256:da7a", "decision:1", "decision:2"),
        node(Kind.RUN, "run:1", "sha256:da7a"),
        node(Kind.MODEL, "sha256:m0de1", "run:1"),
        node(Kind.CLIP, "sha256:c11b", "sha256:m0de1", "XXABC2600001"),
        node(Kind.USAGE, "usage:1", "sha256:c11b"),
        node(Kind.TRANSFER, "transfer:1", "usage:1"),
        node(Kind.TRANSFER, "transfer:2", "usage:1"),
        node(Kind.STATEMENT, "statement:1", "transfer:1"));
  }

  private static Node node(Kind kind, String id, String... parents) {
    return new Node(Artefact.of(kind, id, Map.of("name", id)), Set.of(parents));
  }

  @Test
  void aClipLeadsToItsRecordingsAndToItsMoney() {
    Trace trace = lineage.trace("sha256:c11b");
    assertThat(trace.subject().kind()).isEqualTo(Kind.CLIP);
    assertThat(trace.truncated()).isFalse();
    assertThat(trace.ancestors())
        .extracting(step -> step.depth() + " " + step.artefact().id())
        .containsExactly(
            "1 sha256:m0de1",
            "1 XXABC2600001",
            "2 run:1",
            "3 sha256:da7a",
            "4 decision:1",
            "4 decision:2",
            "5 XXABC2600002");
    assertThat(trace.descendants())
        .extracting(step -> step.depth() + " " + step.artefact().id())
        .containsExactly("1 usage:1", "2 transfer:1", "2 transfer:2", "3 statement:1");
    assertThat(trace.descendants().get(2).via()).containsExactly("usage:1");
  }

  @Test
  void aRecordingLeadsToEveryPayment() {
    assertThat(lineage.trace("XXABC2600002").descendants())
        .extracting(step -> step.artefact().id())
        .contains("sha256:c11b", "transfer:2", "statement:1");
  }

  @Test
  void theSameAgainChangesNothingAndADifferentThingUnderTheIdIsRefused() {
    lineage.record(thread());
    assertThat(lineage.trace("sha256:c11b").ancestors()).hasSize(7);
    for (Node changed :
        List.of(
            node(Kind.MODEL, "run:1", "sha256:da7a"),
            node(Kind.RUN, "run:1"),
            new Node(Artefact.of(Kind.RUN, "run:1", Map.of("steps", 1)), Set.of("sha256:da7a")))) {
      assertThatThrownBy(() -> lineage.record(List.of(changed)))
          .isInstanceOf(ProvenanceException.class)
          .hasMessageContaining("run:1 is recorded already");
    }
  }

  @Test
  void aParentMustBeThereFirstAndNothingIsHalfRecorded() {
    assertThatThrownBy(() ->
            lineage.record(
                List.of(node(Kind.CLIP, "clip:x"), node(Kind.USAGE, "usage:x", "clip:none"))))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("clip:none");
    assertThat(lineage.find("clip:x")).isEmpty();
    assertThatThrownBy(() -> node(Kind.CLIP, "clip:y", "clip:y"))
        .isInstanceOf(ProvenanceException.class);
  }

  @Test
  void aPrefixFindsTheOneArtefactOrNamesTheSeveral() {
    assertThat(lineage.resolve("sha256:c1").id()).isEqualTo("sha256:c11b");
    assertThat(lineage.startingWith("XXABC26")).hasSize(2);
    assertThatThrownBy(() -> lineage.resolve("XXABC26"))
        .hasMessageContaining("XXABC2600001, XXABC2600002");
    assertThatThrownBy(() -> lineage.resolve("nothing"))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("nothing");
    assertThat(lineage.startingWith("%%%")).isEmpty();
    assertThat(lineage.startingWith("X_A")).isEmpty();
  }

  @Test
  void limitsCutALongThreadAndSaySo() {
    var chain = new ArrayList<Node>();
    for (int i = 0; i < 100; i++) {
      chain.add(
          i == 0 ? node(Kind.RUN, "chain:0") : node(Kind.RUN, "chain:" + i, "chain:" + (i - 1)));
    }
    lineage.record(chain);
    Trace trace = lineage.trace("chain:99");
    assertThat(trace.ancestors()).hasSize(Lineage.DEPTH_MAX);
    assertThat(trace.truncated()).isTrue();
    assertThat(lineage.trace("chain:5", 100, 3).truncated()).isTrue();
    assertThat(lineage.trace("chain:5", 100, 99).truncated()).isFalse();
  }

  @Test
  void factsKeepNoOrderOfKeysAndNothingIsUpdated() {
    assertThat(new Artefact(Kind.RUN, "r", "{\"b\": 1, \"a\": [2, {\"d\":1,\"c\":2}]}").facts())
        .isEqualTo("{\"a\":[2,{\"c\":2,\"d\":1}],\"b\":1}");
    assertThatThrownBy(() -> new Artefact(Kind.RUN, "r", "[1]"))
        .isInstanceOf(ProvenanceException.class);
    assertThatThrownBy(() -> new Artefact(Kind.RUN, "", "{}"))
        .isInstanceOf(ProvenanceException.class);
    assertThatThrownBy(() ->
            database.jdbi().useHandle(handle -> handle.execute("delete from provenance.edge")))
        .hasMessageContaining("append-only");
  }
}
