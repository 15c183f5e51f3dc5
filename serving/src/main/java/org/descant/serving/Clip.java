package org.descant.serving;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Waveform;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a finished clip.
 *
 * @param style ISRC of the reference, and the decision that allowed it; empty when there is none
 * @param shareRule how credits and money were divided: {@code attribution} or {@code equal-share},
 *     and {@code half-to-style, } in front when a style was asked for
 * @param attribution weight of every training recording by ISRC, largest first, whatever rule
 *     divided; half of it is that of the clip which a flow model began from
 * @param reliability how sure attribution is with the model, null when nobody has measured it
 * @param wav this machine's path of the file when it was made
 * @param wavSha256 lower-case hex, of the file with its credential
 * @param seed that made it
 * @param askedSeed that was asked for; another one when that one came out too close to a recording
 * @param attempt how many seeds were tried, this one included
 * @param madeFrom id of the clip that it goes on from, of which a span was made anew, or which a
 *     flow model began from; empty when it began from nothing
 * @param melodyOf id of the clip whose melody it follows; empty when none
 * @param peaks pairs of lowest and highest sample, {@value #PEAKS_PER_SECOND} a second
 */
public record Clip(
    String id,
    String usage,
    String text,
    double seconds,
    int sampleRate,
    double tempo,
    String key,
    List<String> tags,
    String style,
    String styleDecision,
    String madeFrom,
    String melodyOf,
    long seed,
    long askedSeed,
    int attempt,
    String model,
    String modelName,
    String datasetRoot,
    String at,
    List<CreditLine> credits,
    String shareRule,
    Map<String, Double> attribution,
    @Nullable Reliability reliability,
    List<TransferLine> transfers,
    String currency,
    Copied copied,
    String wav,
    String flac,
    String wavSha256,
    String flacSha256,
    List<float[]> peaks,
    double realTimeFactor,
    long firstChunkMs) {
  private static final int PEAKS_PER_SECOND = 20;
  private static final int TEXT_CHARS_SHOWN = 200;

  /** A credit as it is shown. */
  public record CreditLine(
      String party, String name, String role, String recording, String title, double share) {}

  /** A transfer as it is shown; amounts in millionths. */
  public record TransferLine(
      String from, String to, String toName, long amount, String currency, String reason) {}

  /** The longest span that is like a training recording. */
  public record Copied(double seconds, String recording) {}

  /**
   * How far attribution can be trusted.
   *
   * @param score rank correlation with leave-one-out retraining, over {@code groups} of recordings
   * @param threshold the score from which attribution decides the shares
   */
  public record Reliability(
      String method, double score, int groups, String command, double threshold, boolean decides) {}

  /** Puts the attribution in its order, which the database does not keep. */
  public Clip {
    Map<String, Double> sorted = new LinkedHashMap<>();
    attribution.entrySet().stream()
        .sorted(
            Map.Entry.<String, Double>comparingByValue()
                .reversed()
                .thenComparing(Map.Entry.comparingByKey()))
        .forEach(weight -> sorted.put(weight.getKey(), weight.getValue()));
    attribution = sorted;
    // A row from before clips could be made from clips has neither.
    madeFrom = Objects.requireNonNullElse(madeFrom, "");
    melodyOf = Objects.requireNonNullElse(melodyOf, "");
    if (attempt == 0) { // a row from before there were attempts
      attempt = 1;
      askedSeed = seed;
    }
  }

  Clip withTransfers(List<TransferLine> lines) {
    return new Clip(
        id,
        usage,
        text,
        seconds,
        sampleRate,
        tempo,
        key,
        tags,
        style,
        styleDecision,
        madeFrom,
        melodyOf,
        seed,
        askedSeed,
        attempt,
        model,
        modelName,
        datasetRoot,
        at,
        credits,
        shareRule,
        attribution,
        reliability,
        lines,
        currency,
        copied,
        wav,
        flac,
        wavSha256,
        flacSha256,
        peaks,
        realTimeFactor,
        firstChunkMs);
  }

  /** Pairs of lowest and highest sample, to be drawn. */
  public static List<float[]> peaks(Pcm audio) {
    float[][] peaks =
        Waveform.peaks(audio, Math.max(1, (int) Math.round(audio.seconds() * PEAKS_PER_SECOND)));
    List<float[]> pairs = new ArrayList<>();
    for (int i = 0; i < peaks[0].length; i++) {
      pairs.add(new float[] {peaks[0][i], peaks[1][i]});
    }
    return pairs;
  }

  /** What was asked for in words, no longer than a line. */
  static String shortened(String text) {
    if (text.length() <= TEXT_CHARS_SHOWN) {
      return text;
    }
    int end = Character.isHighSurrogate(text.charAt(TEXT_CHARS_SHOWN - 1)) ? 1 : 0;
    return text.substring(0, TEXT_CHARS_SHOWN - end) + "…";
  }
}
