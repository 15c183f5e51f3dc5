package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ProfilerTest {
  @TempDir Path folder;

  @BeforeEach
  void theLibraryHasAProfiler() {
    NativeRuntime.init(1);
    assumeThat(Profiler.unavailable()).isEmpty();
  }

  private static void step() {
    try (Scope scope = Scope.open()) {
      Tensor weight = Tensor.ones(6, 5).requiresGrad(true);
      Tensor loss;
      try (Autocast autocast = Autocast.open(Precision.FP32)) {
        loss = Tensor.ones(4, 5).linear(weight).sum();
      }
      loss.backward();
    }
  }

  @Test
  void aTraceHoldsOperatorsWithTheirShapesInsideNamedRanges() {
    Path trace = folder.resolve("trace.json");
    step();
    try (Profiler profiler = Profiler.start()) {
      try (Profiler.Range range = Profiler.range("my step")) {
        step();
      }
      profiler.stop(trace);
      assertThatThrownBy(() -> profiler.stop(trace)).hasMessageContaining("ended already");
    }
    step();
    List<String> names = new ArrayList<>();
    List<String> shapes = new ArrayList<>();
    JsonNode events = new JsonMapper().readTree(trace.toFile()).get("traceEvents");
    for (JsonNode event : events) {
      if (event.path("ph").asString("").equals("X")) {
        names.add(event.path("name").asString(""));
        if (event.path("name").asString("").equals("aten::linear")) {
          shapes.add(event.path("args").path("Input Dims").toString());
        }
      }
    }
    assertThat(names).contains("my step", "forward", "backward", "aten::linear", "aten::mm");
    assertThat(shapes).containsExactly("[[4,5],[6,5],[]]");
    assertThat(folder.resolve("trace.json.tmp")).doesNotExist();
  }

  @Test
  void thereIsOneRecordingAtATimeAndItEndsOnItsThread() throws Exception {
    try (Profiler profiler = Profiler.start()) {
      assertThatThrownBy(Profiler::start).hasMessageContaining("under way");
      var failure = new Throwable[1];
      Thread other =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  profiler.close();
                } catch (TensorException e) {
                  failure[0] = e;
                }
              });
      other.join();
      assertThat(failure[0]).hasMessageContaining("the thread that started it");
    }
    Profiler.start().close();
  }

  @Test
  void rangesWithoutARecordingAreFree() {
    assertThat(Profiler.range("a")).isSameAs(Profiler.range("b"));
    if (!Device.cuda(0).isAvailable()) {
      assertThatThrownBy(Profiler::nvtx).isInstanceOf(TensorException.class);
    }
  }
}
