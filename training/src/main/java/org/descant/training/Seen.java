package org.descant.training;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.training.stage.Order;
import org.descant.training.stage.Windows;

/**
 * Which recordings a run has learned from in which steps, from its folder alone. Nothing is listed
 * there step by step: the order is a pure function of a few numbers (see {@code order/}), less the
 * steps that the guard left out (its events). Immutable.
 *
 * <pre>{@code
 * Seen seen = Seen.of(runFolder);
 * seen.at(120);                   // ISRCs of step 120, in the batch's order
 * seen.steps("QZHDE2600001");     // the steps that held it
 * }</pre>
 */
public final class Seen {
  private final List<Order> orders;
  private final List<Windows> windows;
  private final TreeSet<Long> skipped;
  private final long lastStep;

  private Seen(List<Order> orders, TreeSet<Long> skipped, long lastStep) {
    this.orders = orders;
    this.windows = orders.stream().map(Order::windows).toList();
    this.skipped = skipped;
    this.lastStep = lastStep;
  }

  /**
   * What a run has seen up to the last step that its record holds to be safe.
   *
   * @throws TrainingException when the folder is damaged
   * @throws org.descant.lab.LabException when it is no run
   */
  public static Seen of(Path run) {
    return upTo(run, RunFolder.record(run).step());
  }

  /** What a run has seen up to a step. */
  public static Seen upTo(Path run, long lastStep) {
    return new Seen(Order.read(run), skipped(run), lastStep);
  }

  /** Steps that the guard left out: every decision is an event, and resuming repeats decisions. */
  private static TreeSet<Long> skipped(Path run) {
    var skipped = new TreeSet<Long>();
    for (RunEvent event : RunFolder.events(run)) {
      if (event.facts().get("first") instanceof Number first
          && event.facts().get("last") instanceof Number last) {
        for (long step = first.longValue(); step <= last.longValue(); step++) {
          skipped.add(step);
        }
      }
    }
    return skipped;
  }

  /** Steps that learned nothing because the guard left them out, in order. */
  public List<Long> skippedSteps() {
    return List.copyOf(skipped);
  }

  /** The last step that is looked at, over the whole run. */
  public long lastStep() {
    return lastStep;
  }

  /**
   * ISRCs of a step's batch in its order; empty for a step that learned nothing.
   *
   * @param step over the whole run, from 1
   */
  public List<String> at(long step) {
    if (step < 1 || step > lastStep || skipped.contains(step)) {
      return List.of();
    }
    var isrcs = new ArrayList<String>();
    for (int i = 0; i < orders.size(); i++) {
      Order order = orders.get(i);
      long inStage = step - order.before();
      if (inStage >= 1 && inStage <= order.steps()) {
        for (Windows.Window excerpt : Order.excerpts(windows.get(i), order, inStage)) {
          isrcs.add(order.isrcs().get(excerpt.source()));
        }
      }
    }
    return isrcs;
  }

  /** The steps whose batch held a recording, in order. Time grows with the run's excerpts. */
  public List<Long> steps(String isrc) {
    var steps = new ArrayList<Long>();
    for (long step = 1; step <= lastStep; step++) {
      if (at(step).contains(isrc)) {
        steps.add(step);
      }
    }
    return steps;
  }

  /**
   * The withdrawn recordings that the run does without, by ISRC: the first step without, and the
   * last one that had learned from it.
   *
   * @param from first step without it, over the whole run
   * @param lastSeen last step whose batch held it; 0 when none did
   */
  public record Withdrawn(long from, long lastSeen) {}

  /** What the run does without since it was withdrawn. Time grows with the run's excerpts. */
  public SortedMap<String, Withdrawn> withdrawn() {
    var all = new TreeMap<String, Withdrawn>();
    for (Order order : orders) {
      order
          .withdrawn()
          .forEach((isrc, from) -> {
            List<Long> steps = steps(isrc);
            all.put(isrc, new Withdrawn(from, steps.isEmpty() ? 0 : steps.getLast()));
          });
    }
    return all;
  }

  /** How many excerpts of each recording a stage has learned from. */
  public SortedMap<String, Long> counts(String stage) {
    var counts = new TreeMap<String, Long>();
    for (Order order : orders) {
      if (order.stage().equals(stage)) {
        long last = Math.min(lastStep, order.before() + order.steps());
        for (long step = order.before() + 1; step <= last; step++) {
          at(step).forEach(isrc -> counts.merge(isrc, 1L, Long::sum));
        }
      }
    }
    return counts;
  }

  /** Excerpts by stage and recording, as a document. */
  public Map<String, SortedMap<String, Long>> counts() {
    var counts = new TreeMap<String, SortedMap<String, Long>>();
    orders.forEach(order -> counts.put(order.stage(), counts(order.stage())));
    return counts;
  }
}
