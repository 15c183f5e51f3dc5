package org.descant.models.codec;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * How far waveforms are from the true ones, by their spectra at several resolutions.
 *
 * <p>As Kumar et al. 2023 (arXiv:2306.06546) train their codec: Hann windows of 32 to 2,048
 * samples, each a quarter of itself further; for each the mean absolute difference of {@code log10}
 * of 5 to 320 mel bands, summed over the windows. Beside it the multi-resolution STFT distance: for
 * windows of 2,048 and of 512 samples the mean absolute difference of magnitudes and that of {@code
 * log10} of their squares, summed. What is under 1e-5 counts as 1e-5 in every logarithm.
 *
 * <p>A pure function of its arguments, safe in any number of threads; {@link #close} frees its
 * tables.
 */
public final class WaveformLoss implements AutoCloseable {
  private static final int[] WINDOWS = {32, 64, 128, 256, 512, 1024, 2048};
  private static final int[] BANDS = {5, 10, 20, 40, 80, 160, 320};

  /** Windows whose magnitudes are compared bin by bin. */
  private static final List<Integer> FINE_WINDOWS = List.of(512, 2048);

  private static final double LEAST = 1e-5;

  /** Under the root of a power, which has no slope at 0. */
  private static final double POWER_MIN = 1e-12;

  private record Resolution(Tensor window, Tensor bandsMC, boolean fine) {}

  /** Magnitudes, where they are compared, and the logarithm of mel bands. */
  private record Seen(@Nullable Tensor magnitudes, Tensor bands) {}

  /**
   * The terms of a batch, scalars with gradients.
   *
   * @param mel sum over seven resolutions
   * @param stft sum over two resolutions, two terms each
   */
  public record Terms(Tensor mel, Tensor stft) {}

  private final List<Resolution> resolutions = new ArrayList<>();

  /**
   * Prepares windows and bands.
   *
   * @param sampleRate of the waveforms
   */
  public WaveformLoss(int sampleRate) {
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < WINDOWS.length; i++) {
        int size = WINDOWS[i];
        resolutions.add(
            new Resolution(
                Tensor.hannWindow(size).retain(),
                Tensor.of(bands(size, BANDS[i], sampleRate), size / 2 + 1, BANDS[i]).retain(),
                FINE_WINDOWS.contains(size)));
      }
    }
  }

  /** Samples that a waveform has at least: more than half of the longest window. */
  public static int samplesMin() {
    return WINDOWS[WINDOWS.length - 1] / 2 + 1;
  }

  /**
   * Compares waveforms.
   *
   * @param madeB1N what a codec made, [batch, 1, samples]
   * @param trueB1N what it should be, of the same shape
   */
  public Terms of(Tensor madeB1N, Tensor trueB1N) {
    if (madeB1N.dim() != 3
        || madeB1N.size(1) != 1
        || madeB1N.size(2) < samplesMin()
        || madeB1N.size(0) != trueB1N.size(0)
        || madeB1N.size(2) != trueB1N.size(2)) {
      throw new ModelException(
          "Waveforms are compared as [batch, 1, %d samples or more] of equal length, not %s and %s."
              .formatted(samplesMin(), madeB1N, trueB1N));
    }
    Tensor made = madeB1N.squeeze(1);
    Tensor truth = trueB1N.squeeze(1);
    Tensor mel = null;
    Tensor stft = null;
    for (Resolution resolution : resolutions) {
      Seen wanted;
      try (NoGrad noGrad = NoGrad.open()) {
        wanted = see(truth, resolution);
      }
      Seen seen = see(made, resolution);
      mel = plus(mel, seen.bands.l1Loss(wanted.bands));
      if (seen.magnitudes != null && wanted.magnitudes != null) {
        stft =
            plus(
                stft,
                seen.magnitudes
                    .l1Loss(wanted.magnitudes)
                    .add(logarithm(seen.magnitudes).l1Loss(logarithm(wanted.magnitudes)).mul(2.0)));
      }
    }
    if (mel == null || stft == null) {
      throw new IllegalStateException("no resolution");
    }
    return new Terms(mel, stft);
  }

  private static Tensor plus(@Nullable Tensor sum, Tensor more) {
    return sum == null ? more : sum.add(more);
  }

  private static Seen see(Tensor samplesBN, Resolution resolution) {
    long hop = resolution.window.count() / 4;
    Tensor power = samplesBN.stft(resolution.window, hop).viewAsReal().square().sum(-1, false);
    Tensor magnitudesBTM = power.add(POWER_MIN).sqrt().transpose(1, 2);
    return new Seen(
        resolution.fine ? magnitudesBTM : null,
        logarithm(magnitudesBTM.matmul(resolution.bandsMC)));
  }

  private static Tensor logarithm(Tensor values) {
    return values.clampMin(LEAST).log10();
  }

  /**
   * Triangular bands of equal area, even on the mel scale {@code 2595 log10(1 + f/700)}; none is
   * narrower than two bins, so that each sees something.
   */
  private static float[] bands(int size, int bands, int sampleRate) {
    int bins = size / 2 + 1;
    double binHz = (double) sampleRate / size;
    double top = mel(sampleRate / 2.0);
    float[] matrix = new float[bins * bands];
    for (int band = 0; band < bands; band++) {
      double centre = hz((band + 1) * top / (bands + 1));
      double low = Math.min(hz(band * top / (bands + 1)), centre - binHz);
      double high = Math.max(hz((band + 2) * top / (bands + 1)), centre + binHz);
      for (int bin = 0; bin < bins; bin++) {
        double f = bin * binHz;
        double height = Math.min((f - low) / (centre - low), (high - f) / (high - centre));
        matrix[bin * bands + band] = (float) (Math.max(0, height) * 2 / (high - low));
      }
    }
    return matrix;
  }

  private static double mel(double hz) {
    return 2595 * StrictMath.log10(1 + hz / 700);
  }

  private static double hz(double mel) {
    return 700 * (StrictMath.pow(10, mel / 2595) - 1);
  }

  /** Frees the tables. */
  @Override
  public void close() {
    for (Resolution resolution : resolutions) {
      resolution.window.close();
      resolution.bandsMC.close();
    }
  }
}
