package org.descant.shards;

import java.util.SplittableRandom;
import org.descant.audio.Pcm;

/**
 * One sample as a loader reads it.
 *
 * @param excerpt what it is of
 * @param pcm the sound
 */
public record Clip(ClipPlan.Excerpt excerpt, Pcm pcm) {
  /** Which pass over the samples, from 0. */
  public long epoch() {
    return excerpt.epoch();
  }

  /** Its number in the plan. */
  public long sample() {
    return excerpt.sample();
  }

  /** Index in the plan. */
  public int recording() {
    return excerpt.recording();
  }

  /** First frame in the recording. */
  public int from() {
    return excerpt.from();
  }

  /** The random generator for a purpose, such as pitch: a function of the sample, see the plan. */
  public SplittableRandom draws(String purpose) {
    return excerpt.draws(purpose);
  }
}
