package org.descant.models.codec;

import java.util.Arrays;
import java.util.List;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * How far a made waveform is from the true one, at three resolutions (windows of 2048, 512 and 256
 * samples, a quarter of them apart).
 *
 * <p>Three terms each: L1 of the magnitudes in mel bands in decibels (multi-scale mel, as in Kumar
 * et al., "High-Fidelity Audio Compression with Improved RVQGAN", 2023), L1 of the magnitudes in
 * decibels, and spectral convergence (both as in Yamamoto, Song, Kim, "Parallel WaveGAN", 2020).
 * Decibels are counted in units of 25, as the codec's features are, down to −90 below full scale. A
 * pure function of its arguments.
 */
public final class SoundLoss implements AutoCloseable {
  private static final int[] WINDOWS = {2048, 512, 256};

  /** Samples of a window for each mel band. */
  private static final int WINDOW_PER_BAND = 16;

  /** Half of the narrowest band in bins. */
  private static final double BINS_MIN = 1.5;

  private static final double MAGNITUDE_MIN = Math.pow(10, CodecFeatures.FLOOR_DB / 20.0);
  private static final double POWER_MIN = 1e-8;
  private static final double UNITS_PER_LN = 20 / Math.log(10) / CodecFeatures.SCALE_DB;

  private final List<Scale> scales;

  private record Scale(int window, Tensor hann, Tensor bandsCM) {
    static Scale of(int window) {
      double hz = BINS_MIN * CodecFeatures.SAMPLE_RATE / window;
      int bands = window / WINDOW_PER_BAND;
      return new Scale(
          window,
          Tensor.hannWindow(window).retain(),
          Tensor.of(CodecLoss.bands(window, bands, hz), window / 2 + 1, bands)
              .transpose(0, 1)
              .contiguous()
              .retain());
    }

    /** Magnitudes, [batch, bins, frames], with the floor added; as large as the transform's. */
    Tensor magnitudes(Tensor soundBN) {
      double fullScale = window / 4.0;
      return soundBN.stft(hann, window / 4).abs().add(MAGNITUDE_MIN * fullScale);
    }
  }

  /** Prepares windows and bands; close it to free them. */
  public SoundLoss() {
    try (Scope scope = Scope.open()) {
      scales = Arrays.stream(WINDOWS).mapToObj(Scale::of).toList();
    }
  }

  /**
   * The terms of one batch, scalars with gradients, means over rows and resolutions.
   *
   * @param total their sum
   * @param mel L1 of the mel bands, in 25 dB
   * @param level L1 of the magnitudes, in 25 dB
   * @param convergence norm of a row's difference in magnitudes over that of the true ones
   */
  public record Terms(Tensor total, Tensor mel, Tensor level, Tensor convergence) {}

  /** Compares made and true waveforms, [batch, samples]; at least a window of them. */
  public Terms of(Tensor madeBN, Tensor truthBN) {
    Tensor mel = Tensor.scalar(0);
    Tensor level = Tensor.scalar(0);
    Tensor convergence = Tensor.scalar(0);
    for (Scale scale : scales) {
      Tensor made = scale.magnitudes(madeBN);
      Tensor truth = scale.magnitudes(truthBN);
      Tensor madeBands = decibels(scale.bandsCM.matmul(made));
      mel = mel.add(madeBands.l1Loss(decibels(scale.bandsCM.matmul(truth))));
      level = level.add(decibels(made).l1Loss(decibels(truth)));
      convergence = convergence.add(norms(made.sub(truth)).div(norms(truth)).mean());
    }
    double share = 1.0 / scales.size();
    mel = mel.mul(share);
    level = level.mul(share);
    convergence = convergence.mul(share);
    return new Terms(mel.add(level).add(convergence), mel, level, convergence);
  }

  /** Of each row, and never quite 0, where a norm has no slope. */
  private static Tensor norms(Tensor magnitudes) {
    return magnitudes.flatten(1, -1).square().sum(1, false).add(POWER_MIN).sqrt();
  }

  private static Tensor decibels(Tensor magnitudes) {
    return magnitudes.log().mul(UNITS_PER_LN);
  }

  @Override
  public void close() {
    for (Scale scale : scales) {
      scale.hann.close();
      scale.bandsCM.close();
    }
  }
}
