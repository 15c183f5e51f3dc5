package org.descant.models.lm;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.FrameConditions;

/**
 * In which order a causal model meets the frames of a sequence, so that it can fill a span whose
 * both sides are known: fill in the middle (Bavarian et al., "Efficient Training of Language Models
 * to Fill in the Middle", 2022) for frames of codes.
 *
 * <pre>
 *   in time:    [ before | middle | after ]
 *   in steps:   [ after | before | middle ]     middle comes last: it sees both sides
 *   positions:  every frame keeps its place in time, so the distance to what follows is known
 *   parts:      each frame is told its part by a learned vector
 * </pre>
 *
 * <p>The delay pattern lies over the steps. Before and middle stay neighbours, so their delay is
 * that of plain music; at the seam between after and before, a few fine codes of after are met
 * beside the first coarse ones of before. Without an after the order is time's and nothing is told:
 * plain music, and going on from a beginning. Immutable.
 *
 * @param before frames before the span
 * @param middle frames of the span
 * @param after frames after it; 0 for plain music
 */
public record SpanLayout(int before, int middle, int after) {
  /** Parts as the model is told them. */
  static final int PLAIN = 0;

  static final int AFTER = 1;
  static final int BEFORE = 2;
  static final int MIDDLE = 3;
  static final int PARTS = 4;

  /** A drawn span covers at least this part of the sequence, and so does what follows it. */
  private static final int PART_MIN = 8;

  public SpanLayout {
    if (before < 0 || middle < 1 || after < 0) {
      throw new ModelException(
          "A span has frames, and no fewer than 0 around it; got "
              + before
              + ", "
              + middle
              + " and "
              + after);
    }
  }

  /** Plain music. */
  public static SpanLayout plain(int frames) {
    return new SpanLayout(0, frames, 0);
  }

  /** The longest span that is drawn in, or can be filled within, {@code frames} frames. */
  public static int longestMiddle(int frames) {
    return Math.max(1, frames * 3 / 4);
  }

  /**
   * A random span for training: from an eighth to three quarters of the frames, at any place that
   * leaves an eighth after it.
   *
   * @param frames at least 16
   */
  public static SpanLayout draw(int frames, SplittableRandom random) {
    int least = frames / PART_MIN;
    int middle = random.nextInt(least, longestMiddle(frames) + 1);
    int before = random.nextInt(frames - middle - least + 1);
    return new SpanLayout(before, middle, frames - middle - before);
  }

  /** Frames in all. */
  public int frames() {
    return before + middle + after;
  }

  /** Frames that come before the span in steps: those that are known. */
  public int given() {
    return after + before;
  }

  /** Whether the order is time's. */
  public boolean isPlain() {
    return after == 0;
  }

  /** The frame in time that comes at this place in the order of steps. */
  int frameAt(int place) {
    return place < after ? before + middle + place : place - after;
  }

  /**
   * The position of a step: its frame's place in time. The steps after the last frame, which finish
   * its delayed codes, go on from there.
   */
  int position(int step) {
    return step < frames() ? frameAt(step) : frameAt(frames() - 1) + step - frames() + 1;
  }

  /** The part that the frame of a step belongs to. */
  int part(int step) {
    if (isPlain()) {
      return PLAIN;
    }
    return step < after ? AFTER : step < given() ? BEFORE : MIDDLE;
  }

  /** Codes {@code [codebook][frame]} from the order of time to that of steps. */
  int[][] arrange(int[][] codes) {
    return Arrays.stream(codes).map(this::arrange).toArray(int[][]::new);
  }

  private int[] arrange(int[] inTime) {
    int[] inSteps = new int[inTime.length];
    Arrays.setAll(inSteps, place -> inTime[frameAt(place)]);
    return inSteps;
  }

  /** Conditions from the order of time to that of steps. */
  FrameConditions arrange(FrameConditions inTime) {
    if (isPlain()) {
      return inTime;
    }
    return inTime.slice(before + middle, frames()).then(inTime.slice(0, before + middle));
  }
}
