package org.descant.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Questions about runs on disk. Stateless and read-only. */
public final class Lab {
  private Lab() {}

  /** A run folder with its record. */
  public record Run(Path path, RunRecord record) {}

  /** One scalar over the steps of a run. */
  public record Curve(String name, List<Long> steps, List<Double> values) {
    public Curve {
      steps = List.copyOf(steps);
      values = List.copyOf(values);
      if (steps.size() != values.size()) {
        throw new LabException(
            "curve %s has %d steps and %d values".formatted(name, steps.size(), values.size()));
      }
    }

    /** Values by step, in the order of steps. */
    SortedMap<Long, Double> byStep() {
      var byStep = new TreeMap<Long, Double>();
      for (int i = 0; i < steps.size(); i++) {
        byStep.put(steps.get(i), values.get(i));
      }
      return byStep;
    }
  }

  /**
   * A key of the record or the recipe in which two runs differ; {@code null} where a run has no
   * such key.
   */
  public record Difference(String key, @Nullable String first, @Nullable String second) {}

  /**
   * A scalar of both runs side by side.
   *
   * @param name {@code stage/metric}
   * @param first its curve in the first run
   * @param second its curve in the second run
   * @param sameBits whether both have the same steps and every value agrees to the last bit
   * @param firstDifferentStep the first step logged in both with different values, or -1
   */
  public record Pair(
      String name, Curve first, Curve second, boolean sameBits, long firstDifferentStep) {

    /** One step that both runs logged. */
    public record Row(long step, double first, double second) {
      /** Second minus first. */
      public double difference() {
        return second - first;
      }
    }

    /**
     * Common steps, evenly spread, with the first and the last among them.
     *
     * @param max how many at most, 2 or more
     */
    public List<Row> rows(int max) {
      var other = second.byStep();
      var common = new ArrayList<Row>();
      first
          .byStep()
          .forEach((step, value) -> {
            Double its = other.get(step);
            if (its != null) {
              common.add(new Row(step, value, its));
            }
          });
      if (common.size() <= max) {
        return common;
      }
      var rows = new ArrayList<Row>();
      for (int i = 0; i < max; i++) {
        rows.add(common.get((int) ((long) i * (common.size() - 1) / (max - 1))));
      }
      return rows;
    }
  }

  /** Two runs side by side. */
  public record Comparison(Run first, Run second, List<Difference> differences, List<Pair> pairs) {
    public Comparison {
      differences = List.copyOf(differences);
      pairs = List.copyOf(pairs);
    }
  }

  /** All runs right under a folder, by start time; an empty list when the folder is not there. */
  public static List<Run> list(Path runs) {
    if (!Files.isDirectory(runs)) {
      return List.of();
    }
    try (var children = Files.list(runs)) {
      return children
          .filter(RunFolder::isRun)
          .map(path -> new Run(path, RunFolder.record(path)))
          .sorted(
              Comparator.comparing((Run run) -> run.record().startedAt())
                  .thenComparing(run -> run.path().toString()))
          .toList();
    } catch (IOException e) {
      throw new LabException("cannot list runs in " + runs + ": " + e.getMessage(), e);
    }
  }

  /** A run by its folder. */
  public static Run show(Path path) {
    return new Run(path, RunFolder.record(path));
  }

  /** Every scalar of a run as a curve, keyed {@code stage/metric}, in the order first logged. */
  public static Map<String, Curve> curves(Path path) {
    var steps = new LinkedHashMap<String, List<Long>>();
    var values = new LinkedHashMap<String, List<Double>>();
    for (MetricLine line : RunFolder.metrics(path)) {
      line.values()
          .forEach((metric, value) -> {
            String name = line.stage() + "/" + metric;
            steps.computeIfAbsent(name, n -> new ArrayList<>()).add(line.step());
            values.computeIfAbsent(name, n -> new ArrayList<>()).add(value);
          });
    }
    var curves = new LinkedHashMap<String, Curve>();
    steps.forEach((name, at) ->
        curves.put(
            name, new Curve(name, at, Objects.requireNonNull(values.get(name), "curve values"))));
    return curves;
  }

  /** Two runs side by side: what differs in their records and recipes, and their curves. */
  public static Comparison compare(Path first, Path second) {
    Run a = show(first);
    Run b = show(second);
    Map<String, String> factsA = flat(a.record());
    Map<String, String> factsB = flat(b.record());
    var keys = new TreeSet<>(factsA.keySet());
    keys.addAll(factsB.keySet());
    var differences = new ArrayList<Difference>();
    for (String key : keys) {
      if (!Objects.equals(factsA.get(key), factsB.get(key))) {
        differences.add(new Difference(key, factsA.get(key), factsB.get(key)));
      }
    }
    Map<String, Curve> curvesA = curves(first);
    Map<String, Curve> curvesB = curves(second);
    var names = new LinkedHashSet<>(curvesA.keySet());
    names.retainAll(curvesB.keySet());
    var pairs = new ArrayList<Pair>();
    for (String name : names) {
      pairs.add(
          pair(
              Objects.requireNonNull(curvesA.get(name)),
              Objects.requireNonNull(curvesB.get(name))));
    }
    return new Comparison(a, b, differences, pairs);
  }

  private static Pair pair(Curve a, Curve b) {
    var valueB = b.byStep();
    long different = -1;
    for (int i = 0; i < a.steps().size() && different < 0; i++) {
      Double other = valueB.get(a.steps().get(i));
      if (other != null && Double.compare(other, a.values().get(i)) != 0) {
        different = a.steps().get(i);
      }
    }
    return new Pair(a.name(), a, b, different < 0 && a.steps().equals(b.steps()), different);
  }

  /** The record as dotted keys; the clock and the status are left out, they always differ. */
  private static Map<String, String> flat(RunRecord record) {
    var flat = new TreeMap<String, String>();
    Map<?, ?> tree = RunFolder.JSON.convertValue(record, Map.class);
    flatten("", tree, flat);
    flat.remove("startedAt");
    flat.remove("finishedAt");
    return flat;
  }

  private static void flatten(String prefix, Map<?, ?> tree, Map<String, String> out) {
    tree.forEach((key, value) -> {
      String name = prefix.isEmpty() ? key.toString() : prefix + "." + key;
      if (value instanceof Map<?, ?> nested) {
        flatten(name, nested, out);
      } else if (value != null) {
        out.put(name, value.toString());
      }
    });
  }
}
