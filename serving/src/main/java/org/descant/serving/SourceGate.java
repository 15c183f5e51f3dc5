package org.descant.serving;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.descant.audio.AudioFile;
import org.descant.engine.ModelInfo;
import org.descant.engine.Source;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.jspecify.annotations.Nullable;

/**
 * Which sounds a flow model may begin from: finished clips of this house alone, whose model learned
 * from the same dataset, so that everybody in them has agreed to this model too and is credited
 * again. For any other sound nobody has been asked. Thread-safe.
 */
final class SourceGate {
  /** The part of all attribution that goes to what the source was attributed to. */
  private static final double SOURCE_SHARE = 0.5;

  private final ClipStore clips;
  private final ClipFiles files;
  private final ModelInfo model;

  SourceGate(ClipStore clips, ClipFiles files, ModelInfo model) {
    this.clips = clips;
    this.files = files;
    this.model = model;
  }

  /** A clip that may be begun from, and its sound. */
  record Allowed(Clip clip, Source source) {}

  /**
   * The clip that an order names; null when it names none.
   *
   * @throws RefusedException when it is no clip that this model may begin from
   * @throws org.descant.engine.EngineException when strength or what is kept cannot be
   */
  @Nullable Allowed source(Order order) {
    String id = order.beginFrom();
    if (id == null || id.isBlank()) {
      return null;
    }
    Clip clip = clips.find(id).orElseThrow(() -> refused("no finished clip is called " + id));
    if (!clip.datasetRoot().equals(model.datasetRoot())) {
      throw refused("%s was made by a model of another dataset".formatted(id));
    }
    if (!clip.style().isEmpty()) {
      throw refused("%s was made in the style of %s, for once".formatted(id, clip.style()));
    }
    Set<String> known = model.trainedOn().stream().map(Isrc::toString).collect(Collectors.toSet());
    if (!known.containsAll(clip.attribution().keySet())) {
      throw refused("%s rests on recordings that this model did not learn from".formatted(id));
    }
    Path file = files.file(id, "wav");
    try {
      if (!Files.isRegularFile(file) || !ClipFiles.sha256(file).equals(clip.wavSha256())) {
        throw refused("the file of %s is gone or was changed".formatted(id));
      }
    } catch (IOException e) {
      throw new ServingException("The file of %s cannot be read.".formatted(id), e);
    }
    return new Allowed(clip, order.source(AudioFile.decode(file)));
  }

  private static RefusedException refused(String why) {
    return new RefusedException(
        "Only a clip of this house can be begun from: of any other sound nobody has been asked.",
        List.of("Here " + why + "."));
  }

  /** What is attributed to a clip when half of it goes to what its source rests on. */
  static List<RecordingWeight> withSource(List<RecordingWeight> own, @Nullable Allowed begun) {
    if (begun == null) {
      return own;
    }
    Map<Isrc, Double> all = new LinkedHashMap<>();
    double sum = own.stream().mapToDouble(RecordingWeight::weight).sum();
    own.forEach(w -> all.merge(w.isrc(), w.weight() / sum * (1 - SOURCE_SHARE), Double::sum));
    Map<String, Double> its = begun.clip().attribution();
    double total = its.values().stream().mapToDouble(Double::doubleValue).sum();
    its.forEach(
        (isrc, weight) -> all.merge(Isrc.of(isrc), weight / total * SOURCE_SHARE, Double::sum));
    return all.entrySet().stream().map(e -> new RecordingWeight(e.getKey(), e.getValue())).toList();
  }
}
