package org.descant.attribution;

import java.util.Arrays;
import java.util.List;

/**
 * How much each of some recordings lowered a model's loss on a clip: products of loss gradients.
 * Immutable and safe for many threads.
 */
public final class Influence {
  /*
   * score(clip, r) = g_clip · n_r g_r: to first order, how much the clip's loss falls when the model
   * takes a small step on r, times r's share of all frames, since a recording twice as long is
   * learned from twice as often (TracIn with the last checkpoint: Pruthi et al., "Estimating Training
   * Data Influence by Tracing Gradient Descent", 2020), in the metric of the Fisher diagonal that
   * LossGradients has put into the sketches (Koh and Liang 2017).
   */
  private final float[][] rows;

  private Influence(float[][] rows) {
    this.rows = rows;
  }

  /** Recordings by what {@link #rows} gave. */
  static Influence of(float[][] rows) {
    return new Influence(rows);
  }

  /**
   * Weighs the gradients of all recordings of a model.
   *
   * @param recordings one sketch per recording, made with one {@link LossGradients}
   */
  public static Influence fit(List<LossGradients.Sketch> recordings) {
    if (recordings.isEmpty()) {
      throw new AttributionException("Influence needs at least one recording");
    }
    double frames = recordings.stream().mapToInt(LossGradients.Sketch::frames).sum();
    float[][] rows = new float[recordings.size()][];
    for (int r = 0; r < rows.length; r++) {
      rows[r] = recordings.get(r).values().clone();
      double share = recordings.get(r).frames() / frames;
      for (int i = 0; i < rows[r].length; i++) {
        rows[r][i] *= (float) share;
      }
    }
    return new Influence(rows);
  }

  float[][] rows() {
    return rows;
  }

  /** Numbers in a sketch. */
  int sketchSize() {
    return rows[0].length;
  }

  /** One score per recording; positive where it lowered the clip's loss. */
  public double[] scores(LossGradients.Sketch clip) {
    double[] scores = new double[rows.length];
    for (int r = 0; r < rows.length; r++) {
      for (int i = 0; i < rows[r].length; i++) {
        scores[r] += (double) clip.values()[i] * rows[r][i];
      }
    }
    return scores;
  }

  /**
   * Scores as shares: those that helped, in proportion; all alike when none did.
   *
   * @return not negative, with the sum 1
   */
  public static double[] weights(double[] scores) {
    double[] weights = Arrays.stream(scores).map(s -> Math.max(0, s)).toArray();
    double sum = Arrays.stream(weights).sum();
    if (!(sum > 0) || Double.isInfinite(sum)) {
      Arrays.fill(weights, 1.0 / weights.length);
      return weights;
    }
    return Arrays.stream(weights).map(w -> w / sum).toArray();
  }
}
