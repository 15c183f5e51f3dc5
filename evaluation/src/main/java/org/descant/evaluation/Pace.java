package org.descant.evaluation;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Tells how far a row of parts has come: each line of a part gets its place in the row, the share
 * of the whole that is done, and the time that is left. What the parts cost is given in any unit;
 * what is done, and the seconds it took, turns it into time. Not thread-safe.
 */
final class Pace {
  private static final Pattern COUNTED = Pattern.compile("(\\d{1,9}) of (\\d{1,9})");

  private final List<String> parts;
  private final Map<String, Double> costs;
  private final Consumer<String> lines;
  private final LongSupplier nanos;
  private final double wholeCost;
  private double doneCost;
  private double doneSeconds;
  private int at = -1;
  private boolean ended;
  private double share;
  private long start;

  /**
   * @param parts in their order
   * @param costs of every part
   * @param lines hears what {@link #line} makes
   * @param nanos a clock such as {@link System#nanoTime}
   */
  Pace(List<String> parts, Map<String, Double> costs, Consumer<String> lines, LongSupplier nanos) {
    this.parts = List.copyOf(parts);
    this.costs = Map.copyOf(costs);
    this.lines = lines;
    this.nanos = nanos;
    this.wholeCost = parts.stream().mapToDouble(this::cost).sum();
  }

  private double cost(String part) {
    Double cost = costs.get(part);
    if (cost == null || !(cost > 0)) {
      throw new IllegalArgumentException("The part " + part + " has no cost");
    }
    return cost;
  }

  /** The next part of the row begins. */
  void begin() {
    at++;
    ended = false;
    share = 0;
    start = nanos.getAsLong();
  }

  /** The part is done; returns its seconds. */
  double end() {
    double took = (nanos.getAsLong() - start) / 1e9;
    doneSeconds += took;
    doneCost += cost(parts.get(at));
    ended = true;
    line(String.format(Locale.ROOT, "%s: done in %.1f s", parts.get(at), took));
    return took;
  }

  /**
   * Passes a line of the part that runs, with where the whole stands. A line that counts, as in
   * {@code coding: recording 3 of 20}, tells how far its part is.
   */
  void line(String text) {
    Matcher counted = COUNTED.matcher(text);
    if (!ended && counted.find()) {
      double of = Double.parseDouble(counted.group(2));
      share = of > 0 ? Math.clamp(Double.parseDouble(counted.group(1)) / of, share, 1) : share;
    }
    double done = doneCost + (ended ? 0 : share * cost(parts.get(at)));
    String place =
        "part %d of %d, %.0f %% of all".formatted(at + 1, parts.size(), 100 * done / wholeCost);
    // Before something is done nothing tells how fast this machine and model are.
    if (done > 0 && done < wholeCost) {
      double gone = doneSeconds + (ended ? 0 : (nanos.getAsLong() - start) / 1e9);
      double left = gone / done * (wholeCost - done);
      place += String.format(Locale.ROOT, ", about %.0f s left in all", left);
    }
    lines.accept(text + " [" + place + "]");
  }
}
