package org.descant.evaluation.release;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.descant.audio.MusicalKey;
import org.descant.engine.GenerationRequest;
import org.descant.evaluation.ControlEvaluation;
import org.descant.models.ModelCard;
import org.jspecify.annotations.Nullable;

/** What the examples of a release are asked for: the same for the same model. Stateless. */
final class ExampleRequests {
  /** Tags that a shell or a list with commas would read otherwise are left out. */
  private static final String UNSAFE = ",\"$`\\!'";

  private ExampleRequests() {}

  /** A request, and whether a training recording has its tempo and key. */
  record One(GenerationRequest request, boolean known) {}

  /**
   * Requests with tempos, keys and tags of the training recordings, spread over all of them; every
   * second has a tempo and key that none has. Their seeds follow each other.
   */
  static List<One> of(ModelCard card, int count, double seconds, long firstSeed) {
    List<ModelCard.TrainedOn> trained =
        card.recordings().stream().filter(recording -> !recording.heldOut()).toList();
    List<ControlEvaluation.Known> known = new ArrayList<>();
    for (ModelCard.TrainedOn recording : trained) {
      if (recording.tempoBpm() > 0 && !recording.key().isEmpty()) {
        known.add(
            new ControlEvaluation.Known(
                recording.tempoBpm(), MusicalKey.parse(recording.key()), recording.tags()));
      }
    }
    List<One> requests = new ArrayList<>();
    if (known.isEmpty()) {
      for (int i = 0; i < count; i++) {
        ModelCard.TrainedOn base = trained.get((int) ((long) i * trained.size() / count));
        requests.add(new One(request(seconds, null, null, base.tags(), firstSeed + i), true));
      }
      return requests;
    }
    for (ControlEvaluation.Asked asked : ControlEvaluation.questions(known, count, firstSeed)) {
      long seed = firstSeed + requests.size();
      requests.add(
          new One(
              request(seconds, asked.tempoBpm(), asked.key(), asked.tags(), seed), asked.known()));
    }
    return requests;
  }

  // NullAway does not see, in bytecode, that the record takes a null style.
  @SuppressWarnings("NullAway")
  private static GenerationRequest request(
      double seconds,
      @Nullable Double tempo,
      @Nullable MusicalKey key,
      List<String> tags,
      long seed) {
    List<String> safe =
        tags.stream()
            .filter(tag -> tag.chars().noneMatch(c -> UNSAFE.indexOf(c) >= 0))
            .limit(GenerationRequest.TAGS_MAX)
            .toList();
    return new GenerationRequest(
        "", seconds, tempo, key, safe, null, seed, GenerationRequest.GUIDANCE_DEFAULT);
  }

  /** The command that makes the clip of a request. */
  static String command(String model, GenerationRequest request) {
    StringBuilder command = new StringBuilder("./descant generate --model " + model);
    if (request.tempoBpm() != null) {
      command.append(" --tempo ").append(request.tempoBpm());
    }
    if (request.key() != null) {
      command.append(" --key \"").append(request.key()).append('"');
    }
    if (!request.tags().isEmpty()) {
      command.append(" --tags \"").append(String.join(",", request.tags())).append('"');
    }
    return command
        .append(" --seconds ")
        .append(request.seconds())
        .append(" --seed ")
        .append(request.seed())
        .append(" --out clip.flac")
        .toString();
  }

  /** A label as part of a file's name. */
  static String slug(String label) {
    return label
        .toLowerCase(Locale.ROOT)
        .replace("#", "-sharp")
        .codePoints()
        .mapToObj(c -> c < 128 && Character.isLetterOrDigit(c) ? Character.toString(c) : "-")
        .collect(Collectors.joining())
        .replaceAll("-+", "-");
  }
}
