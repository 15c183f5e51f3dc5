package org.descant.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/**
 * A stretch of a run as an event of the JDK's flight recorder, which shows it on the time line
 * beside garbage collections, locks and files:
 *
 * <pre>{@code
 * try (Span span = Span.checkpoint("lm", 200)) {
 *   …
 * }
 * }</pre>
 *
 * <p>Costs some nanoseconds while nobody records. Record with {@code descant lab profile}, or with
 * {@code JAVA_TOOL_OPTIONS=-XX:StartFlightRecorder:filename=run.jfr}. A span belongs to the thread
 * that opened it.
 */
public final class Span implements AutoCloseable {
  /** Names of the events in a recording. */
  public static final String TRAIN_STEP = "descant.TrainStep";

  public static final String DATA_WAIT = "descant.DataWait";
  public static final String CHECKPOINT = "descant.Checkpoint";

  private static final Set<String> NAMES = Set.of(TRAIN_STEP, DATA_WAIT, CHECKPOINT);

  private final OfRun event;

  private Span(OfRun event, String stage, long step) {
    this.event = event;
    event.stage = stage;
    event.step = step;
    event.begin();
  }

  /** One training step, from the end of the one before. */
  public static Span trainStep(String stage, long step) {
    return new Span(new TrainStep(), stage, step);
  }

  /** Waiting for the batch of a step. */
  public static Span dataWait(String stage, long step) {
    return new Span(new DataWait(), stage, step);
  }

  /** Writing a checkpoint. */
  public static Span checkpoint(String stage, long step) {
    return new Span(new Checkpoint(), stage, step);
  }

  /**
   * Adds up the spans in a flight recording.
   *
   * @return one entry a kind and stage, such as {@code descant.DataWait lm}, sorted by name
   * @throws LabException when the file cannot be read
   */
  public static List<TraceSummary.Range> totals(Path recording) {
    var sums = new TreeMap<String, double[]>();
    try (var events = new RecordingFile(recording)) {
      while (events.hasMoreEvents()) {
        RecordedEvent event = events.readEvent();
        String name = event.getEventType().getName();
        if (NAMES.contains(name)) {
          double[] sum =
              sums.computeIfAbsent(name + " " + event.getString("stage"), n -> new double[2]);
          sum[0]++;
          sum[1] += event.getDuration().toNanos() / 1e9;
        }
      }
    } catch (IOException e) {
      throw new LabException("cannot read flight recording " + recording, e);
    }
    return sums.entrySet().stream()
        .map(sum ->
            new TraceSummary.Range(sum.getKey(), (long) sum.getValue()[0], sum.getValue()[1]))
        .toList();
  }

  @Override
  public void close() {
    event.commit();
  }

  /** What all have in common; the recorder reads the fields. */
  @StackTrace(false)
  @Category({"Descant", "Training"})
  private abstract static class OfRun extends Event {
    @Label("Stage")
    @SuppressWarnings("unused")
    String stage = "";

    @Label("Step")
    @SuppressWarnings("unused")
    long step;
  }

  @Name(TRAIN_STEP)
  @Label("Training Step")
  @Description("One optimizer step with its logging")
  private static final class TrainStep extends OfRun {}

  @Name(DATA_WAIT)
  @Label("Data Wait")
  @Description("The training thread waited for a batch")
  private static final class DataWait extends OfRun {}

  @Name(CHECKPOINT)
  @Label("Checkpoint")
  @Description("A checkpoint was written")
  private static final class Checkpoint extends OfRun {}
}
