package org.descant.lab;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Something that happened in a run, beside its scalars: a decision of the guard, a checkpoint.
 *
 * @param event what it was, such as {@code checkpoint.renamed}
 * @param stage of the run
 * @param step counted over the whole run
 * @param facts JSON values by name, in the order they were given
 */
public record RunEvent(String event, String stage, long step, Map<String, Object> facts) {
  public RunEvent {
    if (event.isBlank() || stage.isBlank()) {
      throw new LabException(
          "an event needs a name and a stage: '%s', '%s'".formatted(event, stage));
    }
    facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
  }
}
