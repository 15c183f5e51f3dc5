package org.descant.evaluation;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a model is worth. A part that was not asked for, or could not be measured, is null.
 *
 * @param model id of its weights
 * @param name of the model
 * @param datasetRoot of the dataset it was trained on
 * @param codec beside Opus
 * @param generation how fast clips were made
 * @param control tempo and key
 * @param melody where the model learned to follow one
 * @param limits of what tempo and key are heard with
 * @param memorisation copied spans
 * @param distance to the music it learned from
 * @param reliability of attribution
 * @param seconds of each part, by name
 */
public record EvaluationReport(
    String model,
    String name,
    String datasetRoot,
    CodecEvaluation.@Nullable Result codec,
    @Nullable Speed generation,
    ControlEvaluation.@Nullable Result control,
    MelodyControl.@Nullable Shares melody,
    ControlEvaluation.@Nullable Limits limits,
    @Nullable MemorisationReport memorisation,
    @Nullable Distances distance,
    ReliabilityStudy.@Nullable Result reliability,
    SortedMap<String, Double> seconds) {

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  /**
   * How fast clips were made.
   *
   * @param clips that were made, several side by side
   * @param timesRealTime seconds of sound, of all of them, made in a second
   */
  public record Speed(int clips, double seconds, double timesRealTime) {}

  /**
   * {@link FrechetDistance}s.
   *
   * @param generatedToTrained of the generations to the training recordings
   * @param heldOutToTrained of music that was held out: what other music of this kind has
   * @param generated embeddings of generations, one a second
   * @param heldOut embeddings of held-out music
   * @param trained embeddings of training recordings
   */
  public record Distances(
      double generatedToTrained,
      double heldOutToTrained,
      int generated,
      int heldOut,
      int trained) {}

  /** The figures by the names that they have in a model card. */
  public SortedMap<String, Double> figures() {
    SortedMap<String, Double> figures = new TreeMap<>();
    if (codec != null) {
      add(figures, "codec", codec.full());
      add(figures, "opus.nearest", codec.nearestOpus());
      add(figures, "opus.lowest", codec.opus().getFirst());
      figures.put("codec.encodeTimesRealTime", codec.encodeTimesRealTime());
      figures.put("codec.decodeTimesRealTime", codec.decodeTimesRealTime());
    }
    if (generation != null) {
      figures.put("generation.timesRealTime", generation.timesRealTime());
    }
    if (control != null) {
      add(figures, "estimators", control.estimators());
      add(figures, "control", control.all());
      add(figures, "control.knownPairs", control.known());
      add(figures, "control.newPairs", control.fresh());
      add(figures, "control.shuffled", control.shuffled());
    }
    if (melody != null) {
      figures.put("control.melody.asked", melody.asked());
      figures.put("control.melody.notAsked", melody.without());
      figures.put("control.melody.beats", (double) melody.beats());
    }
    if (limits != null) {
      add(figures, "estimators.heldOut", limits.heldOut());
      add(figures, "estimators.heldOutThroughCodec", limits.throughCodec());
      if (limits.recordings() > 1) {
        add(figures, "estimators.heldOutShuffled", limits.shuffled());
      }
    }
    if (memorisation != null) {
      figures.put("memorisation.longestCopySeconds", memorisation.longest().copiedSeconds());
      figures.put("memorisation.copies", (double) memorisation.copies());
      figures.put("memorisation.clips", (double) memorisation.generations().size());
      figures.put(
          "memorisation.longestTokenRunSeconds",
          memorisation.generations().stream()
              .mapToDouble(MemorisationReport.Row::tokenRunSeconds)
              .max()
              .orElse(0));
      figures.put(
          "memorisation.heldOut.longestCopySeconds",
          memorisation.heldOut().stream()
              .mapToDouble(MemorisationReport.Row::copiedSeconds)
              .max()
              .orElse(0));
      figures.put(
          "memorisation.heldOut.longestTokenRunSeconds",
          memorisation.heldOut().stream()
              .mapToDouble(MemorisationReport.Row::tokenRunSeconds)
              .max()
              .orElse(0));
      figures.put("memorisation.tokenCopies", (double) memorisation.tokenCopies());
      figures.put("memorisation.heldOut.clips", (double) memorisation.heldOut().size());
      figures.put(
          "memorisation.heldOut.copies",
          (double) MemorisationReport.copies(memorisation.heldOut()));
      figures.put(
          "memorisation.heldOut.tokenCopies",
          (double) MemorisationReport.tokenCopies(memorisation.heldOut()));
      figures.put("memorisation.planted.clips", (double) memorisation.planted().size());
      figures.put(
          "memorisation.planted.copies",
          (double) MemorisationReport.copies(memorisation.planted()));
      figures.put(
          "memorisation.planted.tokenCopies",
          (double) MemorisationReport.tokenCopies(memorisation.planted()));
      figures.put(
          "memorisation.ngramCopies",
          (double) memorisation.ngramCopies(memorisation.generations()));
      figures.put(
          "memorisation.planted.ngramCopies",
          (double) memorisation.ngramCopies(memorisation.planted()));
      figures.put("memorisation.ngramThreshold", memorisation.ngramThreshold());
      addNgrams(figures, "memorisation", memorisation.generations());
      addNgrams(figures, "memorisation.heldOut", memorisation.heldOut());
      addNgrams(figures, "memorisation.planted", memorisation.planted());
    }
    if (distance != null) {
      figures.put("frechet.generatedToTrained", distance.generatedToTrained());
      figures.put("frechet.heldOutToTrained", distance.heldOutToTrained());
    }
    if (reliability != null) {
      add(figures, "attribution.tokens", reliability.of(ReliabilityStudy.TOKENS));
      add(figures, "attribution.gradient", reliability.of(ReliabilityStudy.GRADIENT));
      add(figures, "attribution.similarity", reliability.of(ReliabilityStudy.SIMILARITY));
      add(figures, "attribution.equalShare", reliability.of(ReliabilityStudy.EQUAL_SHARE));
      figures.put("attribution.clips", (double) reliability.clips());
      figures.put("attribution.models", (double) reliability.models());
      if (Double.isFinite(reliability.repeatability())) {
        figures.put("attribution.repeatability", reliability.repeatability());
      }
    }
    return figures;
  }

  private static void add(SortedMap<String, Double> figures, String name, CodecEvaluation.Row row) {
    figures.put(name + ".kilobitsPerSecond", row.kilobitsPerSecond());
    figures.put(name + ".melDistance", row.melDistanceDb());
    figures.put(name + ".stftDistance", row.stftDistance());
    figures.put(name + ".siSdr", row.siSdrDb());
  }

  private static void addNgrams(
      SortedMap<String, Double> figures, String name, List<MemorisationReport.Row> rows) {
    MemorisationReport.meanNgramShares(rows)
        .forEach((length, share) -> figures.put(name + ".ngram" + length, share));
  }

  private static void add(
      SortedMap<String, Double> figures, String name, ControlEvaluation.Shares shares) {
    figures.put(name + ".tempo", shares.tempo());
    figures.put(name + ".tempoOrOctave", shares.tempoOrOctave());
    figures.put(name + ".key", shares.key());
    figures.put(name + ".keyOrRelative", shares.keyOrRelative());
    figures.put(name + ".clips", (double) shares.clips());
  }

  private static void add(
      SortedMap<String, Double> figures, String name, ReliabilityStudy.Score score) {
    figures.put(name + ".spearman", score.spearman());
    figures.put(name + ".low", score.low());
    figures.put(name + ".high", score.high());
    figures.put(name + ".specific", score.specific());
    figures.put(name + ".topThree", score.top());
  }

  /** The report as JSON text. */
  public String toJson() {
    return JSON.writeValueAsString(this) + "\n";
  }
}
