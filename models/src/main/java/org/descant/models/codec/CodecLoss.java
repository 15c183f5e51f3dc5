package org.descant.models.codec;

import java.util.List;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * How far decoded magnitudes are from the true ones.
 *
 * <p>Five terms: L1 on decibels, weighted by 1/(1 + f/700 Hz) and less in near silence; L1 on
 * {@code 10^(dB/50)}, which counts what is loud; L1 on the power in mel bands in decibels, without
 * which the decoder hedges between neighbouring bins and loses level; L1 on the stereo image; and
 * the quantiser's commitment. A pure function of its arguments.
 */
public final class CodecLoss implements AutoCloseable {
  private static final double DB_WEIGHT = 1;
  private static final double LOUD_WEIGHT = 3;
  private static final double STEREO_WEIGHT = 0.3;
  private static final double STEREO_IMPORTANCE = 3;
  private static final double COMMITMENT_WEIGHT = 0.1;

  /** Weight of bins at the floor, rising to 1 over {@link #QUIET_SPAN_DB} from 5 dB above it. */
  private static final double QUIET_WEIGHT = 0.2;

  private static final double QUIET_SPAN_DB = 25;
  private static final double CORNER_HZ = 700;

  /** Triangles, half as wide again as the mel distance's, so that each holds a few bins. */
  private static final int BANDS = 96;

  private static final double BAND_HZ_MIN = 32;
  private static final double BAND_WEIGHT = 2;
  private static final double BAND_POWER_MIN = 1e-9;

  private final Tensor binWeight;
  private final Tensor bandsMC;
  private final int bins = CodecFeatures.STFT_FRAMES * CodecFeatures.BINS;

  /** Prepares the weights; close it to free them. */
  public CodecLoss() {
    float[] weight = new float[bins];
    double sum = 0;
    for (int m = 0; m < bins; m++) {
      double hz = (double) (m % CodecFeatures.BINS) * CodecFeatures.SAMPLE_RATE / CodecFeatures.FFT;
      weight[m] = (float) (1 / (1 + hz / CORNER_HZ));
      sum += weight[m];
    }
    for (int m = 0; m < bins; m++) {
      weight[m] = (float) (weight[m] * bins / sum);
    }
    try (Scope scope = Scope.open()) {
      binWeight = Tensor.of(weight, bins).retain();
      bandsMC =
          Tensor.of(bands(CodecFeatures.FFT, BANDS, BAND_HZ_MIN), CodecFeatures.BINS, BANDS)
              .retain();
    }
  }

  /** Weight of each feature's error, [features]: the spectrum's bins, then the stereo numbers. */
  Tensor importance(int features) {
    if (features == bins) {
      return binWeight;
    }
    Tensor stereo = Tensor.full(STEREO_IMPORTANCE, features - bins);
    return Tensor.cat(List.of(binWeight, stereo), 0);
  }

  /**
   * Triangular bands, even on the mel scale 2595 log10(1 + f/700), each summing to 1: [bins, bands]
   * of a transform of {@code fft} samples.
   *
   * @param hzMin least half width of a band
   */
  static float[] bands(int fft, int bands, double hzMin) {
    int bins = fft / 2 + 1;
    float[] matrix = new float[bins * bands];
    double top = mel(CodecFeatures.SAMPLE_RATE / 2.0);
    for (int band = 0; band < bands; band++) {
      double centre = (band + 0.5) / bands * top;
      double sum = 0;
      for (int pass = 0; pass < 2; pass++) {
        for (int m = 0; m < bins; m++) {
          double hz = (double) m * CodecFeatures.SAMPLE_RATE / fft;
          double width = Math.max(top / bands, mel(hz + hzMin) - mel(hz));
          double height = Math.max(0, 1 - Math.abs(mel(hz) - centre) / width);
          if (pass == 0) {
            sum += height;
          } else {
            matrix[m * bands + band] = (float) (height / Math.max(sum, 1e-9));
          }
        }
      }
    }
    return matrix;
  }

  private static double mel(double hz) {
    return 2595 * StrictMath.log10(1 + hz / 700);
  }

  /**
   * The terms of one batch, scalars with gradients.
   *
   * @param decibels weighted mean |dB| difference
   * @param loud weighted mean |10^(dB/50)| difference
   * @param bands mean |dB| difference of the power in mel bands
   * @param stereo mean difference of the stereo numbers; 0 for a mono codec
   * @param commitment mean squared distance between latents and codes
   */
  public record Terms(
      Tensor total, Tensor decibels, Tensor loud, Tensor bands, Tensor stereo, Tensor commitment) {}

  /**
   * Compares decoded and true features.
   *
   * @param decodedBLF network output
   * @param targetBLF features of the same frames
   */
  public Terms of(Tensor decodedBLF, Tensor targetBLF, Tensor commitment) {
    long size = targetBLF.size(2);
    Tensor decoded = decodedBLF.narrow(2, 0, bins);
    Tensor target = targetBLF.narrow(2, 0, bins);
    double quietFrom =
        (CodecFeatures.FLOOR_DB + 5 - CodecFeatures.CENTRE_DB) / CodecFeatures.SCALE_DB;
    double quietSpan = QUIET_SPAN_DB / CodecFeatures.SCALE_DB;
    Tensor weight =
        target
            .sub(quietFrom)
            .mul((1 - QUIET_WEIGHT) / quietSpan)
            .clamp(0, 1 - QUIET_WEIGHT)
            .add(QUIET_WEIGHT)
            .mul(binWeight);
    Tensor decibels = decoded.sub(target).abs().mul(weight).mean().mul(CodecFeatures.SCALE_DB);
    Tensor loud = loudness(decoded).sub(loudness(target)).abs().mul(binWeight).mean();
    Tensor bands = bandDecibels(decoded).sub(bandDecibels(target)).abs().mean();
    Tensor stereo =
        size == bins
            ? Tensor.scalar(0)
            : decodedBLF
                .narrow(2, bins, size - bins)
                .l1Loss(targetBLF.narrow(2, bins, size - bins));
    Tensor total =
        decibels
            .mul(DB_WEIGHT / CodecFeatures.SCALE_DB)
            .add(loud.mul(LOUD_WEIGHT))
            .add(bands.mul(BAND_WEIGHT / CodecFeatures.SCALE_DB))
            .add(stereo.mul(STEREO_WEIGHT))
            .add(commitment.mul(COMMITMENT_WEIGHT));
    return new Terms(total, decibels, loud, bands, stereo, commitment);
  }

  /** 10^(dB/50); the network's range is bounded so that an early wild guess cannot overflow. */
  private static Tensor loudness(Tensor scaled) {
    double perUnit = CodecFeatures.SCALE_DB / 50 * Math.log(10);
    return scaled.clampMax(3).mul(perUnit).add(CodecFeatures.CENTRE_DB / 50 * Math.log(10)).exp();
  }

  /** Power in bands, in dB: [batch, frames, 2, bands]. */
  private Tensor bandDecibels(Tensor scaledBLM) {
    double perUnit = CodecFeatures.SCALE_DB / 10 * Math.log(10);
    Tensor power =
        scaledBLM
            .reshape(-1, CodecFeatures.BINS)
            .clampMax(3)
            .mul(perUnit)
            .add(CodecFeatures.CENTRE_DB / 10 * Math.log(10))
            .exp();
    return power.matmul(bandsMC).add(BAND_POWER_MIN).log().mul(10 / Math.log(10));
  }

  @Override
  public void close() {
    binWeight.close();
    bandsMC.close();
  }
}
