package org.descant.training.loop;

import static org.descant.training.TrainingException.require;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Looks at the loss and the gradient norm of every step before the optimizer moves anything, and
 * remembers what was refused.
 *
 * <p>A norm is judged by the z-score of its logarithm over a running window: norms are skewed,
 * their logarithms nearly normal. Mean and variance are exponentially weighted (Finch, "Incremental
 * calculation of weighted mean and variance", 2009), so the whole state is three numbers; the first
 * {@code window} steps of a stage only fill it.
 *
 * <p>A function of what it was shown: after {@link #restore} it decides as it would have. Not
 * thread-safe.
 */
public final class Guard {
  static final String STOP = "stop";
  static final String SKIP = "skip";
  static final String REWIND = "rewind";

  private static final List<String> POLICIES = List.of(STOP, SKIP, REWIND);
  private static final String COUNT = "guard.count";
  private static final String MEAN = "guard.mean";
  private static final String VARIANCE = "guard.variance";
  private static final String REFUSALS = "guard.refusals";
  private static final String SKIPPED = "guard.skipped.";

  /** Norms that hardly move would make 1 % look like a leap: 5 % is one deviation at least. */
  private static final double DEVIATION_MIN = 0.05;

  private static final double NORM_MIN = 1e-30;
  private static final int WINDOW_MAX = 1_000_000;
  private static final int BEFORE_MAX = 10_000;
  private static final int LIMIT_MAX = 10_000;

  /**
   * What a recipe says of it.
   *
   * @param policy what follows a refused batch. {@code stop}: the run ends with a sentence; {@code
   *     skip}: the step learns nothing and the run goes on; {@code rewind}: the run goes back to
   *     its last regular checkpoint and leaves out the batch and those before it
   * @param zScore largest z-score of a gradient norm; 0 judges only whether numbers are finite
   * @param window steps that mean and deviation are over
   * @param before batches before a refused one that {@code rewind} leaves out too. With 0 it gives
   *     the bits of {@code skip}, because a run is a function of its batches
   * @param limit refused batches of a stage after which the run stops whatever the policy
   */
  public record Options(String policy, double zScore, int window, int before, int limit) {
    /** Stops at what is not finite. */
    public static final Options DEFAULT = new Options(STOP, 0, 100, 4, 10);

    public Options {
      require(POLICIES.contains(policy), "guard.policy", policy, String.join(", ", POLICIES));
      require(zScore >= 0, "guard.zScore", zScore, "0 or more");
      require(window >= 2 && window <= WINDOW_MAX, "guard.window", window, "2 to " + WINDOW_MAX);
      require(before >= 0 && before <= BEFORE_MAX, "guard.before", before, "0 to " + BEFORE_MAX);
      require(limit >= 1 && limit <= LIMIT_MAX, "guard.limit", limit, "1 to " + LIMIT_MAX);
    }
  }

  private final Options options;
  private final TreeSet<Long> skipped = new TreeSet<>();
  private long count;
  private double mean;
  private double variance;
  private int refusals;

  /** Nothing seen yet. */
  public Guard(Options options) {
    this.options = options;
  }

  Options options() {
    return options;
  }

  /**
   * Judges a step; a norm that passes joins the window.
   *
   * @return why the step is refused, or {@code null} when it may go on
   */
  @Nullable String judge(double loss, double gradientNorm) {
    if (!Double.isFinite(loss) || !Double.isFinite(gradientNorm)) {
      return "the loss is %s and the gradient norm %s".formatted(loss, gradientNorm);
    }
    double log = StrictMath.log(Math.max(gradientNorm, NORM_MIN));
    double distance = log - mean;
    if (options.zScore > 0 && count >= options.window) {
      double z = distance / Math.max(Math.sqrt(variance), DEVIATION_MIN);
      if (z > options.zScore) {
        return "the gradient norm %.4g is %.1f deviations above its running mean of %.4g"
            .formatted(gradientNorm, z, StrictMath.exp(mean));
      }
    }
    count++;
    double weight = 1.0 / Math.min(count, options.window);
    mean += weight * distance;
    variance = (1 - weight) * (variance + weight * distance * distance);
    return null;
  }

  /** Counts a refused batch; whether the run may go on after it. */
  boolean survives() {
    refusals++;
    return !options.policy.equals(STOP) && refusals <= options.limit;
  }

  /** Leaves steps out, counted over the whole run. */
  void skip(long first, long last) {
    for (long step = first; step <= last; step++) {
      skipped.add(step);
    }
  }

  boolean skips(long step) {
    return skipped.contains(step);
  }

  /** What a checkpoint must hold. */
  Map<String, Double> state() {
    var state = new TreeMap<String, Double>();
    state.put(COUNT, (double) count);
    state.put(MEAN, mean);
    state.put(VARIANCE, variance);
    state.put(REFUSALS, (double) refusals);
    skipped.forEach(step -> state.put(SKIPPED + step, 1.0));
    return state;
  }

  /**
   * Goes on from {@link #state}. What this guard has refused itself stays: after a rewind the
   * checkpoint knows less than the run.
   */
  void restore(Map<String, Double> state) {
    count = state.getOrDefault(COUNT, 0.0).longValue();
    mean = state.getOrDefault(MEAN, 0.0);
    variance = state.getOrDefault(VARIANCE, 0.0);
    refusals = Math.max(refusals, state.getOrDefault(REFUSALS, 0.0).intValue());
    state.keySet().stream()
        .filter(key -> key.startsWith(SKIPPED))
        .forEach(key -> skipped.add(Long.parseLong(key.substring(SKIPPED.length()))));
  }
}
