package org.descant.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceSummaryTest {
  @TempDir Path folder;

  private final List<String> events = new ArrayList<>();

  private void event(
      String category, String name, int thread, double start, double duration, String args) {
    events.add(
        """
        {"ph":"X","cat":"%s","name":"%s","tid":%d,"ts":%s,"dur":%s,"args":{%s}}\
        """
            .formatted(category, name, thread, start, duration, args));
  }

  private void operator(String name, double start, double duration, String shapes) {
    event("cpu_op", name, 1, start, duration, "\"Input Dims\":" + shapes);
  }

  private TraceSummary summary() throws Exception {
    Path trace = folder.resolve("trace.json");
    Files.writeString(trace, "{\"traceEvents\":[" + String.join(",", events) + "]}");
    return TraceSummary.read(trace);
  }

  private static TraceSummary.Operator named(TraceSummary summary, String name) {
    return summary.operators().stream()
        .filter(o -> o.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void timeIsTheOperatorsOwnAndRangesHaveAllOfIt() throws Exception {
    event("user_annotation", "forward", 1, 0, 100, "");
    operator("aten::linear", 10, 50, "[[4,8],[16,8],[]]");
    operator("aten::mm", 20, 30, "[[4,8],[8,16]]");
    operator("aten::mm", 70, 20, "[[4,8],[8,16]]");
    // The same moment on another thread is not inside.
    event("cpu_op", "aten::relu", 2, 20, 5, "");
    events.add("{\"ph\":\"i\",\"cat\":\"cpu_op\",\"name\":\"marker\"}");
    events.add(
        "{\"ph\":\"X\",\"cat\":\"Trace\",\"name\":\"all\",\"tid\":\"x\",\"ts\":0,\"dur\":9}");
    TraceSummary summary = summary();
    assertThat(summary.operators())
        .extracting(TraceSummary.Operator::name)
        .containsExactly("aten::mm", "aten::linear", "aten::relu");
    assertThat(named(summary, "aten::mm").seconds()).isCloseTo(50e-6, within(1e-12));
    assertThat(named(summary, "aten::linear").seconds()).isCloseTo(20e-6, within(1e-12));
    assertThat(summary.outsideSeconds()).isCloseTo(30e-6, within(1e-12));
    assertThat(summary.ranges()).containsExactly(new TraceSummary.Range("forward", 1, 100e-6));
    assertThat(summary.seconds()).isCloseTo(105e-6, within(1e-12));
    assertThat(summary.flops()).isEqualTo(2 * 2 * 4 * 8 * 16);
    assertThat(named(summary, "aten::mm").flopsPerSecond()).isCloseTo(2048 / 50e-6, within(1.0));
  }

  @Test
  void arithmeticFollowsFromTheShapes() throws Exception {
    operator("aten::bmm", 0, 1, "[[3,4,5],[3,5,6]]");
    operator("aten::addmm", 1, 1, "[[7],[4,5],[5,7],[],[]]");
    operator("aten::convolution_backward", 2, 1, "[[2,6,10],[2,4,12],[6,2,3]]");
    operator("aten::add", 3, 1, "[[4,5],[4,5]]");
    operator("aten::mm", 4, 1, "[[],[]]");
    TraceSummary summary = summary();
    assertThat(named(summary, "aten::bmm").flops()).isEqualTo(2 * 3 * 4 * 5 * 6);
    assertThat(named(summary, "aten::addmm").flops()).isEqualTo(2 * 4 * 5 * 7);
    assertThat(named(summary, "aten::convolution_backward").flops())
        .isEqualTo(4 * (2 * 6 * 10) * (2 * 3));
    assertThat(named(summary, "aten::add").flops()).isZero();
    assertThat(named(summary, "aten::mm").flops()).isZero();
  }

  @Test
  void aConvolutionCountsItsOutputs() throws Exception {
    event(
        "cpu_op",
        "aten::mkldnn_convolution",
        1,
        0,
        1,
        "\"Input Dims\":[[2,4,21],[6,2,3],[6],[],[],[],[]],"
            + "\"Concrete Inputs\":[\"\",\"\",\"\",\"[1]\",\"[2]\",\"[2]\",\"2\"]");
    // (21 + 2 − 5) / 2 + 1 = 10 outputs of a kernel that spans 5
    assertThat(named(summary(), "aten::mkldnn_convolution").flops())
        .isEqualTo(2 * (2 * 6 * 10) * (2 * 3));
  }

  @Test
  void aProductInsideAProductCountsOnce() throws Exception {
    operator("aten::baddbmm", 0, 10, "[[1],[3,4,5],[3,5,6]]");
    operator("aten::baddbmm", 2, 6, "[[1],[3,4,5],[3,5,6]]");
    TraceSummary.Operator both = named(summary(), "aten::baddbmm");
    assertThat(both.calls()).isEqualTo(2);
    assertThat(both.flops()).isEqualTo(2 * 3 * 4 * 5 * 6);
    assertThat(both.seconds()).isCloseTo(10e-6, within(1e-12));
  }

  @Test
  void aFileThatIsNoTraceIsNamed() throws Exception {
    Path file = Files.writeString(folder.resolve("other.json"), "{\"a\":1}");
    assertThatThrownBy(() -> TraceSummary.read(file))
        .isInstanceOf(LabException.class)
        .hasMessageContaining("other.json is no Chrome trace");
    assertThatThrownBy(() -> TraceSummary.read(folder.resolve("none")))
        .isInstanceOf(LabException.class);
  }
}
