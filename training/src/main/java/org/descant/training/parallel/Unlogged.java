package org.descant.training.parallel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Stream;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The last metrics and events of a process that does not log them, kept for the case that the one
 * that does was lost between a step and its line. The next first process logs them: a line that is
 * logged twice counts once, an event that is there already is not logged again. Thread-safe.
 */
public final class Unlogged {
  /** A step has at most a line of its own and one of a measurement. */
  private static final int KEPT = 8;

  private static final String FOLDER = "ranks";
  private static final String FILE = "unlogged.json";
  private static final JsonMapper JSON = new JsonMapper();

  /**
   * What a lost process left.
   *
   * @param metrics oldest first
   * @param events oldest first
   */
  public record Left(List<MetricLine> metrics, List<RunEvent> events) {
    public Left {
      metrics = List.copyOf(metrics);
      events = List.copyOf(events);
    }
  }

  private final Deque<MetricLine> lines = new ArrayDeque<>();
  private final Deque<RunEvent> events = new ArrayDeque<>();

  /** Keeps a line in place of the oldest. */
  public synchronized void log(MetricLine line) {
    keep(lines, line);
  }

  /** Keeps an event in place of the oldest. */
  public synchronized void event(RunEvent event) {
    keep(events, event);
  }

  private static <T> void keep(Deque<T> all, T newest) {
    all.addLast(newest);
    if (all.size() > KEPT) {
      all.removeFirst();
    }
  }

  /** Writes all into the run folder, when this process ends because a peer was lost. */
  public synchronized void write(Path run, int rank) {
    Path file = run.resolve(FOLDER).resolve(String.valueOf(rank)).resolve(FILE);
    try {
      Files.createDirectories(file.getParent());
      Path aside = file.resolveSibling(FILE + ".tmp");
      Files.write(aside, JSON.writeValueAsBytes(new Left(List.copyOf(lines), List.copyOf(events))));
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new ParallelException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Removes what a run's lost processes left, and returns the lines of steps that were kept and the
   * events that the run does not know.
   *
   * @param step that the run goes on after
   */
  public static Left take(Path run, long step) {
    var metrics = new ArrayList<MetricLine>();
    var events = new ArrayList<RunEvent>();
    Path folder = run.resolve(FOLDER);
    if (!Files.isDirectory(folder)) {
      return new Left(metrics, events);
    }
    try (Stream<Path> ranks = Files.list(folder)) {
      var known = new HashSet<String>();
      RunFolder.events(run).forEach(event -> known.add(key(event)));
      for (Path rank : ranks.sorted().toList()) {
        Path file = rank.resolve(FILE);
        if (Files.isRegularFile(file)) {
          Left left = JSON.readValue(Files.readAllBytes(file), Left.class);
          left.metrics.stream().filter(line -> line.step() <= step).forEach(metrics::add);
          left.events.stream().filter(event -> known.add(key(event))).forEach(events::add);
          Files.delete(file);
        }
      }
    } catch (IOException | JacksonException e) {
      throw new ParallelException("cannot read what ranks left in " + run + ": " + e, e);
    }
    return new Left(metrics, events);
  }

  private static String key(RunEvent event) {
    return event.event() + " " + event.stage() + " " + event.step();
  }
}
