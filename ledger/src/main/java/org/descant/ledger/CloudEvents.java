package org.descant.ledger;

import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/** Usages as CloudEvents 1.0 in JSON: for those who count along. */
public final class CloudEvents {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private CloudEvents() {}

  /**
   * The event that a usage is in this state.
   *
   * @param source who says so, an address; with the usage's id and state it is unique
   */
  public static String of(Usage usage, UsageState state, String source) {
    String type = "org.descant.usage." + state.name().toLowerCase(java.util.Locale.ROOT);
    return JSON.writeValueAsString(
        new TreeMap<>(
            Map.of(
                "specversion",
                "1.0",
                "id",
                usage.id() + "/" + state,
                "source",
                source,
                "type",
                type,
                "subject",
                usage.clipId(),
                "time",
                usage.at().toString(),
                "datacontenttype",
                "application/json",
                "data",
                new TreeMap<>(
                    Map.of(
                        "usageId", usage.id(),
                        "kind", usage.kind(),
                        "seconds", usage.seconds(),
                        "amountMicros", usage.amountMicros(),
                        "currency", usage.currency())))));
  }
}
