package org.descant.models.codec;

import java.util.List;
import java.util.SplittableRandom;
import org.descant.tensor.Tensor;

/**
 * The best linear codec of a batch: principal axes to encode, least squares to decode.
 *
 * <p>A network that starts from nothing learns the loudest direction of the spectra first and the
 * others one after another; for the first minutes its latents lie near a line and the codebooks
 * have nothing to code. Started from the principal axes, all directions are there at the first
 * step.
 *
 * @param encodeDF weights from features to latents, biases in {@code encodeBiasD}
 * @param decodeFD weights from layer-normed latents to features, biases in {@code decodeBiasF}
 */
record LinearCodec(Tensor encodeDF, Tensor encodeBiasD, Tensor decodeFD, Tensor decodeBiasF) {
  private static final int ROUNDS = 12;
  private static final double RIDGE = 1e-3;

  /**
   * Fits a batch.
   *
   * @param rowsNF features
   * @param importanceF weight of each feature's squared error
   */
  static LinearCodec fit(Tensor rowsNF, Tensor importanceF, int latent, double epsilon, long seed) {
    int features = (int) rowsNF.size(1);
    Tensor mean = rowsNF.mean(0, false);
    Tensor weightF = importanceF.sqrt();
    Tensor weightedNF = rowsNF.sub(mean).mul(weightF);

    // Orthogonal iteration: the axes of the weighted covariance, largest first.
    SplittableRandom random = new SplittableRandom(seed);
    float[] axes = new float[features * latent];
    for (int i = 0; i < axes.length; i++) {
      axes[i] = (float) (random.nextDouble() - 0.5);
    }
    for (int round = 0; round < ROUNDS; round++) {
      orthonormalise(axes, features, latent);
      Tensor projected = weightedNF.matmul(Tensor.of(axes, features, latent));
      axes = weightedNF.transpose(0, 1).matmul(projected).contiguous().toFloats();
    }
    orthonormalise(axes, features, latent);
    Tensor axesFD = Tensor.of(axes, features, latent);
    // Unscaled axes: distances between latents are distances between spectra (whitened latents gave
    // 0.16 dB more mel distance after 150 steps).
    Tensor encodeDF = axesFD.transpose(0, 1).mul(weightF).contiguous();
    Tensor encodeBiasD = encodeDF.matmul(mean).neg();

    Tensor z = rowsNF.linear(encodeDF, encodeBiasD).layerNorm(null, null, epsilon);
    Tensor withOne = Tensor.cat(List.of(z, Tensor.ones(z.size(0), 1)), 1);
    Tensor gram = withOne.transpose(0, 1).matmul(withOne).div((double) z.size(0));
    Tensor moments = withOne.transpose(0, 1).matmul(rowsNF).div((double) z.size(0));
    int unknowns = latent + 1;
    float[] solution =
        solve(gram.toDoubles(), moments.contiguous().toDoubles(), unknowns, features);
    Tensor solved = Tensor.of(solution, unknowns, features);
    return new LinearCodec(
        encodeDF,
        encodeBiasD,
        solved.narrow(0, 0, latent).transpose(0, 1).contiguous(),
        solved.select(0, latent).contiguous());
  }

  /** Modified Gram-Schmidt on the columns of a [rows, columns] matrix. */
  private static void orthonormalise(float[] matrix, int rows, int columns) {
    for (int c = 0; c < columns; c++) {
      for (int before = 0; before < c; before++) {
        double dot = 0;
        for (int r = 0; r < rows; r++) {
          dot += (double) matrix[r * columns + c] * matrix[r * columns + before];
        }
        for (int r = 0; r < rows; r++) {
          matrix[r * columns + c] -= (float) (dot * matrix[r * columns + before]);
        }
      }
      double square = 0;
      for (int r = 0; r < rows; r++) {
        square += (double) matrix[r * columns + c] * matrix[r * columns + c];
      }
      float scale = (float) (1 / Math.sqrt(Math.max(square, 1e-30)));
      for (int r = 0; r < rows; r++) {
        matrix[r * columns + c] *= scale;
      }
    }
  }

  /** Solves {@code (a + ridge) x = b} by elimination; a is [n, n], symmetric, b is [n, m]. */
  private static float[] solve(double[] a, double[] b, int n, int m) {
    for (int i = 0; i < n; i++) {
      a[i * n + i] += RIDGE;
    }
    for (int pivot = 0; pivot < n; pivot++) {
      double p = a[pivot * n + pivot];
      for (int row = 0; row < n; row++) {
        double factor = row == pivot ? 0 : a[row * n + pivot] / p;
        if (factor != 0) {
          for (int k = pivot; k < n; k++) {
            a[row * n + k] -= factor * a[pivot * n + k];
          }
          for (int k = 0; k < m; k++) {
            b[row * m + k] -= factor * b[pivot * m + k];
          }
        }
      }
    }
    float[] x = new float[n * m];
    for (int row = 0; row < n; row++) {
      for (int k = 0; k < m; k++) {
        x[row * m + k] = (float) (b[row * m + k] / a[row * n + row]);
      }
    }
    return x;
  }
}
