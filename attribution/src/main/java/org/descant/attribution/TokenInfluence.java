package org.descant.attribution;

import java.util.Arrays;
import java.util.List;

/**
 * How much worse a model would know a clip had it not learned from one of its recordings: by how
 * much the clip's loss rises, in nats a token, under the token frequencies of all recordings but
 * that one. Immutable and safe for many threads.
 */
public final class TokenInfluence {
  /*
   * score(clip, r) = mean over the clip's tokens v of ln p(v) − ln p₋ᵣ(v), with
   * p(v) = (n(v) + 1) / (N + codes), the frequencies that a language model starts its training from,
   * and p₋ᵣ the same without r's tokens, codebook by codebook. Retraining without a recording is what
   * influence functions approximate (Koh and Liang, "Understanding Black-box Predictions via
   * Influence Functions", 2017); for counts it is a subtraction, so this is exact, reads no network
   * and has no constant to tune. Of two tokens the rarer one says more: when nobody else had it, its
   * probability falls to almost nothing without the recording.
   */
  private final int[][][] counts; // [recording][codebook][code]
  private final long[][] all; // [codebook][code]

  private TokenInfluence(int[][][] counts) {
    this.counts = counts;
    this.all = new long[counts[0].length][counts[0][0].length];
    for (int[][] recording : counts) {
      for (int k = 0; k < all.length; k++) {
        for (int v = 0; v < all[k].length; v++) {
          all[k][v] += recording[k][v];
        }
      }
    }
  }

  /**
   * Counts the tokens of all recordings that a model learned from.
   *
   * @param recordings codes, {@code [codebook][frame]} each
   * @param codebooks that count; more in the codes are left out
   * @param codebookSize codes go from 0 to one less
   * @throws AttributionException when there is no recording, or codes are not such
   */
  public static TokenInfluence of(List<int[][]> recordings, int codebooks, int codebookSize) {
    if (recordings.isEmpty()) {
      throw new AttributionException("Influence needs at least one recording");
    }
    return new TokenInfluence(
        recordings.stream()
            .map(codes -> count(codes, codebooks, codebookSize))
            .toArray(int[][][]::new));
  }

  /** The same of what {@link #counts} gave. */
  static TokenInfluence ofCounts(int[][][] counts) {
    return new TokenInfluence(counts);
  }

  /** {@code [recording][codebook][code]}. */
  int[][][] counts() {
    return counts;
  }

  private static int[][] count(int[][] codes, int codebooks, int codebookSize) {
    if (codes.length < codebooks) {
      throw new AttributionException(
          "The model reads %d codebooks, the codes have %d; take them from the model's own codec"
              .formatted(codebooks, codes.length));
    }
    int frames = codes[0].length;
    int[][] counts = new int[codebooks][codebookSize];
    for (int k = 0; k < codebooks; k++) {
      if (codes[k].length != frames || frames == 0) {
        throw new AttributionException(
            "All codebooks need the same number of frames, at least one: %d and %d"
                .formatted(frames, codes[k].length));
      }
      for (int code : codes[k]) {
        if (code < 0 || code >= codebookSize) {
          throw new AttributionException(
              "Codes go from 0 to %d, not %d; take them from the model's own codec"
                  .formatted(codebookSize - 1, code));
        }
        counts[k][code]++;
      }
    }
    return counts;
  }

  /**
   * One score per recording; positive where the model would know the clip worse without it.
   *
   * @param clip codes, {@code [codebook][frame]}
   * @throws AttributionException when the codes are not the model's
   */
  public double[] scores(int[][] clip) {
    int[][] heard = count(clip, all.length, all[0].length);
    double[] scores = new double[counts.length];
    for (int k = 0; k < all.length; k++) {
      double frames = clip[k].length;
      double total = Arrays.stream(all[k]).sum() + all[k].length;
      for (int r = 0; r < scores.length; r++) {
        int[] own = counts[r][k];
        double rest = total - Arrays.stream(own).sum();
        double rise = StrictMath.log(rest / total);
        for (int v = 0; v < own.length; v++) {
          if (heard[k][v] > 0 && own[v] > 0) {
            double without = (double) (all[k][v] - own[v] + 1) / (all[k][v] + 1);
            rise -= heard[k][v] / frames * StrictMath.log(without);
          }
        }
        scores[r] += rise / all.length;
      }
    }
    return scores;
  }

  /**
   * Scores as shares: those that helped, in proportion; all alike when none did.
   *
   * @return not negative, with the sum 1
   */
  public static double[] shares(double[] scores) {
    double[] shares = Arrays.stream(scores).map(s -> Math.max(0, s)).toArray();
    double sum = Arrays.stream(shares).sum();
    if (!(sum > 0) || Double.isInfinite(sum)) {
      Arrays.fill(shares, 1.0 / shares.length);
      return shares;
    }
    return Arrays.stream(shares).map(s -> s / sum).toArray();
  }
}
