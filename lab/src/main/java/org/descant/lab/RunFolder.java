package org.descant.lab;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * The writing side of one run folder; holds a lock file while it is open, so that two processes
 * cannot train into one folder. The reading side is static and needs no lock. {@link #log} and
 * {@link #event} may be called from several threads, the rest belongs to one.
 *
 * <p>{@code metrics.jsonl} is append-only and holds both kinds of lines: scalars ({@code stage},
 * {@code step}, values) and events ({@code event}, {@code stage}, {@code step}, {@code at}, facts).
 */
public final class RunFolder implements AutoCloseable {
  static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
          .build();

  /** Keeps the order in which a step's values were logged. */
  private static final JsonMapper LINES = new JsonMapper();

  private static final String RECORD = "run.json";
  private static final String METRICS = "metrics.jsonl";
  private static final String EVENT = "event";
  private static final String AT = "at";

  private final Path path;
  private final FileChannel lockChannel;
  private final FileLock lock;
  private final FileChannel metrics;
  private final EventWriter events;

  private RunFolder(Path path, FileChannel lockChannel, FileLock lock) throws IOException {
    this.path = path;
    this.lockChannel = lockChannel;
    this.lock = lock;
    cutTornLine(path.resolve(METRICS));
    metrics =
        FileChannel.open(
            path.resolve(METRICS), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    events = new EventWriter(newEventFile(path), seconds(Instant.now()));
  }

  /**
   * Opens a run folder for writing, making it when it is not there.
   *
   * @throws LabException when another process writes to it, or it cannot be written
   */
  public static RunFolder openForWriting(Path path) {
    try {
      Files.createDirectories(path);
      FileChannel channel =
          FileChannel.open(
              path.resolve("run.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      @Nullable FileLock lock;
      try {
        lock = channel.tryLock();
      } catch (OverlappingFileLockException e) {
        lock = null;
      }
      if (lock == null) {
        channel.close();
        throw new LabException(
            "run folder "
                + path
                + " is in use by another process; wait for it to end or choose another --out");
      }
      return new RunFolder(path, channel, lock);
    } catch (IOException e) {
      throw new LabException("cannot write run folder " + path + ": " + e.getMessage(), e);
    }
  }

  public Path path() {
    return path;
  }

  /** Whether the folder holds a run record. */
  public static boolean isRun(Path path) {
    return Files.isRegularFile(path.resolve(RECORD));
  }

  /**
   * Reads the record of a run.
   *
   * @throws LabException when the folder is no run or its record cannot be read
   */
  public static RunRecord record(Path path) {
    Path file = path.resolve(RECORD);
    if (!Files.isRegularFile(file)) {
      throw new LabException(path + " is not a run folder: it has no " + RECORD);
    }
    try {
      return JSON.readValue(Files.readAllBytes(file), RunRecord.class);
    } catch (IOException | JacksonException e) {
      throw new LabException("cannot read " + file + ": " + firstLine(e), e);
    }
  }

  /** Replaces the record: written aside, synced, renamed. */
  public void save(RunRecord record) {
    try {
      replace(
          path.resolve(RECORD), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
    } catch (IOException e) {
      throw new LabException("cannot write the record of run " + path + ": " + e.getMessage(), e);
    }
  }

  /** Appends one line to the metrics and one event for TensorBoard. */
  public synchronized void log(MetricLine line) {
    var json = new LinkedHashMap<String, Object>();
    json.put("stage", line.stage());
    json.put("step", line.step());
    json.putAll(line.values());
    var byTag = new LinkedHashMap<String, Double>();
    line.values().forEach((name, value) -> byTag.put(line.stage() + "/" + name, value));
    append(json);
    try {
      events.scalars(seconds(Instant.now()), line.step(), byTag);
    } catch (IOException e) {
      throw new LabException("cannot write the metrics of run " + path + ": " + e.getMessage(), e);
    }
  }

  /** Appends one event, with the time of day as {@code at}. */
  public synchronized void event(RunEvent event) {
    var json = new LinkedHashMap<String, Object>();
    json.put(EVENT, event.event());
    json.put("stage", event.stage());
    json.put("step", event.step());
    json.put(AT, Instant.now().toString());
    event.facts().forEach(json::putIfAbsent);
    append(json);
  }

  private void append(Map<String, Object> json) {
    byte[] bytes = (LINES.writeValueAsString(json) + "\n").getBytes(StandardCharsets.UTF_8);
    try {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        metrics.write(buffer);
      }
    } catch (IOException e) {
      throw new LabException("cannot write the metrics of run " + path + ": " + e.getMessage(), e);
    }
  }

  /** Reads the events of a run in the order they happened. A torn last line is left out. */
  public static List<RunEvent> events(Path path) {
    var found = new ArrayList<RunEvent>();
    for (Line line : lines(path)) {
      if (line.json().get(EVENT) instanceof String event) {
        var facts = new LinkedHashMap<>(line.json());
        facts.keySet().removeAll(List.of(EVENT, "stage", "step"));
        found.add(new RunEvent(event, line.stage(), line.step(), facts));
      }
    }
    return found;
  }

  /**
   * Reads the metrics of a run, one line a (stage, step), in the order of stages' first lines and
   * of steps; of a value that was logged twice the later one. A torn last line is left out.
   */
  public static List<MetricLine> metrics(Path path) {
    var byStage = new LinkedHashMap<String, TreeMap<Long, MetricLine>>();
    for (Line line : lines(path)) {
      if (line.json().containsKey(EVENT)) {
        continue;
      }
      var values = new LinkedHashMap<String, Double>();
      line.json()
          .forEach((name, value) -> {
            if (!name.equals("step") && value instanceof Number number) {
              values.put(name, number.doubleValue());
            }
          });
      byStage
          .computeIfAbsent(line.stage(), s -> new TreeMap<>())
          .merge(line.step(), new MetricLine(line.stage(), line.step(), values), RunFolder::merged);
    }
    var lines = new ArrayList<MetricLine>();
    byStage.values().forEach(steps -> lines.addAll(steps.values()));
    return lines;
  }

  /** A line of the metrics file as it stands there. */
  private record Line(String stage, long step, Map<String, Object> json) {}

  /** Every whole line of the metrics file. */
  private static List<Line> lines(Path path) {
    Path file = path.resolve(METRICS);
    if (!Files.exists(file)) {
      return List.of();
    }
    var lines = new ArrayList<Line>();
    try {
      String text = Files.readString(file);
      int end = text.lastIndexOf('\n') + 1;
      for (String line : text.substring(0, end).split("\n")) {
        if (line.isEmpty()) {
          continue;
        }
        var json = new LinkedHashMap<String, Object>();
        LINES.readValue(line, Map.class).forEach((key, value) -> json.put((String) key, value));
        if (!(json.get("stage") instanceof String stage)
            || !(json.get("step") instanceof Number step)) {
          throw new LabException("line without stage and step in " + file + ": " + line);
        }
        lines.add(new Line(stage, step.longValue(), json));
      }
    } catch (IOException | JacksonException e) {
      throw new LabException("cannot read " + file + ": " + firstLine(e), e);
    }
    return lines;
  }

  private static MetricLine merged(MetricLine earlier, MetricLine later) {
    var values = new LinkedHashMap<>(earlier.values());
    values.putAll(later.values());
    return new MetricLine(later.stage(), later.step(), values);
  }

  @Override
  public void close() {
    try {
      events.close();
      metrics.close();
      lock.release();
      lockChannel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot close run folder " + path, e);
    }
  }

  private static Path newEventFile(Path path) {
    String stem =
        "events.out.tfevents.%d.descant.%d"
            .formatted(Instant.now().getEpochSecond(), ProcessHandle.current().pid());
    int n = 0;
    while (Files.exists(path.resolve(stem + "." + n))) {
      n++;
    }
    return path.resolve(stem + "." + n);
  }

  private static void cutTornLine(Path file) throws IOException {
    if (!Files.exists(file)) {
      return;
    }
    try (var access = new RandomAccessFile(file.toFile(), "rw")) {
      long end = access.length();
      while (end > 0) {
        access.seek(end - 1);
        if (access.read() == '\n') {
          break;
        }
        end--;
      }
      access.setLength(end);
    }
  }

  private static void replace(Path file, byte[] bytes) throws IOException {
    Path aside = file.resolveSibling(file.getFileName() + ".tmp");
    try (FileChannel channel =
        FileChannel.open(
            aside,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
    Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static double seconds(Instant instant) {
    return instant.getEpochSecond() + instant.getNano() / 1e9;
  }

  private static String firstLine(Exception e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.getClass().getSimpleName());
  }
}
