package org.descant.ledger;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a party earned, line by line.
 *
 * @param totalMicros the sum of the lines: what the party's account holds from them
 */
public record Statement(String partyId, String currency, List<Line> lines, long totalMicros) {
  public Statement {
    lines = List.copyOf(lines);
  }

  /**
   * One payment, with everything that it follows from.
   *
   * @param transferId the transfer
   * @param entry its number in the books
   * @param at when the usage was
   */
  public record Line(
      String transferId,
      long entry,
      String usageId,
      String clipId,
      String kind,
      double seconds,
      Instant at,
      @Nullable String isrc,
      String rule,
      String reason,
      long amountMicros) {}
}
