package org.descant.provenance;

import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Something in the thread from recording to statement.
 *
 * @param id the hash of its content, or the id by which the world knows it (an ISRC)
 * @param facts a JSON object that is a function of the content; kept with sorted keys
 */
public record Artefact(Kind kind, String id, String facts) {
  /** In the order of the thread. */
  public enum Kind {
    RECORDING,
    DECISION,
    DATASET,
    RUN,
    MODEL,
    CLIP,
    USAGE,
    TRANSFER,
    STATEMENT
  }

  private static final int FACTS_CHARS_MAX = 256 << 10;
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9:._/@+-]{0,199}");
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS).build();

  /** Checks id and facts. */
  public Artefact {
    if (!ID.matcher(id).matches()) {
      throw new ProvenanceException(
          "\"%.80s\" is not an artefact id: use 1 to 200 letters, digits and :._/@+-"
              .formatted(id));
    }
    if (facts.length() > FACTS_CHARS_MAX) {
      throw new ProvenanceException(
          "The facts of %s have %d characters, at most %d are kept: store the rest as a file."
              .formatted(id, facts.length(), FACTS_CHARS_MAX));
    }
    try {
      JsonNode node = JSON.readTree(facts);
      if (!node.isObject()) {
        throw new ProvenanceException("The facts of %s are not a JSON object.".formatted(id));
      }
      facts = JSON.writeValueAsString(JSON.treeToValue(node, Object.class));
    } catch (JacksonException e) {
      throw new ProvenanceException("The facts of %s are not JSON.".formatted(id), e);
    }
  }

  /** From any value that Jackson can write as an object: a map, a record. */
  public static Artefact of(Kind kind, String id, Object facts) {
    return new Artefact(kind, id, JSON.writeValueAsString(facts));
  }

  /** The facts as a tree. */
  public JsonNode json() {
    return JSON.readTree(facts);
  }
}
