package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.models.codec.CodecLatents;
import org.descant.models.codec.MagnitudeCodec;

/**
 * How far apart two sets of sounds are: the Fréchet distance between the normal distributions that
 * fit their embeddings (Heusel et al. 2017; for audio Kilgour et al., "Fréchet Audio Distance",
 * 2019). The embedding is the model's own codec: mean and deviation of its latents over a second.
 * It hears timbre and level, not form; figures of different codecs cannot be compared. Stateless.
 */
public final class FrechetDistance {
  private static final double WINDOW_SECONDS = 1;
  private static final int SWEEPS_MAX = 60;

  private FrechetDistance() {}

  /** A normal distribution: means, and covariances between them. */
  record Normal(double[] mean, double[][] covariance) {

    /** Fits rows of equal length; at least two. */
    static Normal of(List<float[]> rows) {
      if (rows.size() < 2) {
        throw new EvaluationException(
            "A Fréchet distance needs at least two seconds of sound on each side");
      }
      int n = rows.getFirst().length;
      double[] mean = new double[n];
      for (float[] row : rows) {
        for (int i = 0; i < n; i++) {
          mean[i] += row[i] / (double) rows.size();
        }
      }
      double[][] covariance = new double[n][n];
      for (float[] row : rows) {
        for (int i = 0; i < n; i++) {
          for (int j = 0; j < n; j++) {
            covariance[i][j] += (row[i] - mean[i]) * (row[j] - mean[j]) / (rows.size() - 1.0);
          }
        }
      }
      return new Normal(mean, covariance);
    }
  }

  /** One embedding a second of a sound at any rate; less than a second gives none. */
  public static List<float[]> embed(MagnitudeCodec codec, Pcm sound) {
    CodecLatents latents = CodecLatents.of(codec, sound.resampled(codec.sampleRate()).channels());
    int window = (int) Math.round(WINDOW_SECONDS * codec.frameRate());
    List<float[]> rows = new ArrayList<>();
    for (int from = 0; from + window <= latents.frames(); from += window) {
      rows.add(latents.statistics(from, from + window));
    }
    return rows;
  }

  /** The distance between two sets of embeddings; 0 for equal ones. */
  public static double between(List<float[]> a, List<float[]> b) {
    return between(Normal.of(a), Normal.of(b));
  }

  /** {@code |m − n|² + tr(A + B − 2 (A^½ B A^½)^½)}. */
  static double between(Normal a, Normal b) {
    double distance = 0;
    for (int i = 0; i < a.mean().length; i++) {
      double d = a.mean()[i] - b.mean()[i];
      distance += d * d + a.covariance()[i][i] + b.covariance()[i][i];
    }
    double[][] root = root(a.covariance());
    double[][] product = times(times(root, b.covariance()), root);
    for (double value : eigen(product).values()) {
      distance -= 2 * Math.sqrt(Math.max(0, value));
    }
    return Math.max(0, distance);
  }

  private static double[][] root(double[][] a) {
    Eigen eigen = eigen(a);
    int n = a.length;
    double[][] root = new double[n][n];
    for (int k = 0; k < n; k++) {
      double size = Math.sqrt(Math.max(0, eigen.values()[k]));
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          root[i][j] += eigen.vectors()[i][k] * size * eigen.vectors()[j][k];
        }
      }
    }
    return root;
  }

  private static double[][] times(double[][] a, double[][] b) {
    int n = a.length;
    double[][] c = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
          c[i][j] += a[i][k] * b[k][j];
        }
      }
    }
    return c;
  }

  /** Eigenvalues, and eigenvectors as columns. */
  private record Eigen(double[] values, double[][] vectors) {}

  /** Jacobi's rotations (Golub and Van Loan, algorithm 8.5.3) of a symmetric matrix. */
  private static Eigen eigen(double[][] symmetric) {
    int n = symmetric.length;
    double[][] a = Arrays.stream(symmetric).map(double[]::clone).toArray(double[][]::new);
    double[][] v = new double[n][n];
    double size = 0;
    for (int i = 0; i < n; i++) {
      v[i][i] = 1;
      for (int j = 0; j < n; j++) {
        size += a[i][j] * a[i][j];
      }
    }
    for (int sweep = 0; sweep < SWEEPS_MAX; sweep++) {
      double off = 0;
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          off += a[p][q] * a[p][q];
          rotate(a, v, p, q);
        }
      }
      if (off <= 1e-24 * size) {
        break;
      }
    }
    double[] values = new double[n];
    Arrays.setAll(values, i -> a[i][i]);
    return new Eigen(values, v);
  }

  private static void rotate(double[][] a, double[][] v, int p, int q) {
    if (a[p][q] == 0) {
      return;
    }
    double tau = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double t = Math.copySign(1, tau) / (Math.abs(tau) + Math.hypot(1, tau));
    double c = 1 / Math.hypot(1, t);
    double s = t * c;
    for (int k = 0; k < a.length; k++) {
      double x = a[k][p];
      double y = a[k][q];
      a[k][p] = c * x - s * y;
      a[k][q] = s * x + c * y;
    }
    for (int k = 0; k < a.length; k++) {
      double x = a[p][k];
      double y = a[q][k];
      a[p][k] = c * x - s * y;
      a[q][k] = s * x + c * y;
      double vx = v[k][p];
      double vy = v[k][q];
      v[k][p] = c * vx - s * vy;
      v[k][q] = s * vx + c * vy;
    }
  }
}
