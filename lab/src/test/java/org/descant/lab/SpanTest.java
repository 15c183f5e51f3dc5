package org.descant.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpanTest {
  @TempDir Path folder;

  @Test
  void spansAreEventsWithStageAndStep() throws Exception {
    Path file = folder.resolve("run.jfr");
    try (Recording recording = new Recording()) {
      recording.enable(Span.TRAIN_STEP).withThreshold(java.time.Duration.ZERO);
      recording.enable(Span.CHECKPOINT).withThreshold(java.time.Duration.ZERO);
      recording.enable(Span.DATA_WAIT).withThreshold(java.time.Duration.ZERO);
      recording.start();
      for (int step = 7; step <= 8; step++) {
        try (Span span = Span.trainStep("lm", step);
            Span wait = Span.dataWait("lm", step)) {
          assertThat(span).isNotEqualTo(wait);
        }
      }
      try (Span span = Span.checkpoint("codec", 8)) {
        assertThat(span).isNotNull();
      }
      recording.stop();
      recording.dump(file);
    }
    assertThat(Span.totals(file))
        .extracting(TraceSummary.Range::name, TraceSummary.Range::calls)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("descant.Checkpoint codec", 1L),
            org.assertj.core.groups.Tuple.tuple("descant.DataWait lm", 2L),
            org.assertj.core.groups.Tuple.tuple("descant.TrainStep lm", 2L));
    assertThat(
            RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals(Span.TRAIN_STEP))
                .map((RecordedEvent event) -> event.getLong("step")))
        .containsExactlyInAnyOrder(7L, 8L);
    assertThatThrownBy(() -> Span.totals(folder.resolve("none"))).isInstanceOf(LabException.class);
  }
}
