package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.Span;
import org.descant.lab.TraceSummary;
import org.descant.shards.Dataset;
import org.descant.tensor.Precision;
import org.descant.tensor.Profiler;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplayTest {
  @TempDir static Path shared;
  private static Path dataset;
  private static Path recorded;

  @TempDir Path home;

  @BeforeAll
  static void train() {
    dataset = Small.dataset(shared.resolve("dataset"));
    recorded = shared.resolve("recorded");
    try (Dataset opened = Dataset.open(dataset)) {
      Trainer.run(Small.recipe(), opened, recorded, Progress.NONE);
    }
  }

  private Path tampered(String file, String from, String to) throws Exception {
    Path copy = home.resolve("tampered");
    try (var tree = Files.walk(recorded)) {
      for (Path source : tree.toList()) {
        Files.copy(source, copy.resolve(recorded.relativize(source).toString()));
      }
    }
    String text = Files.readString(copy.resolve(file));
    assertThat(text).containsPattern(from);
    Files.writeString(copy.resolve(file), text.replaceFirst(from, to));
    return copy;
  }

  @Test
  void theSameRecordGivesTheSameBits() {
    try (Dataset opened = Dataset.open(dataset)) {
      assertThat(Replay.cautions(RunFolder.record(recorded))).isEmpty();
      Replay.Outcome outcome =
          Replay.run(recorded, opened, home.resolve("replay"), 0, Progress.NONE);
      assertThat(outcome.difference()).isNull();
      assertThat(outcome.sameModel()).isTrue();
      assertThat(outcome.agrees()).isTrue();
      assertThat(outcome.lastStep()).isEqualTo(40);
      assertThat(outcome.values()).isGreaterThan(50);
      assertThatThrownBy(
              () -> Replay.run(recorded, opened, home.resolve("replay"), 0, Progress.NONE))
          .hasMessageContaining("needs a new folder");
    }
  }

  @Test
  void aFewStepsAreEnoughToCompareMetrics() {
    try (Dataset opened = Dataset.open(dataset)) {
      Path scratch = home.resolve("replay");
      Replay.Outcome outcome = Replay.run(recorded, opened, scratch, 6, Progress.NONE);
      assertThat(outcome.agrees()).isTrue();
      assertThat(outcome.sameModel()).isNull();
      assertThat(outcome.lastStep()).isEqualTo(6);
      assertThat(RunFolder.record(scratch).step()).isLessThan(20);
      assertThatThrownBy(() -> Replay.run(home.resolve("x"), opened, scratch, 1, Progress.NONE))
          .hasMessageContaining("not a run folder");
    }
  }

  @Test
  void theFirstValueThatDiffersIsNamedAndEndsTheReplay() throws Exception {
    Path run = tampered("metrics.jsonl", "(\"step\":6,\"loss\":[0-9.]*?)[0-9]{3},", "$1777,");
    try (Dataset opened = Dataset.open(dataset)) {
      Path scratch = home.resolve("replay");
      Replay.Outcome outcome = Replay.run(run, opened, scratch, 0, Progress.NONE);
      assertThat(outcome.agrees()).isFalse();
      assertThat(outcome.difference().step()).isEqualTo(6);
      assertThat(outcome.difference().metric()).isEqualTo("loss");
      assertThat(outcome.difference().toString()).contains("step 6 (codec): loss was");
      assertThat(RunFolder.record(scratch).step()).isLessThan(20);
    }
  }

  @Test
  void anotherTreeProcessorOrDatasetIsSaidBeforehand() throws Exception {
    RunRecord record = RunFolder.record(recorded);
    RunRecord other =
        new RunRecord(
            record.version(),
            record.id(),
            record.recipe(),
            record.recipeHash(),
            record.effectiveRecipe(),
            record.dataset(),
            "00".repeat(32),
            record.seed(),
            "ab".repeat(32),
            Map.of("libtorch", "1.0", "java", Runtime.version().toString()),
            "another CPU",
            record.threads(),
            record.status(),
            record.startedAt(),
            record.finishedAt(),
            record.step(),
            record.steps(),
            record.facts());
    List<String> cautions = Replay.cautions(other);
    assertThat(cautions).hasSize(3);
    assertThat(cautions.get(0)).contains("tree abababababab then");
    assertThat(cautions.get(1)).contains("another CPU then");
    assertThat(cautions.get(2)).contains("libtorch is another: 1.0 then");
    Path folder = home.resolve("other");
    try (RunFolder run = RunFolder.openForWriting(folder)) {
      run.save(other);
    }
    try (Dataset opened = Dataset.open(dataset)) {
      assertThatThrownBy(() -> Replay.run(folder, opened, home.resolve("replay"), 0, Progress.NONE))
          .hasMessageContaining("000000000000");
    }
  }

  @Test
  void someStepsOfAnyStageAreRecorded() {
    Assumptions.assumeTrue(Profiler.unavailable().isEmpty());
    try (Dataset opened = Dataset.open(dataset)) {
      for (Profile.Stage stage : Profile.Stage.values()) {
        Path trace = home.resolve(stage + ".json");
        Profile.Recorded profile =
            Profile.record(
                stage == Profile.Stage.FLOW ? Small.flowRecipe() : Small.recipe(),
                opened,
                stage,
                2,
                home.resolve("run" + stage),
                trace);
        assertThat(profile.precision()).isEqualTo(Precision.FP32);
        TraceSummary summary = TraceSummary.read(trace);
        assertThat(summary.ranges())
            .extracting(TraceSummary.Range::name)
            .contains("step 1", "step 2", "forward", "backward", "clip", "optimizer")
            .doesNotContain("step 3");
        assertThat(summary.ranges().stream().filter(range -> range.name().equals("backward")))
            .first()
            .extracting(TraceSummary.Range::calls)
            .isEqualTo(2L);
        assertThat(summary.flops()).isPositive();
        assertThat(Span.totals(profile.flight()))
            .extracting(TraceSummary.Range::name)
            .contains("descant.TrainStep " + stage.name().toLowerCase(java.util.Locale.ROOT));
      }
      assertThatThrownBy(() ->
              Profile.record(
                  Small.recipe(),
                  opened,
                  Profile.Stage.LM,
                  0,
                  home.resolve("none"),
                  home.resolve("none.json")))
          .hasMessageContaining("1 to 100");
      assertThatThrownBy(() ->
              Profile.record(
                  Small.flowRecipe(),
                  opened,
                  Profile.Stage.LM,
                  2,
                  home.resolve("none"),
                  home.resolve("none.json")))
          .hasMessageContaining("the stages codec and flow");
    }
  }
}
