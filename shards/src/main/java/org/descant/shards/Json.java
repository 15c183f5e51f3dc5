package org.descant.shards;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * How this module reads and writes JSON: unknown fields pass, missing ones are found by records.
 */
final class Json {
  static final JsonMapper MAPPER =
      JsonMapper.builder()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .build();

  private Json() {}

  /** The first line of what went wrong; a record's own complaint when there is one. */
  static String problem(JacksonException e) {
    Throwable cause = e;
    while (cause != null && !(cause instanceof ShardException)) {
      cause = cause.getCause();
    }
    String message = cause != null ? cause.getMessage() : e.getOriginalMessage();
    return String.valueOf(message).lines().findFirst().orElse("no message");
  }
}
