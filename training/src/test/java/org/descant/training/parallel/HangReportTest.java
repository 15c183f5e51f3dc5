package org.descant.training.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.descant.tensor.DType;
import org.descant.training.parallel.CollectiveRing.State;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HangReportTest {
  @TempDir Path run;

  /** A ring of three that has seen operations 1 to last, the last of them in this state. */
  private static CollectiveRing ring(int last, boolean ended) {
    var ring = new CollectiveRing(3);
    for (int number = 1; number <= last; number++) {
      ring.start(number, "allReduce", "gradients", DType.F32, 325_000, 10 + number);
      if (number < last || ended) {
        ring.end(number, true);
      }
    }
    return ring;
  }

  private void dump(int rank, int size, int generation, CollectiveRing ring) throws Exception {
    new RankDump(
            RankDump.VERSION,
            rank,
            size,
            generation,
            "node",
            100 + rank,
            "test",
            Instant.now(),
            20,
            List.of("java.lang.Thread.sleep0(Native Method)", "org.example.Loop.step(Loop.java:7)"),
            ring.entries())
        .write(run);
  }

  @Test
  void aRingKeepsTheLastOperationsAndTheirEnds() {
    CollectiveRing ring = ring(5, false);
    assertThat(ring.entries()).extracting(CollectiveRing.Entry::number).containsExactly(3L, 4L, 5L);
    assertThat(ring.entries())
        .extracting(CollectiveRing.Entry::state)
        .containsExactly(State.ENDED, State.ENDED, State.STARTED);
    assertThat(ring.entries().getLast().bytes()).isEqualTo(1_300_000);
    assertThat(ring.entries().getLast().endedAt()).isNull();
    ring.end(5, false);
    assertThat(ring.entries().getLast().state()).isEqualTo(State.FAILED);
    ring.end(1, false); // long forgotten
    assertThat(ring.entries()).hasSize(3);
  }

  @Test
  void namesTheRankThatNeverCame() throws Exception {
    dump(0, 3, 1, ring(57, false));
    dump(1, 3, 1, ring(56, true));
    dump(2, 3, 1, ring(57, false));
    HangReport report = HangReport.of(run);
    assertThat(report.found()).isTrue();
    assertThat(report.number()).isEqualTo(57);
    assertThat(report.missing()).containsExactly(1);
    assertThat(report.waiting()).containsExactly(0, 2);
    assertThat(report.sentences().getFirst())
        .startsWith(
            "rank 1 never entered allReduce #57 (gradients, 1.3 MB, step 67); ranks 0, 2 wait"
                + " since ");
    assertThat(report.sentences().get(1))
        .contains("its last was allReduce #56", "ended", "Thread.sleep0");
  }

  @Test
  void aRankWithoutARingIsMissing() throws Exception {
    dump(0, 2, 0, ring(2, false));
    HangReport report = HangReport.of(run);
    assertThat(report.missing()).containsExactly(1);
    assertThat(String.join(" ", report.sentences())).contains("rank 1 left no ring");
  }

  @Test
  void onlyTheLastGenerationCounts() throws Exception {
    dump(0, 2, 2, ring(4, true));
    dump(1, 2, 1, ring(9, false));
    HangReport report = HangReport.of(run);
    assertThat(report.found()).isFalse();
    assertThat(report.sentences().getFirst()).contains("but rank 1 left no ring");
  }

  @Test
  void ranksOnDifferentPathsAreTold() throws Exception {
    dump(0, 2, 0, ring(4, false));
    var other = new CollectiveRing(3);
    other.start(4, "broadcast", "weights", DType.F32, 10, 14);
    dump(1, 2, 0, other);
    HangReport report = HangReport.of(run);
    assertThat(report.sentences().getFirst())
        .contains(
            "different paths",
            "#4 is allReduce of 325000 × F32 on one rank and broadcast of 10 × F32");
  }

  @Test
  void everybodyInTheSameOperationIsTheNetworksFault() throws Exception {
    dump(0, 2, 0, ring(4, false));
    dump(1, 2, 0, ring(4, false));
    HangReport report = HangReport.of(run);
    assertThat(report.missing()).isEmpty();
    assertThat(report.sentences().getFirst()).startsWith("Every rank entered allReduce #4");
  }

  @Test
  void aRunWithoutRingsAndABrokenRingAreRefused() throws Exception {
    assertThatThrownBy(() -> HangReport.of(run))
        .isInstanceOf(ParallelException.class)
        .hasMessageContaining("holds no rings");
    Path file = RankDump.file(run, 0);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "{\"version\": 1, \"rank\"");
    assertThatThrownBy(() -> HangReport.of(run))
        .isInstanceOf(ParallelException.class)
        .hasMessageContaining("cannot read");
    dump(0, 1, 0, ring(1, true));
    Files.writeString(
        file, Files.readString(file).replaceFirst("\"version\" : 1", "\"version\" : 9"));
    assertThatThrownBy(() -> HangReport.of(run)).hasMessageContaining("has format 9");
  }
}
