package org.descant.evaluation;

import java.util.Arrays;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelodyLine;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.Melody;

/**
 * Whether generations follow the melody that was asked for: the share of beats whose strongest
 * pitch class, as {@link MelodyLine} hears it, is the one that was asked, beside the share against
 * the other generations' questions. Beats that asked for nothing are not counted. Stateless.
 */
public final class MelodyControl {
  private MelodyControl() {}

  /** A melody that was asked for, from the sound's beginning on. */
  public record Asked(Melody melody, double tempoBpm) {}

  /**
   * Shares of beats, 0 to 1; not a number when none was counted.
   *
   * @param asked against what was asked of the sound itself
   * @param shuffled every sound against all other questions: what agreement chance would give
   * @param beats counted against their own question
   */
  public record Shares(double asked, double shuffled, int beats) {}

  /**
   * Listens to generations.
   *
   * @param asked of each sound, in the same order
   */
  public static Shares compare(List<Pcm> sounds, List<Asked> asked) {
    if (sounds.size() != asked.size()) {
      throw new EvaluationException(
          "Every sound needs the melody that was asked of it: %d sounds, %d melodies"
              .formatted(sounds.size(), asked.size()));
    }
    int[] own = new int[2];
    int[] others = new int[2];
    for (int i = 0; i < sounds.size(); i++) {
      int[] heard = heard(sounds.get(i), asked.get(i).tempoBpm());
      for (int j = 0; j < asked.size(); j++) {
        count(heard, asked.get(j).melody().pitches(), i == j ? own : others);
      }
    }
    return new Shares((double) own[0] / own[1], (double) others[0] / others[1], own[1]);
  }

  private static int[] heard(Pcm sound, double tempoBpm) {
    double beat = 60 / tempoBpm;
    double[] times = new double[1 + Math.max(1, (int) (sound.seconds() / beat))];
    Arrays.setAll(times, i -> i * beat);
    return MelodyLine.between(sound, times);
  }

  /** Adds hits and beats. */
  private static void count(int[] heard, List<Integer> wanted, int[] sums) {
    for (int beat = 0; beat < Math.min(heard.length, wanted.size()); beat++) {
      if (wanted.get(beat) < FrameConditions.REST) {
        sums[0] += heard[beat] == wanted.get(beat) ? 1 : 0;
        sums[1]++;
      }
    }
  }
}
