package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.CopyMatch;
import org.descant.audio.analysis.Fingerprint;

/**
 * How much of each clip repeats a training recording: in the sound, by {@link CopiedSpan}, and in
 * the tokens, as the longest run of frames whose first-codebook tokens are those of the recording
 * one after the other. Music that was held out tells what music that copies nothing gives.
 *
 * <p>A copy in another key or tempo is not found in the sound, and hardly in the tokens.
 *
 * @param generations one row a generation
 * @param heldOut one row an excerpt of held-out music
 */
public record MemorisationReport(List<Row> generations, List<Row> heldOut) {
  /** A clip that repeats a recording for longer than this is a copy. */
  public static final double COPIED_SECONDS_MAX = 3;

  /** A run of tokens with fewer different ones than this is a held sound, or silence. */
  private static final int DIFFERENT_TOKENS_MIN = 8;

  public MemorisationReport {
    generations = List.copyOf(generations);
    heldOut = List.copyOf(heldOut);
  }

  /** What is compared of a sound: its fingerprint, and its codes. */
  public record Sound(String name, Fingerprint audio, int[][] codes) {}

  /**
   * What was found for a clip.
   *
   * @param copiedSeconds longest span that repeats a training recording, 0 for none
   * @param copiedFrom its ISRC, empty for none
   * @param clipStart where it starts in the clip, in seconds
   * @param recordingStart where it starts in the recording, in seconds
   * @param tokenRunSeconds longest run of equal first-codebook tokens
   * @param tokenRunFrom its ISRC, empty for none
   */
  public record Row(
      String clip,
      double copiedSeconds,
      String copiedFrom,
      double clipStart,
      double recordingStart,
      double tokenRunSeconds,
      String tokenRunFrom) {}

  /**
   * Compares every clip with every training recording.
   *
   * @param recordings training recordings, each named by its ISRC
   * @param frameRate of the codes
   */
  public static MemorisationReport of(
      List<Sound> generations,
      List<Sound> heldOut,
      List<Sound> recordings,
      double frameRate,
      Consumer<String> progress) {
    List<Sound> clips = new ArrayList<>(generations);
    clips.addAll(heldOut);
    Row[] rows = new Row[clips.size()];
    Arrays.setAll(rows, i -> new Row(clips.get(i).name(), 0, "", 0, 0, 0, ""));
    long start = System.nanoTime();
    for (int r = 0; r < recordings.size(); r++) {
      Sound trained = recordings.get(r);
      for (int i = 0; i < rows.length; i++) {
        rows[i] = better(rows[i], clips.get(i), trained, frameRate);
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      progress.accept(
          "memorisation: recording %d of %d, %.0f s left"
              .formatted(
                  r + 1, recordings.size(), seconds / (r + 1) * (recordings.size() - r - 1)));
    }
    List<Row> all = Arrays.asList(rows);
    return new MemorisationReport(
        all.subList(0, generations.size()), all.subList(generations.size(), rows.length));
  }

  private static Row better(Row row, Sound clip, Sound trained, double frameRate) {
    CopyMatch match = CopiedSpan.longest(clip.audio(), trained.audio());
    double run = longestRun(clip.codes()[0], trained.codes()[0]) / frameRate;
    boolean copied = match.seconds() > row.copiedSeconds();
    boolean longer = run > row.tokenRunSeconds();
    return new Row(
        row.clip(),
        copied ? match.seconds() : row.copiedSeconds(),
        copied ? trained.name() : row.copiedFrom(),
        copied ? match.clipStart() : row.clipStart(),
        copied ? match.recordingStart() : row.recordingStart(),
        longer ? run : row.tokenRunSeconds(),
        longer ? trained.name() : row.tokenRunFrom());
  }

  /**
   * The longest run of frames that two sequences of tokens have in common, anywhere in each, with
   * at least {@value #DIFFERENT_TOKENS_MIN} different tokens in it. Time grows with the product of
   * their lengths.
   */
  static int longestRun(int[] clip, int[] recording) {
    int best = 0;
    int[] runs = new int[recording.length + 1];
    for (int i = 0; i < clip.length; i++) {
      // From the end, so that runs[j] is still that of the frame before.
      for (int j = recording.length - 1; j >= 0; j--) {
        runs[j + 1] = clip[i] == recording[j] ? runs[j] + 1 : 0;
        if (runs[j + 1] > best) {
          int from = i + 1 - runs[j + 1];
          long different =
              Arrays.stream(clip, from, i + 1).distinct().limit(DIFFERENT_TOKENS_MIN).count();
          best = different >= DIFFERENT_TOKENS_MIN ? runs[j + 1] : best;
        }
      }
    }
    return best;
  }

  /** The row with the longest copied span. */
  public Row longest() {
    return generations.stream()
        .max(Comparator.comparingDouble(Row::copiedSeconds))
        .orElseThrow(() -> new EvaluationException("There are no generations to judge"));
  }

  /** Generations that repeat a recording for longer than allowed. */
  public long copies() {
    return generations.stream().filter(row -> row.copiedSeconds() > COPIED_SECONDS_MAX).count();
  }
}
