package org.descant.training.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnloggedTest {
  @TempDir Path run;

  private static MetricLine line(long step) {
    return new MetricLine("lm", step, Map.of("loss", 1.0 / step));
  }

  @Test
  void theLastLinesOfKeptStepsAreTakenOnce() {
    var unlogged = new Unlogged();
    for (long step = 1; step <= 20; step++) {
      unlogged.log(line(step));
    }
    unlogged.write(run, 1);
    assertThat(Unlogged.take(run, 15).metrics()).containsExactly(line(13), line(14), line(15));
    assertThat(Unlogged.take(run, 20).metrics()).isEmpty();
  }

  @Test
  void onlyEventsThatTheRunDoesNotKnowAreTaken() {
    try (RunFolder folder = RunFolder.openForWriting(run)) {
      folder.event(skipped(3));
    }
    var unlogged = new Unlogged();
    unlogged.event(skipped(3));
    unlogged.event(skipped(5));
    unlogged.write(run, 1);
    new Unlogged().write(run, 2);
    assertThat(Unlogged.take(run, 4).events())
        .extracting(RunEvent::event, RunEvent::stage, RunEvent::step)
        .containsExactly(tuple("guard.skipped", "lm", 5L));
    assertThat(Unlogged.take(run, 4).events()).isEmpty();
  }

  private static RunEvent skipped(long step) {
    return new RunEvent("guard.skipped", "lm", step, Map.of("first", step, "last", step));
  }

  @Test
  void aRunWithoutRanksHasNone() {
    assertThat(Unlogged.take(run, 9).metrics()).isEmpty();
  }

  @Test
  void aBrokenFileIsNamed() throws Exception {
    new Unlogged().write(run, 0);
    Files.writeString(run.resolve("ranks/0/unlogged.json"), "[{");
    assertThatThrownBy(() -> Unlogged.take(run, 9))
        .isInstanceOf(ParallelException.class)
        .hasMessageContaining("cannot read what ranks left");
  }
}
