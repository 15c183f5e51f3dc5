package org.descant.models.published.musicgen;

import java.util.Arrays;

/**
 * The columns of codes that MusicGen decodes, one a step: column 0 holds the special token in every
 * stream, and a stream's frame f stands in column {@code f + 1 + delay}. Where a stream has no
 * frame the special token stands, whatever was drawn.
 *
 * <p>As in the reference, a run of fewer than {@code 2 × codebooks − 1} columns has no delays at
 * all. Belongs to one decoding run.
 */
final class DelayedColumns {
  private final MusicGenConfig config;
  private final int clips;
  private final int special;
  private final int frames;
  private final boolean delayed;
  private final long[][] columns;
  private int count;

  /**
   * An empty run with its first column.
   *
   * @param steps columns to come
   */
  DelayedColumns(MusicGenConfig config, int clips, int steps, int special) {
    this.config = config;
    this.clips = clips;
    this.special = special;
    this.delayed = isDelayed(config, steps);
    this.frames = frames(config, steps);
    this.columns = new long[steps + 1][];
    long[] first = new long[clips * config.codebooks()];
    Arrays.fill(first, special);
    columns[count++] = first;
  }

  private static boolean isDelayed(MusicGenConfig config, int steps) {
    return steps + 1 >= 2 * config.codebooksPerChannel() - 1;
  }

  /** Frames that so many steps make. */
  static int frames(MusicGenConfig config, int steps) {
    return isDelayed(config, steps) ? steps + 1 - config.codebooksPerChannel() : steps;
  }

  /** Frames of the whole run. */
  int frames() {
    return frames;
  }

  /** The frame that a stream has in the column to come; below 0 or not below frames is none. */
  int frame(int stream) {
    return count - 1 - (delayed ? config.delay(stream) : 0);
  }

  /** The newest column: [clips × streams]. */
  long[] last() {
    return columns[count - 1];
  }

  /** Adds what was drawn. */
  void add(long[] drawn) {
    int streams = config.codebooks();
    long[] column = drawn.clone();
    for (int row = 0; row < column.length; row++) {
      int frame = frame(row % streams);
      if (frame < 0 || frame >= frames) {
        column[row] = special;
      }
    }
    columns[count++] = column;
  }

  /** The codes of a whole run: [clips × streams × frames]. */
  long[] codes() {
    int streams = config.codebooks();
    long[] codes = new long[clips * streams * frames];
    for (int row = 0; row < clips * streams; row++) {
      int first = 1 + (delayed ? config.delay(row % streams) : 0);
      for (int frame = 0; frame < frames; frame++) {
        codes[row * frames + frame] = columns[first + frame][row];
      }
    }
    return codes;
  }
}
