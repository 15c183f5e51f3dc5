package org.descant.lab;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The scalars of one logged step.
 *
 * @param stage of the run, such as {@code codec} or {@code lm}
 * @param step counted over the whole run, from 1
 * @param values name to finite value, in the order they were logged
 */
public record MetricLine(String stage, long step, Map<String, Double> values) {
  public MetricLine {
    if (stage.isBlank() || stage.indexOf('/') >= 0) {
      throw new LabException("stage must be a plain word, was '" + stage + "'");
    }
    values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    for (var entry : values.entrySet()) {
      if (!Double.isFinite(entry.getValue())) {
        throw new LabException(
            "metric %s/%s at step %d is %s, not a finite number"
                .formatted(stage, entry.getKey(), step, entry.getValue()));
      }
    }
  }
}
