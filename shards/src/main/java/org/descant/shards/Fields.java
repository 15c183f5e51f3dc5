package org.descant.shards;

import java.util.List;
import org.descant.audio.MusicAnnotations;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What is known of a recording beside its sound: one line of a field file.
 *
 * @param isrc compact
 * @param title may be empty
 * @param artist display name
 * @param tags words such as genre and instruments
 * @param text a description, may be empty
 * @param jams annotations as a JAMS document, or {@code null}
 */
record Fields(
    String isrc,
    String title,
    String artist,
    List<String> tags,
    String text,
    @Nullable JsonNode jams) {
  Fields {
    tags = List.copyOf(tags);
  }

  @Nullable MusicAnnotations annotations() {
    return jams == null || jams.isNull() ? null : MusicAnnotations.fromJams(jams.toString());
  }
}
