package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.CopyMatch;
import org.descant.audio.analysis.Fingerprint;

/**
 * How much of each clip repeats a training recording: in the sound, by {@link CopiedSpan}, and in
 * the tokens, as the longest run of frames whose first-codebook tokens are those of the recording
 * one after the other. Every clip is compared with every training recording.
 *
 * <p>Music that was held out tells what music that copies nothing gives (the null), and excerpts of
 * the training recordings, sent through the codec, tell what a copy gives: what a threshold lets
 * through, and what it finds.
 *
 * <p>A copy in another key or tempo is not found in the sound, and hardly in the tokens.
 *
 * @param generations one row a generation
 * @param heldOut one row an excerpt of held-out music
 * @param planted one row an excerpt of a training recording
 */
public record MemorisationReport(List<Row> generations, List<Row> heldOut, List<Row> planted) {
  /**
   * A clip that repeats a recording for longer than this is a copy. It stands before any model is
   * measured: two songs that share an accompaniment have at most 2.5 s in common ({@link
   * CopiedSpan}), and {@code serving} delivers nothing above it.
   */
  public static final double COPIED_SECONDS_MAX = 3;

  /**
   * A clip with a longer run of a recording's tokens is a copy. It too stands before any model is
   * measured, and the null tells whether it is high enough.
   */
  public static final double TOKEN_RUN_SECONDS_MAX = 1;

  /** Length, in frames, of the runs whose share is judged. */
  public static final int NGRAM_FRAMES = 4;

  /** A run of tokens with fewer different ones than this is a held sound, or silence. */
  private static final int DIFFERENT_TOKENS_MIN = 8;

  public MemorisationReport {
    generations = List.copyOf(generations);
    heldOut = List.copyOf(heldOut);
    planted = List.copyOf(planted);
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
   * @param ngramShares for runs of 2, 4 and 8 frames, the share of the clip's runs of
   *     first-codebook tokens that some training recording has
   */
  public record Row(
      String clip,
      double copiedSeconds,
      String copiedFrom,
      double clipStart,
      double recordingStart,
      double tokenRunSeconds,
      String tokenRunFrom,
      List<Double> ngramShares) {
    public Row {
      ngramShares = List.copyOf(ngramShares);
    }
  }

  /**
   * Compares every clip with every training recording.
   *
   * @param recordings training recordings, each named by its ISRC; one may come several times, such
   *     as it is and as the codec gives it back, and its codes may be empty
   * @param frameRate of the codes
   */
  public static MemorisationReport of(
      List<Sound> generations,
      List<Sound> heldOut,
      List<Sound> planted,
      List<Sound> recordings,
      double frameRate,
      Consumer<String> progress) {
    List<Sound> clips = new ArrayList<>(generations);
    clips.addAll(heldOut);
    clips.addAll(planted);
    TokenNgrams ngrams =
        TokenNgrams.of(recordings.stream().map(recording -> recording.codes()[0]).toList());
    Row[] rows = new Row[clips.size()];
    Arrays.setAll(
        rows,
        i -> {
          Sound clip = clips.get(i);
          return new Row(clip.name(), 0, "", 0, 0, 0, "", ngrams.shares(clip.codes()[0]));
        });
    long start = System.nanoTime();
    for (int r = 0; r < recordings.size(); r++) {
      Sound trained = recordings.get(r);
      for (int i = 0; i < rows.length; i++) {
        rows[i] = better(rows[i], clips.get(i), trained, frameRate);
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      progress.accept(
          "memorisation: comparison %d of %d, %.0f s left"
              .formatted(
                  r + 1, recordings.size(), seconds / (r + 1) * (recordings.size() - r - 1)));
    }
    List<Row> all = Arrays.asList(rows);
    return new MemorisationReport(
        all.subList(0, generations.size()),
        all.subList(generations.size(), generations.size() + heldOut.size()),
        all.subList(generations.size() + heldOut.size(), rows.length));
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
        longer ? trained.name() : row.tokenRunFrom(),
        row.ngramShares());
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

  /** The row with the longest run of tokens. */
  public Row longestTokenRun() {
    return generations.stream()
        .max(Comparator.comparingDouble(Row::tokenRunSeconds))
        .orElseThrow(() -> new EvaluationException("There are no generations to judge"));
  }

  /** Generations that repeat a recording for longer than allowed, by their sound. */
  public long copies() {
    return copies(generations);
  }

  /** Generations that repeat a recording for longer than allowed, by their tokens. */
  public long tokenCopies() {
    return tokenCopies(generations);
  }

  /** Rows above {@link #COPIED_SECONDS_MAX}. */
  public static long copies(List<Row> rows) {
    return rows.stream().filter(row -> row.copiedSeconds() > COPIED_SECONDS_MAX).count();
  }

  /** Rows above {@link #TOKEN_RUN_SECONDS_MAX}. */
  public static long tokenCopies(List<Row> rows) {
    return rows.stream().filter(row -> row.tokenRunSeconds() > TOKEN_RUN_SECONDS_MAX).count();
  }

  /** Shares of {@value #NGRAM_FRAMES}-frame runs that the training set has, of held-out music. */
  public NullDistribution nullNgrams() {
    return new NullDistribution(heldOut.stream().map(MemorisationReport::ngrams).toList());
  }

  /**
   * A clip with a larger share of {@value #NGRAM_FRAMES}-frame runs is a copy: half way from the
   * largest share of held-out music to that of the median planted copy, since no fixed one fits all
   * codecs. Where planted copies have no more than held-out music it is the largest share of the
   * latter, and hardly a planted copy lies above it: then the measure is blind.
   */
  public double ngramThreshold() {
    double largest = nullNgrams().largest();
    if (planted.isEmpty()) {
      return largest;
    }
    double copy =
        new NullDistribution(planted.stream().map(MemorisationReport::ngrams).toList())
            .quantile(0.5);
    return Math.max(largest, (largest + copy) / 2);
  }

  /** The row's share of {@value #NGRAM_FRAMES}-frame runs. */
  public static double ngrams(Row row) {
    return row.ngramShares().get(TokenNgrams.LENGTHS.indexOf(NGRAM_FRAMES));
  }

  /** Rows above {@link #ngramThreshold}. */
  public long ngramCopies(List<Row> rows) {
    double threshold = ngramThreshold();
    return rows.stream().filter(row -> ngrams(row) > threshold).count();
  }

  /** The generation with the largest share of {@value #NGRAM_FRAMES}-frame runs. */
  public Row mostNgrams() {
    return generations.stream()
        .max(Comparator.comparingDouble(MemorisationReport::ngrams))
        .orElseThrow(() -> new EvaluationException("There are no generations to judge"));
  }

  /** Mean share of n-grams that the training set has, by their length in frames. */
  public static SortedMap<Integer, Double> meanNgramShares(List<Row> rows) {
    SortedMap<Integer, Double> means = new TreeMap<>();
    for (int i = 0; i < TokenNgrams.LENGTHS.size(); i++) {
      int length = i;
      means.put(
          TokenNgrams.LENGTHS.get(i),
          rows.stream().mapToDouble(row -> row.ngramShares().get(length)).average().orElse(0));
    }
    return means;
  }
}
