package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelodyLine;
import org.descant.models.condition.FrameConditions;

/**
 * Whether generations follow the melody that was asked for: the share of beats whose strongest
 * pitch class, as {@link MelodyLine} hears it, is the one that was asked. Beside it stand the same
 * requests without a melody: what agreement the key alone gives. Stateless.
 */
public final class MelodyControl {
  private static final int[] MAJOR = {0, 2, 4, 5, 7, 9, 11};
  private static final int[] MINOR = {0, 2, 3, 5, 7, 8, 10};
  private static final int NOTE_BEATS = 2;
  private static final int STEP_MAX = 2;

  private MelodyControl() {}

  /**
   * What was asked of a clip, from its beginning on.
   *
   * @param pitches of the beats, 0 (C) to 11, or {@link FrameConditions#REST}, which is not counted
   */
  public record Asked(List<Integer> pitches, double tempoBpm) {
    public Asked {
      pitches = List.copyOf(pitches);
    }
  }

  /**
   * Shares of beats, 0 to 1; not a number when none was counted.
   *
   * @param asked with the melody asked for
   * @param without the same, not asked for
   * @param beats that were counted
   */
  public record Shares(double asked, double without, int beats) {}

  /** A melody that fills so many seconds: a walk over the key's scale, two beats a note. */
  public static Asked walk(
      MusicalKey key, double tempoBpm, double seconds, SplittableRandom random) {
    int[] scale = key.mode() == Mode.MAJOR ? MAJOR : MINOR;
    List<Integer> pitches = new ArrayList<>();
    int degree = 0;
    for (int beat = 0; beat < Math.max(1, seconds * tempoBpm / 60); beat++) {
      if (beat > 0 && beat % NOTE_BEATS == 0) {
        int step = 1 + random.nextInt(STEP_MAX);
        degree = Math.floorMod(degree + (random.nextBoolean() ? step : -step), scale.length);
      }
      pitches.add((key.tonic() + scale[degree]) % 12);
    }
    return new Asked(pitches, tempoBpm);
  }

  /**
   * Listens.
   *
   * @param following clips with a melody asked for
   * @param free the clips of the same requests without a melody
   * @param asked the melodies, in the same order
   */
  public static Shares compare(List<Pcm> following, List<Pcm> free, List<Asked> asked) {
    if (following.size() != asked.size() || free.size() != asked.size()) {
      throw new EvaluationException(
          "Every melody needs its clip and the clip without it: %d melodies, %d and %d clips"
              .formatted(asked.size(), following.size(), free.size()));
    }
    int[] with = new int[2];
    int[] without = new int[2];
    for (int i = 0; i < asked.size(); i++) {
      count(following.get(i), asked.get(i), with);
      count(free.get(i), asked.get(i), without);
    }
    return new Shares((double) with[0] / with[1], (double) without[0] / without[1], with[1]);
  }

  /** Adds hits and beats. */
  private static void count(Pcm sound, Asked asked, int[] sums) {
    double beat = 60 / asked.tempoBpm();
    double[] times = new double[1 + Math.max(1, (int) (sound.seconds() / beat))];
    Arrays.setAll(times, i -> i * beat);
    int[] heard = MelodyLine.between(sound, times);
    for (int i = 0; i < Math.min(heard.length, asked.pitches().size()); i++) {
      if (asked.pitches().get(i) < FrameConditions.REST) {
        sums[0] += heard[i] == asked.pitches().get(i) ? 1 : 0;
        sums[1]++;
      }
    }
  }
}
