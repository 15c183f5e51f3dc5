package org.descant.rights;

import java.time.LocalDate;

/** The days that rights speak of. */
final class Dates {
  /** Recorded sound begins in 1857; the upper end keeps every date within PostgreSQL's range. */
  private static final LocalDate FIRST = LocalDate.of(1800, 1, 1);

  private static final LocalDate LAST = LocalDate.of(9999, 12, 31);

  private Dates() {}

  static LocalDate require(LocalDate day) {
    if (day.isBefore(FIRST) || day.isAfter(LAST)) {
      throw new RightsException(
          "The date %s is out of range: use one from %s to %s".formatted(day, FIRST, LAST));
    }
    return day;
  }
}
