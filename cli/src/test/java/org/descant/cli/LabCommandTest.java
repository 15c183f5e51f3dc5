package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.cli.platform.Exit;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class LabCommandTest {
  @TempDir Path home;

  private String out = "";
  private String err = "";

  @BeforeEach
  void twoRuns() {
    run("a", 1, 0);
    run("b", 2, 0.25);
  }

  private void run(String name, long seed, double more) {
    try (var run = RunFolder.openForWriting(home.resolve("runs").resolve(name))) {
      run.save(
          new RunRecord(
              RunRecord.VERSION,
              name,
              "house-tiny",
              "ab".repeat(32),
              Map.of("steps", 3, "seed", seed),
              "demo",
              "cd".repeat(32),
              seed,
              "ef".repeat(32),
              Map.of("libtorch", "2.10.0"),
              "some CPU",
              1,
              RunStatus.FINISHED,
              Instant.parse("2026-01-02T03:04:05Z"),
              null,
              3,
              3,
              Map.of()));
      for (int step = 1; step <= 40; step++) {
        run.log(
            new MetricLine(
                "lm",
                step,
                Map.of("loss", 5.0 / step + (step > 7 ? more : 0), "dataWait", 0.01 * step)));
      }
    }
  }

  private int descant(String... arguments) {
    var all = new ArrayList<>(List.of("--home", home.toString()));
    all.addAll(List.of(arguments));
    Answer answer = Answer.to(all.toArray(String[]::new));
    out = answer.out();
    err = answer.err();
    return answer.status();
  }

  @Test
  void comparePutsCurvesAndDifferencesSideBySide() {
    Path png = home.resolve("both.png");
    assertThat(descant("lab", "compare", "a", "b", "--png", png.toString())).as(err).isZero();
    assertThat(out)
        .containsPattern("effectiveRecipe.seed +1  \\|  2")
        .contains("lm/loss: first different at step 8")
        .containsPattern("step +1 +5\\.0+ +5\\.0+ +\\+0\\.0+")
        .containsPattern("step +40 +0\\.125000 +0\\.375000 +\\+0\\.250000")
        .doesNotContain("dataWait");
    assertThat(out.lines().filter(line -> line.startsWith("  step"))).hasSize(10);
    assertThat(png).isNotEmptyFile();
    assertThat(descant("lab", "compare", "a", "b", "--metric", "dataWait")).isZero();
    assertThat(out).contains("lm/dataWait: the same bits").doesNotContain("lm/loss");
  }

  @Test
  void compareAsADocumentHasEveryPair() {
    assertThat(descant("--json", "lab", "compare", "a", "b")).isZero();
    JsonNode document = new JsonMapper().readTree(out);
    assertThat(document.path("pairs").valueStream().map(pair -> pair.path("name").asString()))
        .containsExactlyInAnyOrder("lm/loss", "lm/dataWait");
  }

  @Test
  void showDrawsTheLosses() {
    Path png = home.resolve("a.png");
    assertThat(descant("lab", "show", "a", "--png", png.toString())).isZero();
    assertThat(png).isNotEmptyFile();
  }

  @Test
  void replayAndProfileSayWhatIsMissing() {
    assertThat(descant("lab", "replay", "a")).isEqualTo(Exit.BAD_INPUT);
    assertThat(err).contains("no dataset with the root cdcd");
    assertThat(out).contains("the processor is another: some CPU then");
    assertThat(descant("lab", "replay", "nobody")).isEqualTo(Exit.BAD_INPUT);
    assertThat(err).contains("not a run folder");
    assertThat(descant("lab", "replay", "a", "--steps", "-1")).isEqualTo(Exit.BAD_INPUT);
    assertThat(descant("lab", "profile", "house-tiny")).isEqualTo(Exit.BAD_INPUT);
    assertThat(err).contains("no dataset");
    assertThat(descant("lab", "profile", "nothing")).isEqualTo(Exit.BAD_INPUT);
    assertThat(err).contains("there is no recipe 'nothing'");
    assertThat(Files.exists(home.resolve("scratch"))).isFalse();
  }
}
