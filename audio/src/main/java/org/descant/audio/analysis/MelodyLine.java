package org.descant.audio.analysis;

import java.util.Arrays;
import org.descant.audio.AudioException;
import org.descant.audio.Pcm;

/**
 * A coarse melody: the one pitch class that sounds most between each two given times, high notes
 * counting more than low ones and the bass not at all. What is left of a melody line when its
 * octaves, onsets and everything quicker are taken away; enough to steer by, too little to find the
 * place in a recording by.
 *
 * <p>From the pitch class profiles that {@link KeyEstimator} uses (Gómez 2006), as MusicGen's
 * melody condition takes the strongest bin of a chromagram (Copet et al. 2023), but over whole
 * beats. Polyphony is not untangled: a loud accompaniment can win.
 */
public final class MelodyLine {
  /** Nothing above the bass sounds. */
  public static final int NOTHING = -1;

  private static final double HALF_SECOND = 0.5;

  private MelodyLine() {}

  /** Times of every half second of a sound, its end included. */
  public static double[] halfSeconds(double seconds) {
    double[] times = new double[Math.max(2, (int) Math.ceil(seconds / HALF_SECOND) + 1)];
    Arrays.setAll(times, i -> i * HALF_SECOND);
    return times;
  }

  /**
   * The strongest pitch class, 0 (C) to 11, between each two neighbouring times, or {@link
   * #NOTHING}; one fewer than there are times.
   *
   * @param times in seconds, at least two, rising
   * @throws AudioException when there are fewer, or one is before its predecessor
   */
  public static int[] between(Pcm sound, double[] times) {
    if (times.length < 2) {
      throw new AudioException("A melody needs at least two times, got " + times.length + ".");
    }
    Chroma chroma = Chroma.of(sound);
    int[] pitches = new int[times.length - 1];
    for (int i = 0; i < pitches.length; i++) {
      if (!(times[i] <= times[i + 1])) {
        throw new AudioException(
            "Times must rise; %s s comes after %s s.".formatted(times[i + 1], times[i]));
      }
      int from = frame(times[i], chroma);
      int to = Math.max(from + 1, frame(times[i + 1], chroma));
      pitches[i] = strongest(chroma, from, Math.min(to, chroma.treble().length));
    }
    return pitches;
  }

  /** The first frame whose centre is not before a time. */
  private static int frame(double time, Chroma chroma) {
    return (int)
        Math.clamp((long) Math.ceil(time / Chroma.SECONDS_PER_FRAME), 0, chroma.treble().length);
  }

  private static int strongest(Chroma chroma, int from, int to) {
    if (from >= to) {
      return NOTHING;
    }
    double[] mean =
        Chroma.mean(
            Arrays.copyOfRange(chroma.treble(), from, to),
            Arrays.copyOfRange(chroma.weights(), from, to));
    int best = 0;
    for (int p = 1; p < mean.length; p++) {
      best = mean[p] > mean[best] ? p : best;
    }
    return mean[best] > 0 ? best : NOTHING;
  }
}
