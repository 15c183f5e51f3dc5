package org.descant.audio.analysis;

import java.util.Arrays;
import org.descant.audio.Pcm;

/**
 * Scale-invariant signal-to-distortion ratio, in dB (Le Roux, Wisdom, Erdogan, Hershey, "SDR –
 * Half-baked or Well Done?", ICASSP 2019): the energy of the part of a sound that is the reference
 * at some gain, over the energy of the rest. It counts waveforms: a sound whose phases were made up
 * is near or below 0 dB however good it is. Both are mixed to mono; the other is resampled to the
 * reference's rate and cut, or continued with silence, to its length.
 */
public final class SiSdr {
  /** What equal sounds have, and opposite to what unlike ones have. */
  public static final double DB_MAX = 120;

  private SiSdr() {}

  public static double between(Pcm reference, Pcm other) {
    float[] s = reference.mono().channel(0);
    float[] y = Arrays.copyOf(other.mono().resampled(reference.sampleRate()).channel(0), s.length);
    double product = 0;
    double energy = 0;
    for (int i = 0; i < s.length; i++) {
      product += (double) s[i] * y[i];
      energy += (double) s[i] * s[i];
    }
    double gain = energy == 0 ? 0 : product / energy;
    double target = 0;
    double rest = 0;
    for (int i = 0; i < s.length; i++) {
      double part = gain * s[i];
      target += part * part;
      rest += (y[i] - part) * (y[i] - part);
    }
    if (rest == 0) {
      return target == 0 ? -DB_MAX : DB_MAX;
    }
    return Math.clamp(10 * Math.log10(target / rest), -DB_MAX, DB_MAX);
  }
}
