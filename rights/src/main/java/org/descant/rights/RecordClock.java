package org.descant.rights;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jspecify.annotations.Nullable;

/**
 * The clock of what was known when.
 *
 * <p>Facts are numbered in the order in which they were recorded, and their moments rise with the
 * numbers. Writers take turns, and a reader waits for the writer whose turn it is before it reads
 * the clock: so everything with a moment up to the one it reads is committed, nothing will ever be
 * added to that past, and the same question about it has the same answer for ever.
 */
final class RecordClock {
  /** The advisory lock of this module: "RIGHTS" as bytes. */
  private static final long LOCK = 0x524947485453L;

  /** What PostgreSQL can compare; nothing was recorded before, nothing is after. */
  private static final Instant FIRST = Instant.parse("1800-01-01T00:00:00Z");

  private static final Instant LAST = Instant.parse("9999-01-01T00:00:00Z");

  /**
   * A moment of the record.
   *
   * @param knownAt by the database's clock, to the microsecond
   * @param seq the number of the last fact that was known
   */
  record Moment(Instant knownAt, long seq) {}

  private RecordClock() {}

  /** Waits for this writer's turn, which lasts until the end of the transaction. */
  static void lockForWriting(Handle handle) {
    handle.execute("select pg_advisory_xact_lock(?)", LOCK);
  }

  /** The numbers of new facts, recorded now, a microsecond apart, in their order. */
  static List<Long> next(Handle handle, int count) {
    return handle
        .createQuery(
            """
            insert into rights.event (recorded_at)
            select start + n * interval '1 microsecond'
            from generate_series(0, :count - 1) as n,
              (select greatest(
                 clock_timestamp(),
                 (select max(recorded_at) from rights.event) + interval '1 microsecond',
                 (select max(known_at) from rights.decision) + interval '1 microsecond')
               as start) as clock
            order by n
            returning seq
            """)
        .bind("count", count)
        .mapTo(Long.class)
        .list();
  }

  /**
   * The moment that was asked for, or now when none was or when it is still to come.
   *
   * @param asked null for now
   */
  static Moment read(Handle handle, @Nullable Instant asked) {
    handle.execute("select pg_advisory_xact_lock_shared(?)", LOCK);
    OffsetDateTime limit = null;
    if (asked != null && asked.isBefore(LAST)) {
      Instant bounded = asked.isBefore(FIRST) ? FIRST : asked.truncatedTo(ChronoUnit.MICROS);
      limit = bounded.atOffset(ZoneOffset.UTC);
    }
    return handle
        .createQuery(
            """
            select known_at,
              coalesce((select seq from rights.event where recorded_at <= known_at
                        order by recorded_at desc limit 1), 0) as seq
            from (select least(cast(:limit as timestamptz),
                               greatest(clock_timestamp(), (select max(recorded_at)
                                                            from rights.event)))
                         as known_at) as clock
            """)
        .bind("limit", limit)
        .map((row, _) -> new Moment(instant(row, "known_at"), row.getLong("seq")))
        .one();
  }

  static Optional<Instant> last(Handle handle) {
    return handle
        .createQuery("select recorded_at from rights.event order by seq desc limit 1")
        .map((row, _) -> instant(row, "recorded_at"))
        .findFirst();
  }

  /** A column of moments that is never null. */
  static Instant instant(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }
}
