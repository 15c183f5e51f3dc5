package org.descant.training.stage;

import java.util.SplittableRandom;

/**
 * The style of a window from another excerpt of the same recording, so that it cannot name the
 * place that is to be made. Stateless.
 */
final class StyleExcerpt {
  /** An excerpt lasts 4 to 10 s. */
  private static final int FRAMES_MIN = 172;

  private static final int FRAMES_MAX = 430;

  /** Draws until an excerpt lies apart from the window; the last is taken anyway. */
  private static final int DRAWS_MAX = 8;

  private StyleExcerpt() {}

  /** The style for what lies from {@code from} to before {@code to}, in frames of the recording. */
  static float[] drawn(Latents latents, double from, double to, SplittableRandom random) {
    int frames = latents.frames();
    int start = 0;
    int size = frames;
    for (int draw = 0; draw < DRAWS_MAX; draw++) {
      size = Math.min(frames, random.nextInt(FRAMES_MIN, FRAMES_MAX + 1));
      start = random.nextInt(frames - size + 1);
      if (start >= to || start + size <= from) {
        break;
      }
    }
    return latents.between(start, start + size).statistics(0, size);
  }

  /** The style for measuring frames from {@code from} on: the recording's other end. */
  static float[] fixed(Latents latents, int from) {
    int size = Math.min(latents.frames(), FRAMES_MAX);
    int start = from < latents.frames() / 2 ? latents.frames() - size : 0;
    return latents.between(start, start + size).statistics(0, size);
  }
}
