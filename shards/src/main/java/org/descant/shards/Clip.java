package org.descant.shards;

import java.util.SplittableRandom;
import org.descant.audio.Pcm;

/**
 * One sample as a loader gives it.
 *
 * @param seed of the loader's order
 * @param epoch in which it comes
 * @param sample its number in the plan
 * @param recording index in the dataset
 * @param from first frame in the recording
 * @param pcm the sound
 */
public record Clip(long seed, long epoch, long sample, int recording, int from, Pcm pcm) {
  /** The random generator for a purpose, such as pitch: a function of the sample, see the plan. */
  public SplittableRandom draws(String purpose) {
    return ClipPlan.draws(seed, purpose, epoch, sample);
  }
}
