package org.descant.shards;

import java.util.List;

/**
 * A recording that a dataset holds and may no longer learn from: one line of {@code
 * tombstones.jsonl}. The lines form a chain, so that none can be dropped or changed unseen.
 *
 * @param number 1, 2, 3, … in the order of withdrawal
 * @param isrc compact
 * @param decisionId the decision that refuses it now
 * @param rulesHash hash of the agreements and choices that decided so
 * @param reasons why, in sentences
 * @param after {@link #chain} of the line before; of the first line, the dataset's root
 */
public record Tombstone(
    int number,
    String isrc,
    String decisionId,
    String rulesHash,
    List<String> reasons,
    String after) {
  public Tombstone {
    reasons = List.copyOf(reasons);
    ShardEntry.requireRights(isrc, decisionId, rulesHash);
  }

  /** SHA-256 in hex that names this line and all before it. */
  String chain() {
    return Hashes.hexOf(
        String.join(
            "\t",
            "tombstone/1",
            Integer.toString(number),
            isrc,
            decisionId,
            rulesHash,
            Integer.toString(reasons.size()),
            String.join("\n", reasons),
            after));
  }
}
