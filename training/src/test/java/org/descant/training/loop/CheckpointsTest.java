package org.descant.training.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Map;
import org.descant.lab.RunEvent;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
  @TempDir Path run;

  private Checkpoints write(int keep, int... steps) {
    var checkpoints = new Checkpoints(run, 10, keep);
    try (Scope scope = Scope.open()) {
      for (int step : steps) {
        checkpoints.write(content(step, 2), aside -> {});
      }
    }
    return checkpoints;
  }

  private static Checkpoints.Content content(int step, float value) {
    return new Checkpoints.Content(
        step,
        "codec",
        Map.of("weight", Tensor.of(new float[] {step, value}, 2)),
        Map.of("step", Integer.toString(step)),
        Map.of("moment", Tensor.of(new float[] {3}, 1)),
        Map.of("number", 0.1 * step),
        "{}");
  }

  @Test
  void theNewestStayAndComeBackWhole() throws Exception {
    Checkpoints checkpoints = write(2, 10, 20, 30);
    try (var children = Files.list(run.resolve("checkpoints"))) {
      assertThat(children.map(c -> c.getFileName().toString()))
          .containsExactlyInAnyOrder("00000020", "00000030");
    }
    Checkpoints.Saved saved = checkpoints.latest().orElseThrow();
    assertThat(saved.facts().step()).isEqualTo(30);
    assertThat(saved.facts().stage()).isEqualTo("codec");
    assertThat(saved.facts().numbers()).isEqualTo(Map.of("number", 0.1 * 30));
  }

  @Test
  void aDamagedOrHalfWrittenOneIsPassedOver() throws Exception {
    Checkpoints checkpoints = write(2, 10, 20);
    Path model = run.resolve("checkpoints/00000020/model.safetensors");
    byte[] bytes = Files.readAllBytes(model);
    bytes[bytes.length - 1] ^= 1;
    Files.write(model, bytes);
    Files.createDirectories(run.resolve("checkpoints/00000030.tmp"));
    assertThat(checkpoints.latest().orElseThrow().facts().step()).isEqualTo(10);
    Files.delete(run.resolve("checkpoints/00000010/state.json"));
    assertThat(checkpoints.latest()).isEmpty();
    write(2, 30);
    assertThat(checkpoints.latest().orElseThrow().facts().step()).isEqualTo(30);
  }

  @Test
  void theNewestRegularOneStaysBesideThoseOfStops() throws Exception {
    Checkpoints checkpoints = write(1, 10, 20, 23, 26);
    try (var children = Files.list(run.resolve("checkpoints"))) {
      assertThat(children.map(c -> c.getFileName().toString()))
          .containsExactlyInAnyOrder("00000020", "00000026");
    }
    assertThat(checkpoints.latest().orElseThrow().facts().step()).isEqualTo(26);
    assertThat(checkpoints.regularBefore("codec", 26).orElseThrow().facts().step()).isEqualTo(20);
    assertThat(checkpoints.regularBefore("codec", 20)).isEmpty();
    assertThat(checkpoints.regularBefore("lm", 26)).isEmpty();
  }

  @Test
  void aReplacementLeavesNoMomentWithoutACheckpoint() throws Exception {
    Checkpoints checkpoints = write(1, 10);
    Path folder = run.resolve("checkpoints");
    // What a process leaves that is killed between the two renames.
    Files.move(folder.resolve("00000010"), folder.resolve("00000010.old"));
    Files.createDirectories(folder.resolve("00000010.tmp"));
    assertThat(checkpoints.latest().orElseThrow().facts().step()).isEqualTo(10);
    try (Scope scope = Scope.open()) {
      checkpoints.write(content(10, 5), aside -> {});
    }
    try (var children = Files.list(folder)) {
      assertThat(children.map(c -> c.getFileName().toString())).containsExactly("00000010");
    }
    try (Safetensors saved =
            Safetensors.open(folder.resolve("00000010").resolve(Checkpoints.MODEL));
        Scope scope = Scope.open()) {
      assertThat(saved.tensor("weight").toFloats()).containsExactly(10, 5);
    }
  }

  @Test
  void theWriterCopiesAndTellsOfBothEndsInOrder() throws Exception {
    var events = Collections.synchronizedList(new ArrayList<RunEvent>());
    var checkpoints = new Checkpoints(run, 10, 3);
    try (var writer = new CheckpointWriter(checkpoints, events::add);
        Scope scope = Scope.open()) {
      Tensor weight = Tensor.of(new float[] {1, 2}, 2);
      for (int step : new int[] {10, 20}) {
        writer.submit(
            new Checkpoints.Content(
                step,
                "codec",
                Map.of("weight", weight),
                Map.of(),
                step == 10 ? Map.of("extra", weight) : Map.of(),
                Map.of(),
                "{}"));
        weight.fill(step); // the copy was taken before
      }
      writer.await();
    }
    assertThat(events.stream().map(e -> e.event() + " " + e.step()))
        .containsExactly(
            "checkpoint.open 10",
            "checkpoint.renamed 10",
            "checkpoint.open 20",
            "checkpoint.renamed 20");
    for (int step : new int[] {10, 20}) {
      Path path = run.resolve("checkpoints").resolve("%08d".formatted(step));
      try (Safetensors model = Safetensors.open(path.resolve(Checkpoints.MODEL));
          Safetensors state = Safetensors.open(path.resolve(Checkpoints.STATE));
          Scope scope = Scope.open()) {
        assertThat(model.tensor("weight").toFloats())
            .containsExactly(step == 10 ? 1 : 10, step == 10 ? 2 : 10);
        assertThat(state.contains("extra")).isEqualTo(step == 10);
      }
    }
  }

  @Test
  void aCheckpointThatCannotBeWrittenIsToldAtTheNextLook() throws Exception {
    Files.writeString(run.resolve("checkpoints"), "in the way");
    try (var writer = new CheckpointWriter(new Checkpoints(run, 10, 3), event -> {});
        Scope scope = Scope.open()) {
      writer.submit(content(10, 1));
      assertThatThrownBy(writer::await)
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("00000010");
      writer.await();
    }
  }
}
