package org.descant.ledger;

import java.time.YearMonth;

/**
 * A closed period.
 *
 * @param lastEntry the last transfer that was booked before
 * @param head its hash, for the transparency log
 * @param movedMicros what was paid out for usages of the period
 */
public record Closing(YearMonth period, long lastEntry, String head, long movedMicros) {}
