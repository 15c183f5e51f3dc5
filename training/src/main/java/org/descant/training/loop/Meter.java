package org.descant.training.loop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.descant.lab.MetricLine;
import org.descant.lab.Span;
import org.descant.training.Progress;

/**
 * Sums up the steps of a stage and says one line every so many: to the run folder and to whoever
 * listens. Not thread-safe.
 *
 * <p>What is logged of losses and norms is a function of the run; speed, waiting and memory are of
 * the moment.
 */
public final class Meter {
  private static final String COUNT = "meter.count";
  private static final String SUM = "meter.sum.";
  private static final Path PROCESS_STATUS = Path.of("/proc/self/status");

  private final String stage;
  private final long firstStep;
  private final long steps;
  private final int every;
  private final Consumer<MetricLine> log;
  private final Progress progress;
  private final double matmulPeak;

  private final Map<String, Double> sums = new LinkedHashMap<>();
  private int counted;
  private int countedNow;
  private double audioSeconds;
  private long tokens;
  private double flops;
  private long lineBegan = System.nanoTime();
  private long stepsTimed;
  private double secondsTimed;
  private Span span;

  /**
   * @param firstStep of the stage, counted over the whole run
   * @param steps of the stage
   * @param every steps between two lines
   * @param matmulPeak operations a second of the fastest matrix product measured at the run's
   *     precision; 0 where none was
   */
  public Meter(
      String stage,
      long firstStep,
      long steps,
      int every,
      double matmulPeak,
      Consumer<MetricLine> log,
      Progress progress) {
    this.stage = stage;
    this.firstStep = firstStep;
    this.steps = steps;
    this.every = every;
    this.matmulPeak = matmulPeak;
    this.log = log;
    this.progress = progress;
    this.span = Span.trainStep(stage, firstStep);
  }

  /**
   * Counts a step, and logs when it is the turn of a line; lines fall on the same steps, and means
   * are over the same steps, however often a run was cut off.
   *
   * @param step over the whole run
   * @param values means to log, {@code loss} among them; empty for a step that learned nothing
   * @param learningRate of this step; 0 where nothing is learned
   * @param gradientNorm of this step; not a number when it learned nothing
   * @param work that went through
   * @param prefetch asked for the time spent waiting
   */
  public void step(
      long step,
      Map<String, Double> values,
      double learningRate,
      double gradientNorm,
      Learner.Work work,
      Prefetch<?> prefetch) {
    span.close();
    span = Span.trainStep(stage, step + 1);
    values.forEach((name, value) -> sums.merge(name, value, Double::sum));
    counted += values.isEmpty() ? 0 : 1;
    countedNow++;
    audioSeconds += work.audioSeconds();
    tokens += work.tokens();
    flops += work.flops();
    long inStage = step - firstStep + 1;
    if (inStage % every != 0 && inStage != steps) {
      return;
    }
    double seconds = Math.max(1e-9, (System.nanoTime() - lineBegan) / 1e9);
    stepsTimed += countedNow;
    secondsTimed += seconds;
    double wait = prefetch.waitNanosSinceLastCall() / 1e9 / seconds;
    long memory = residentBytes();
    var line = new LinkedHashMap<String, Double>();
    sums.forEach((name, sum) -> line.put(name, sum / counted));
    line.put("learningRate", learningRate);
    if (Double.isFinite(gradientNorm)) {
      line.put("gradientNorm", gradientNorm);
    }
    line.put("audioSecondsPerSecond", audioSeconds / seconds);
    if (tokens > 0) {
      line.put("tokensPerSecond", tokens / seconds);
    }
    double share = matmulPeak > 0 ? flops / seconds / matmulPeak : 0;
    if (flops > 0) {
      line.put("flopsPerSecond", flops / seconds);
      line.put("mfu", share);
    }
    line.put("dataWait", wait);
    line.put("memoryBytes", (double) memory);
    log.accept(new MetricLine(stage, step, line));
    progress.step(
        new Progress.Line(
            stage,
            inStage,
            steps,
            line.getOrDefault("loss", 0.0),
            learningRate,
            line.getOrDefault("gradientNorm", 0.0),
            audioSeconds / seconds,
            tokens / seconds,
            flops / seconds,
            share,
            wait,
            memory,
            Duration.ofMillis(Math.round((steps - inStage) * 1e3 * secondsTimed / stepsTimed))));
    sums.clear();
    counted = 0;
    countedNow = 0;
    audioSeconds = 0;
    tokens = 0;
    flops = 0;
    lineBegan = System.nanoTime();
  }

  /** What a checkpoint must hold so that the next line's means are whole. */
  Map<String, Double> state() {
    var state = new LinkedHashMap<String, Double>();
    state.put(COUNT, (double) counted);
    sums.forEach((name, sum) -> state.put(SUM + name, sum));
    return state;
  }

  /** Goes on from {@link #state}; other numbers in the map are left alone. */
  void restore(Map<String, Double> state) {
    sums.clear();
    counted = state.getOrDefault(COUNT, 0.0).intValue();
    state.forEach((name, sum) -> {
      if (name.startsWith(SUM)) {
        sums.put(name.substring(SUM.length()), sum);
      }
    });
  }

  /** Leaves the time since the last line out of the next line's speed, as after a measurement. */
  public void pause(long nanos) {
    lineBegan += nanos;
  }

  /** Resident memory of this process, or of the heap where the system does not tell. */
  public static long residentBytes() {
    try (var lines = Files.lines(PROCESS_STATUS)) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
          .findFirst()
          .orElseGet(Meter::heapBytes);
    } catch (IOException e) {
      return heapBytes();
    }
  }

  private static long heapBytes() {
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
