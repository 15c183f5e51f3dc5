package org.descant.evaluation;

import java.util.List;

/**
 * What a measure gives where the thing it looks for is known to be absent; figures of a model are
 * judged against it. Immutable.
 *
 * @param values in ascending order, at least one, all finite
 */
public record NullDistribution(List<Double> values) {
  public NullDistribution {
    if (values.isEmpty() || !values.stream().allMatch(Double::isFinite)) {
      throw new EvaluationException(
          "A null distribution needs at least one measured value, and finite ones");
    }
    values = values.stream().sorted().toList();
  }

  /** The value that a share {@code q} of all values does not exceed (nearest rank). */
  public double quantile(double q) {
    int rank = (int) Math.ceil(q * values.size());
    return values.get(Math.clamp(rank, 1, values.size()) - 1);
  }

  /** The largest value. */
  public double largest() {
    return values.getLast();
  }

  /** How many values lie above a threshold: false alarms. */
  public long above(double threshold) {
    return values.stream().filter(value -> value > threshold).count();
  }

  /**
   * How likely a value at least this large is when there is nothing to find: {@code (1 + how many
   * are as large) / (1 + all)}, which is never 0 (Davison and Hinkley, "Bootstrap Methods", 1997,
   * section 4.2.1).
   */
  public double probabilityOf(double value) {
    long asLarge = values.stream().filter(other -> other >= value).count();
    return (1.0 + asLarge) / (1.0 + values.size());
  }
}
