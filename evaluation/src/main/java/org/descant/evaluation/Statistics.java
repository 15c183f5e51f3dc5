package org.descant.evaluation;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Means, rank correlations and their intervals. Stateless. */
final class Statistics {
  private Statistics() {}

  static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(Double.NaN);
  }

  /** Ranks from 1 on; equal values share the mean of their ranks. */
  static double[] ranks(double[] values) {
    int[] order =
        IntStream.range(0, values.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> values[i]))
            .mapToInt(i -> i)
            .toArray();
    double[] ranks = new double[values.length];
    int from = 0;
    while (from < order.length) {
      int to = from;
      while (to + 1 < order.length && values[order[to + 1]] == values[order[from]]) {
        to++;
      }
      for (int i = from; i <= to; i++) {
        ranks[order[i]] = (from + to) / 2.0 + 1;
      }
      from = to + 1;
    }
    return ranks;
  }

  /** Pearson's correlation; 0 when one side does not vary. */
  static double correlation(double[] a, double[] b) {
    double meanA = mean(a);
    double meanB = mean(b);
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (a[i] - meanA) * (b[i] - meanB);
      aa += (a[i] - meanA) * (a[i] - meanA);
      bb += (b[i] - meanB) * (b[i] - meanB);
    }
    return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
  }

  /** Spearman's rank correlation with ties at their mean rank; 0 when one side does not vary. */
  static double spearman(double[] a, double[] b) {
    return correlation(ranks(a), ranks(b));
  }

  /** Bounds of an interval. */
  record Interval(double low, double high) {}

  /**
   * The 95 % interval of a mean by the percentile bootstrap (Efron 1979).
   *
   * @param draws resamples; 2,000 give the bounds to about a hundredth of the interval
   */
  static Interval bootstrap(double[] values, int draws, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] means = new double[draws];
    for (int d = 0; d < draws; d++) {
      double sum = 0;
      for (int i = 0; i < values.length; i++) {
        sum += values[random.nextInt(values.length)];
      }
      means[d] = sum / values.length;
    }
    Arrays.sort(means);
    return new Interval(means[(int) (0.025 * draws)], means[(int) (0.975 * draws)]);
  }
}
