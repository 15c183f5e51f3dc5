package org.descant.audio.analysis;

import java.util.Arrays;
import org.descant.audio.Pcm;

/**
 * How far a sound is from a reference, in dB: the mean absolute difference over 128 mel bands (FFT
 * 2048, hop 512, from 0 Hz to half the sample rate). In both, values more than 60 dB below the
 * loudest band of the reference count as 60 dB below. 0 for equal sounds; Opus at 12 kb/s is near 2
 * on music. Both are mixed to mono; the other is resampled to the reference's rate and cut, or
 * continued with silence, to its length.
 */
public final class MelDistance {
  private static final int BANDS = 128;
  private static final int FFT_SIZE = 2048;
  private static final int HOP = 512;
  private static final double RANGE_DB = 60;
  private static final double POWER_MIN = 1e-20;

  private MelDistance() {}

  public static double between(Pcm reference, Pcm other) {
    float[] first = reference.mono().channel(0);
    float[] second =
        Arrays.copyOf(other.mono().resampled(reference.sampleRate()).channel(0), first.length);
    float[][] a = decibels(first, reference.sampleRate());
    float[][] b = decibels(second, reference.sampleRate());
    float loudest = Float.NEGATIVE_INFINITY;
    for (float[] frame : a) {
      for (float value : frame) {
        loudest = Math.max(loudest, value);
      }
    }
    float floor = (float) (loudest - RANGE_DB);
    double sum = 0;
    for (int t = 0; t < a.length; t++) {
      for (int band = 0; band < BANDS; band++) {
        sum += Math.abs(Math.max(floor, a[t][band]) - Math.max(floor, b[t][band]));
      }
    }
    return sum / ((double) a.length * BANDS);
  }

  private static float[][] decibels(float[] samples, int sampleRate) {
    MelBands bands = new MelBands(BANDS, sampleRate, FFT_SIZE, 0, sampleRate / 2.0);
    float[][] all = new float[Spectra.frameCount(samples.length, HOP)][BANDS];
    Spectra.forEachFrame(
        samples,
        FFT_SIZE,
        HOP,
        (frame, magnitudes) -> {
          bands.power(magnitudes, all[frame]);
          for (int band = 0; band < BANDS; band++) {
            all[frame][band] = (float) (10 * Math.log10(all[frame][band] + POWER_MIN));
          }
        });
    return all;
  }
}
