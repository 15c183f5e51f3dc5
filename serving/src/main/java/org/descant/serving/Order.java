package org.descant.serving;

import java.util.List;
import org.descant.audio.MusicalKey;
import org.descant.engine.GenerationRequest;
import org.descant.engine.StyleReference;
import org.jspecify.annotations.Nullable;

/**
 * What a listener asks for, as the API and the command line take it; absent parts are chosen by the
 * engine.
 *
 * @param text in words
 * @param seconds how long; {@value #SECONDS_DEFAULT} when absent
 * @param tempo beats a minute
 * @param key such as {@code D minor}
 * @param style ISRC of a recording whose style is asked for
 * @param seed of every draw; 0 when absent, so that the same order gives the same sound
 */
public record Order(
    @Nullable String text,
    @Nullable Double seconds,
    @Nullable Double tempo,
    @Nullable String key,
    @Nullable List<String> tags,
    @Nullable String style,
    @Nullable Long seed) {
  public static final double SECONDS_DEFAULT = 10;

  /**
   * What the engine is asked for.
   *
   * @param reference of the style that is named here, once it is cleared
   * @throws org.descant.engine.EngineException or {@link org.descant.audio.AudioException} in one
   *     sentence when a value is none that can be asked for
   */
  public GenerationRequest request(@Nullable StyleReference reference) {
    return new GenerationRequest(
        text == null ? "" : text,
        seconds == null ? SECONDS_DEFAULT : seconds,
        tempo,
        key == null || key.isBlank() ? null : MusicalKey.parse(key),
        tags == null ? List.of() : tags,
        reference,
        seed == null ? 0 : seed,
        GenerationRequest.GUIDANCE_DEFAULT);
  }
}
