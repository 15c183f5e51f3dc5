package org.descant.shards;

import org.descant.rights.Decision;
import org.descant.rights.Recording;
import org.jspecify.annotations.Nullable;

/**
 * A recording that was asked about and is not in the dataset.
 *
 * @param decision that refused it
 * @param pcmHash hash of its sound, or {@code null} when nobody delivered any
 */
public record Refusal(Decision decision, @Nullable String pcmHash) {
  public Refusal {
    if (decision.allowed()) {
      throw new ShardException(
          "decision %s allows recording %s; it is no refusal"
              .formatted(decision.id(), decision.isrc()));
    }
  }

  public Refusal(Decision decision, Recording recording) {
    this(decision, recording.pcmHash());
    if (!decision.isrc().equals(recording.isrc())) {
      throw new ShardException(
          "decision %s is about recording %s, not %s"
              .formatted(decision.id(), decision.isrc(), recording.isrc()));
    }
  }
}
