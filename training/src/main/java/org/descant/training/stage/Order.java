package org.descant.training.stage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.descant.training.TrainingException;
import org.descant.training.loop.Fingerprint;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Which excerpt of which recording a stage takes when: a pure function of the numbers here, which
 * lie in {@code order/STAGE.json} of the run folder, so that the question can be answered without
 * the dataset. Immutable.
 *
 * @param stage that takes them
 * @param seed of the run
 * @param purpose that keeps the stage's draws apart from others'
 * @param length of an excerpt, in the unit of {@code lengths}
 * @param batch excerpts in a step
 * @param before steps of the run before the stage's first
 * @param steps of the stage
 * @param isrcs of the sources; a recording with several copies has several
 * @param lengths of the sources, in the same order
 * @param withdrawn of the sources' ISRCs, those that the run does without, each with the run's
 *     first step without it
 */
public record Order(
    String stage,
    long seed,
    String purpose,
    int length,
    int batch,
    long before,
    long steps,
    List<String> isrcs,
    List<Integer> lengths,
    SortedMap<String, Long> withdrawn) {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String FOLDER = "order";
  private static final int SHOWN = 1000;

  public Order {
    isrcs = List.copyOf(isrcs);
    lengths = List.copyOf(lengths);
    if (isrcs.size() != lengths.size() || isrcs.isEmpty()) {
      throw new TrainingException(
          "the order of %s has %d recordings and %d lengths"
              .formatted(stage, isrcs.size(), lengths.size()));
    }
    // The files of older runs have none.
    withdrawn =
        Collections.unmodifiableSortedMap(
            Objects.requireNonNullElseGet(withdrawn, () -> new TreeMap<>()));
  }

  /** Nothing withdrawn. */
  public Order(
      String stage,
      long seed,
      String purpose,
      int length,
      int batch,
      long before,
      long steps,
      List<String> isrcs,
      List<Integer> lengths) {
    this(stage, seed, purpose, length, batch, before, steps, isrcs, lengths, new TreeMap<>());
  }

  /** The same order when a run does without some recordings; others may be among them. */
  Order without(SortedMap<String, Long> steps) {
    var own = new TreeMap<>(steps);
    own.keySet().retainAll(isrcs);
    return new Order(stage, seed, purpose, length, batch, before, this.steps, isrcs, lengths, own);
  }

  /**
   * The excerpts with what is withdrawn passed over.
   *
   * @throws TrainingException when nothing is left
   */
  public Windows windows() {
    Windows windows = asBuilt();
    for (long step : new TreeSet<>(withdrawn.values())) {
      if (isrcs.stream().allMatch(isrc -> isOut(isrc, step))) {
        throw new TrainingException(
            "every recording that %s learns from is withdrawn; the run ends before step %d"
                .formatted(stage, step));
      }
      long inStage = Math.max(1, step - before);
      if (inStage <= steps) {
        windows = windows.without(position(inStage, 0), source -> isOut(isrcs.get(source), step));
      }
    }
    return windows;
  }

  private boolean isOut(String isrc, long step) {
    return withdrawn.getOrDefault(isrc, Long.MAX_VALUE) <= step;
  }

  private Windows asBuilt() {
    return new Windows(
        seed, purpose, lengths.stream().mapToInt(Integer::intValue).toArray(), length);
  }

  /** Position of an excerpt in the stage's endless sequence; the step counts from 1. */
  long position(long step, int excerpt) {
    return (step - 1) * batch + excerpt;
  }

  /** A hash of the excerpts of a step in their order. */
  static long hash(List<Windows.Window> excerpts) {
    long hash = 0;
    for (Windows.Window excerpt : excerpts) {
      hash = (hash * 31 + excerpt.source()) * 0x100000001b3L + excerpt.from();
    }
    return hash;
  }

  /** The excerpts of a step of the stage, from 1. */
  public static List<Windows.Window> excerpts(Windows windows, Order order, long step) {
    var excerpts = new ArrayList<Windows.Window>();
    for (int i = 0; i < order.batch; i++) {
      excerpts.add(windows.at(order.position(step, i)));
    }
    return excerpts;
  }

  /**
   * Sixteen hex digits that stand for the excerpts of the first {@value #SHOWN} steps with nothing
   * withdrawn.
   */
  public String fingerprint() {
    var fingerprint = new Fingerprint();
    Windows windows = asBuilt();
    for (long step = 1; step <= Math.min(steps, SHOWN); step++) {
      fingerprint.add(hash(excerpts(windows, this, step)));
    }
    return fingerprint.toString();
  }

  /** Writes it into a run folder; again is the same. */
  public void write(Path run) {
    Path file = run.resolve(FOLDER).resolve(stage + ".json");
    Path aside = file.resolveSibling(stage + ".json.tmp");
    try {
      Files.createDirectories(file.getParent());
      Files.write(aside, JSON.writeValueAsBytes(this));
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new TrainingException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /** The orders of the stages that a run has begun, first one first. */
  public static List<Order> read(Path run) {
    var orders = new ArrayList<Order>();
    for (Path file : files(run.resolve(FOLDER))) {
      try {
        orders.add(JSON.readValue(Files.readAllBytes(file), Order.class));
      } catch (IOException | JacksonException e) {
        throw new TrainingException("cannot read " + file + ": " + e.getMessage(), e);
      }
    }
    orders.sort(Comparator.comparingLong(Order::before));
    return orders;
  }

  private static List<Path> files(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    } catch (IOException e) {
      throw new TrainingException("cannot list " + folder + ": " + e.getMessage(), e);
    }
  }
}
