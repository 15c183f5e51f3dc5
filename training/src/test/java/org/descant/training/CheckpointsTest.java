package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
  @TempDir Path run;

  private Checkpoints write(int keep, int... steps) {
    var checkpoints = new Checkpoints(run, keep);
    try (Scope scope = Scope.open()) {
      for (int step : steps) {
        checkpoints.write(
            step,
            "codec",
            Map.of("weight", Tensor.of(new float[] {step, 2}, 2)),
            Map.of("step", Integer.toString(step)),
            Map.of("moment", Tensor.of(new float[] {3}, 1)),
            Map.of("number", 0.1 * step),
            "{}");
      }
    }
    return checkpoints;
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
  void theCodeHasOneNameWhereverItLies() throws Exception {
    String name = CodeTree.of(List.of(Checkpoints.class));
    assertThat(name).matches("[0-9a-f]{64}").isEqualTo(CodeTree.of(List.of(Checkpoints.class)));
    assertThat(CodeTree.of(List.of(Checkpoints.class, Tensor.class))).isNotEqualTo(name);
  }
}
