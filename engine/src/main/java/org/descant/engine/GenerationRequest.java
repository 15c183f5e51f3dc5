package org.descant.engine;

import java.util.List;
import org.descant.audio.MusicalKey;
import org.jspecify.annotations.Nullable;

/**
 * What somebody wants to hear. What is null or empty is chosen from the rest and the seed; {@link
 * Engine#resolve} tells how.
 *
 * @param text in words; at most {@value #TEXT_CHARS_MAX} characters
 * @param seconds {@value #SECONDS_MIN} to {@value #SECONDS_MAX}
 * @param tempoBpm {@value #TEMPO_MIN} to {@value #TEMPO_MAX} beats a minute
 * @param tags at most {@value #TAGS_MAX} of at most {@value #TAG_CHARS_MAX} characters
 * @param seed of every draw
 * @param guidance classifier-free guidance of the music (tempo, key, chords) and of its character
 *     (tags, text, style), 1 to 8
 */
public record GenerationRequest(
    String text,
    double seconds,
    @Nullable Double tempoBpm,
    @Nullable MusicalKey key,
    List<String> tags,
    @Nullable StyleReference style,
    long seed,
    double guidance) {
  public static final int TEXT_CHARS_MAX = 2_000;
  public static final int TAGS_MAX = 16;
  public static final int TAG_CHARS_MAX = 60;
  public static final double SECONDS_MIN = 2;
  public static final double SECONDS_MAX = 60;
  public static final double TEMPO_MIN = 40;
  public static final double TEMPO_MAX = 220;
  public static final double GUIDANCE_DEFAULT = 2;
  private static final double GUIDANCE_MAX = 8;

  public GenerationRequest {
    if (text.length() > TEXT_CHARS_MAX) {
      throw new EngineException(
          "The text has %,d characters; at most %,d are read, so shorten it."
              .formatted(text.length(), TEXT_CHARS_MAX));
    }
    requireReadable("text", text);
    if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
      throw new EngineException(
          "A clip lasts %.0f to %.0f seconds, was %s."
              .formatted(SECONDS_MIN, SECONDS_MAX, seconds));
    }
    if (tempoBpm != null && !(tempoBpm >= TEMPO_MIN && tempoBpm <= TEMPO_MAX)) {
      throw new EngineException(
          "A tempo is %.0f to %.0f beats a minute, was %s."
              .formatted(TEMPO_MIN, TEMPO_MAX, tempoBpm));
    }
    for (String tag : tags) {
      if (tag == null) {
        throw new EngineException("One of the tags is nothing at all (null); leave it out.");
      }
      requireReadable("tag", tag);
    }
    if (tags.size() > TAGS_MAX || tags.stream().anyMatch(tag -> tag.length() > TAG_CHARS_MAX)) {
      throw new EngineException(
          "At most %d tags of at most %d characters each are read; leave some out."
              .formatted(TAGS_MAX, TAG_CHARS_MAX));
    }
    if (!(guidance >= 1 && guidance <= GUIDANCE_MAX)) {
      throw new EngineException("Guidance is 1 to %.0f, was %s.".formatted(GUIDANCE_MAX, guidance));
    }
    tags = tags.stream().map(String::strip).filter(tag -> !tag.isEmpty()).distinct().toList();
  }

  /** Text that can be stored and shown: whole characters, and no control ones but white space. */
  private static void requireReadable(String what, String text) {
    boolean odd =
        text.codePoints()
            .anyMatch(c ->
                (Character.isISOControl(c) && !Character.isWhitespace(c))
                    || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE));
    if (odd) {
      throw new EngineException(
          "The " + what + " holds characters that cannot be written; type it again.");
    }
  }
}
