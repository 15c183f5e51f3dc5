package org.descant.audio;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** JAMS documents, out and in. Nothing in a document can do more than be refused. */
final class Jams {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final String VERSION = "0.3.4";

  /** About 100 bytes an item, {@link MusicAnnotations#ITEMS_MAX} of each of three kinds. */
  private static final int CHARACTERS_MAX = 16_000_000;

  private Jams() {}

  static String write(MusicAnnotations music) {
    ObjectNode root = MAPPER.createObjectNode();
    ArrayNode annotations = root.putArray("annotations");

    ArrayNode tempo = annotation(annotations, "tempo", music);
    observe(tempo, 0, music.seconds()).put("value", music.tempoBpm()).put("confidence", 1.0);

    ArrayNode key = annotation(annotations, "key_mode", music);
    String keyMode = music.key().tonicName() + ":" + music.key().mode();
    observe(key, 0, music.seconds()).put("value", keyMode).put("confidence", 1.0);

    ArrayNode beats = annotation(annotations, "beat", music);
    for (Beat beat : music.beats()) {
      observe(beats, beat.time(), beat.time())
          .put("value", beat.positionInBar())
          .putNull("confidence");
    }
    ArrayNode chords = annotation(annotations, "chord_harte", music);
    for (ChordSpan chord : music.chords()) {
      observe(chords, chord.start(), chord.end()).put("value", chord.label()).putNull("confidence");
    }
    ArrayNode sections = annotation(annotations, "segment_open", music);
    for (Section section : music.sections()) {
      observe(sections, section.start(), section.end())
          .put("value", section.label())
          .putNull("confidence");
    }

    ObjectNode metadata = root.putObject("file_metadata");
    metadata.put("duration", music.seconds()).put("jams_version", VERSION);
    metadata.put("title", "").put("artist", "").put("release", "").putObject("identifiers");
    root.putObject("sandbox");
    return MAPPER.writeValueAsString(root);
  }

  private static ArrayNode annotation(ArrayNode all, String namespace, MusicAnnotations music) {
    ObjectNode annotation = all.addObject();
    annotation.put("namespace", namespace).put("time", 0.0).put("duration", music.seconds());
    annotation.putObject("annotation_metadata");
    annotation.putObject("sandbox");
    return annotation.putArray("data");
  }

  private static ObjectNode observe(ArrayNode data, double start, double end) {
    return data.addObject().put("time", start).put("duration", durationThatEndsAt(start, end));
  }

  /** {@code end - start}, moved by one step where rounding would miss the end on the way back. */
  private static double durationThatEndsAt(double start, double end) {
    double duration = end - start;
    if (start + duration < end) {
      return Math.nextUp(duration);
    }
    return start + duration > end ? Math.nextDown(duration) : duration;
  }

  static MusicAnnotations read(String json) {
    if (json.length() > CHARACTERS_MAX) {
      throw new AudioException(
          "A JAMS document may have up to %d characters, has %d."
              .formatted(CHARACTERS_MAX, json.length()));
    }
    JsonNode root;
    try {
      root = MAPPER.readTree(json);
    } catch (JacksonException e) {
      throw new AudioException("This is no JAMS document, not even JSON: check the file.", e);
    }
    double seconds = number(root.path("file_metadata"), "duration", "file_metadata");
    return new MusicAnnotations(
        seconds,
        number(first(root, "tempo"), "value", "tempo"),
        MusicalKey.parse(text(first(root, "key_mode"), "key_mode")),
        beats(root),
        chords(root),
        sections(root));
  }

  private static List<Beat> beats(JsonNode root) {
    List<Beat> beats = new ArrayList<>();
    for (JsonNode item : data(root, "beat")) {
      double position = number(item, "value", "beat");
      if (position != Math.rint(position)) {
        throw new AudioException(
            "A beat's value in JAMS must be its position in the bar, was %s.".formatted(position));
      }
      beats.add(new Beat(number(item, "time", "beat"), (int) position));
    }
    return beats;
  }

  private static List<ChordSpan> chords(JsonNode root) {
    List<ChordSpan> chords = new ArrayList<>();
    for (JsonNode item : data(root, "chord_harte")) {
      double start = number(item, "time", "chord_harte");
      double end = start + number(item, "duration", "chord_harte");
      chords.add(new ChordSpan(start, end, text(item, "chord_harte")));
    }
    return chords;
  }

  private static List<Section> sections(JsonNode root) {
    List<Section> sections = new ArrayList<>();
    for (JsonNode item : data(root, "segment_open")) {
      double start = number(item, "time", "segment_open");
      double end = start + number(item, "duration", "segment_open");
      sections.add(new Section(start, end, text(item, "segment_open")));
    }
    return sections;
  }

  private static JsonNode first(JsonNode root, String namespace) {
    List<JsonNode> data = data(root, namespace);
    if (data.isEmpty()) {
      throw new AudioException(
          "The JAMS document has no %s annotation: add one.".formatted(namespace));
    }
    return data.getFirst();
  }

  private static List<JsonNode> data(JsonNode root, String namespace) {
    for (JsonNode annotation : root.path("annotations")) {
      JsonNode name = annotation.path("namespace");
      if (name.isString() && name.stringValue().equals(namespace)) {
        JsonNode data = annotation.path("data");
        if (data.size() > MusicAnnotations.ITEMS_MAX) {
          throw new AudioException(
              "A JAMS annotation may have up to %d items, %s has %d."
                  .formatted(MusicAnnotations.ITEMS_MAX, namespace, data.size()));
        }
        List<JsonNode> items = new ArrayList<>();
        data.forEach(items::add);
        return items;
      }
    }
    return List.of();
  }

  private static double number(JsonNode node, String field, String where) {
    JsonNode value = node.path(field);
    if (!value.isNumber()) {
      throw new AudioException(
          "\"%s\" of %s in the JAMS document must be a number.".formatted(field, where));
    }
    return value.doubleValue(Double.NaN);
  }

  private static String text(JsonNode node, String where) {
    @Nullable String value = node.path("value").asStringOpt().orElse(null);
    if (value == null) {
      throw new AudioException(
          "\"value\" of %s in the JAMS document must be text.".formatted(where));
    }
    return value;
  }
}
