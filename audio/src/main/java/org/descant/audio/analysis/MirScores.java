package org.descant.audio.analysis;

import java.util.Arrays;
import java.util.List;
import org.descant.audio.AudioException;
import org.descant.audio.Beat;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;

/**
 * How near an estimate comes to the truth, by the measures of the MIREX evaluations as {@code
 * mir_eval} computes them (Raffel et al., ISMIR 2014).
 */
public final class MirScores {
  private static final double BEAT_WINDOW_SECONDS = 0.07;
  private static final double BEAT_TRIM_SECONDS = 5;
  private static final double TEMPO_TOLERANCE = 0.08;

  private MirScores() {}

  /**
   * 1 for the same key, 0.5 a perfect fifth above, 0.3 the relative, 0.2 the parallel key, else 0.
   */
  public static double key(MusicalKey reference, MusicalKey estimate) {
    int up = Math.floorMod(estimate.tonic() - reference.tonic(), 12);
    boolean sameMode = reference.mode() == estimate.mode();
    if (up == 0) {
      return sameMode ? 1 : 0.2;
    }
    if (sameMode) {
      return up == 7 ? 0.5 : 0;
    }
    return up == (reference.mode() == Mode.MAJOR ? 9 : 3) ? 0.3 : 0;
  }

  /** True if the tempo lies within {@code tolerance} of the reference (MIREX "accuracy 1"). */
  public static boolean isTempo(double referenceBpm, double estimateBpm, double tolerance) {
    return Math.abs(estimateBpm - referenceBpm) <= tolerance * referenceBpm;
  }

  /** As {@link #isTempo}, a third, half, double or three times the tempo too ("accuracy 2"). */
  public static boolean isTempoOrOctave(double referenceBpm, double estimateBpm, double tolerance) {
    for (double factor : new double[] {1, 2, 0.5, 3, 1 / 3.0}) {
      if (isTempo(referenceBpm * factor, estimateBpm, tolerance)) {
        return true;
      }
    }
    return false;
  }

  /**
   * The P-score of two tempi: each reference tempo that one of the estimates meets within 8 %
   * counts with its weight.
   *
   * @param referenceWeight the first reference tempo's weight, 0 to 1; the second has the rest
   */
  public static double tempoPScore(
      double[] referenceBpm, double referenceWeight, double[] estimateBpm) {
    if (referenceBpm.length != 2 || !(referenceWeight >= 0 && referenceWeight <= 1)) {
      throw new AudioException(
          "A P-score needs two reference tempi and a weight from 0 to 1, was given %d and %s."
              .formatted(referenceBpm.length, referenceWeight));
    }
    double score = 0;
    for (int i = 0; i < 2; i++) {
      boolean met = false;
      for (double estimate : estimateBpm) {
        met |= referenceBpm[i] > 0 && isTempo(referenceBpm[i], estimate, TEMPO_TOLERANCE);
      }
      score += met ? (i == 0 ? referenceWeight : 1 - referenceWeight) : 0;
    }
    return score;
  }

  /**
   * F-measure of beats: matched one to one within 70 ms, those before 5 s left out. 0 if one side
   * has none.
   *
   * @param reference seconds, in order
   * @param estimate seconds, in order
   */
  public static double beatFMeasure(double[] reference, double[] estimate) {
    double[] truth = trimmed(reference);
    double[] found = trimmed(estimate);
    if (truth.length == 0 || found.length == 0) {
      return 0;
    }
    // In order on a line, taking the first that fits is a largest matching.
    int matched = 0;
    int next = 0;
    for (double time : truth) {
      while (next < found.length && found[next] < time - BEAT_WINDOW_SECONDS) {
        next++;
      }
      if (next < found.length && found[next] <= time + BEAT_WINDOW_SECONDS) {
        matched++;
        next++;
      }
    }
    double precision = matched / (double) found.length;
    double recall = matched / (double) truth.length;
    return matched == 0 ? 0 : 2 * precision * recall / (precision + recall);
  }

  /** The times of beats. */
  public static double[] times(List<Beat> beats) {
    return beats.stream().mapToDouble(Beat::time).toArray();
  }

  private static double[] trimmed(double[] times) {
    int first = 0;
    while (first < times.length && times[first] < BEAT_TRIM_SECONDS) {
      first++;
    }
    return Arrays.copyOfRange(times, first, times.length);
  }
}
