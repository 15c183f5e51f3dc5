package org.descant.ledger;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.descant.database.Database;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jspecify.annotations.Nullable;

/*
 * Bookings are one transaction each and take one lock, so that the chain of hashes has no fork; a
 * killed process leaves its transaction undone. Price: one commit a booking (one forced write).
 */
/**
 * The books. Thread-safe; any number of processes may book at once.
 *
 * <pre>{@code
 * Ledger ledger = Ledger.open(database);
 * ledger.pending(usage);                       // before the stream opens
 * ledger.post(usage.id(), splits);             // or voided(usage.id())
 * ledger.statement("party-1").totalMicros();
 * }</pre>
 */
public final class Ledger {
  /** Any constant; the same in every process. */
  private static final long BOOKING_LOCK = 0x64657363616e74L;

  private static final String POSTED_LINES =
      """
      select t.*, u.clip_id, u.kind, u.at, s.seconds as settled_seconds
      from ledger.transfer t
      join ledger.settlement s on s.usage_id = t.usage_id
      join ledger.usage u on u.id = t.usage_id
      """;

  private final Jdbi jdbi;

  private Ledger(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /** Opens the books of a database and brings their tables up to date. */
  public static Ledger open(Database database) {
    database.migrate("ledger");
    return new Ledger(database.jdbi());
  }

  /**
   * Books a usage as pending; durable when this returns. The same usage again does nothing.
   *
   * @return where it stands
   * @throws LedgerException when the id is known with other facts, or its period is closed
   */
  public UsageState pending(Usage usage) {
    return jdbi.inTransaction(handle -> {
      lock(handle);
      Optional<Usage> known = usage(handle, usage.id());
      if (known.isPresent()) {
        if (!known.get().equals(usage)) {
          throw new LedgerException(
              "Usage %s is booked already with other facts: give the new one its own id."
                  .formatted(usage.id()));
        }
        return state(handle, usage.id());
      }
      requireOpen(handle, usage);
      handle
          .createUpdate(
              """
              insert into ledger.usage
              values (:id, :clip, :kind, :seconds, :amount, :currency, :at)
              """)
          .bind("id", usage.id())
          .bind("clip", usage.clipId())
          .bind("kind", usage.kind())
          .bind("seconds", usage.seconds())
          .bind("amount", usage.amountMicros())
          .bind("currency", usage.currency())
          .bind("at", usage.at().atOffset(ZoneOffset.UTC))
          .execute();
      return UsageState.PENDING;
    });
  }

  /** Posts a pending usage in full. See {@link #post(String, double, long, List)}. */
  public List<Transfer> post(String usageId, List<RecordingSplit> splits) {
    Usage usage = requireUsage(usageId);
    return post(usageId, usage.seconds(), usage.amountMicros(), splits);
  }

  /**
   * Posts a pending usage: pays for it. A posted one is left as it is, whatever is asked now.
   *
   * @param seconds what was really used
   * @param amountMicros what that earns, at most what was pending
   * @return the transfers, those of the first time if it is posted already
   * @throws LedgerException when the usage is unknown or voided, or its period is closed
   */
  public List<Transfer> post(
      String usageId, double seconds, long amountMicros, List<RecordingSplit> splits) {
    Usage.requireMeasure(usageId, seconds, amountMicros);
    return jdbi.inTransaction(handle -> {
      lock(handle);
      Usage usage = requireUsage(handle, usageId);
      switch (state(handle, usageId)) {
        case POSTED -> {
          return transfers(handle, usageId);
        }
        case VOIDED ->
            throw new LedgerException(
                "Usage %s is voided and cannot be posted: book a new one.".formatted(usageId));
        case PENDING -> {}
      }
      if (amountMicros > usage.amountMicros()) {
        throw new LedgerException(
            "Usage %s was pending with %s and cannot be posted with %s."
                .formatted(
                    usageId,
                    Usage.format(usage.amountMicros(), usage.currency()),
                    Usage.format(amountMicros, usage.currency())));
      }
      requireOpen(handle, usage);
      List<Transfer> transfers = RoyaltyRun.divide(usageId, amountMicros, splits);
      settle(handle, usageId, UsageState.POSTED, seconds, amountMicros);
      Chain.append(handle, usage, seconds, amountMicros, transfers);
      return transfers;
    });
  }

  /**
   * Voids a pending usage: nobody pays. A voided one is left as it is.
   *
   * @throws LedgerException when the usage is unknown or posted
   */
  public void voided(String usageId) {
    jdbi.useTransaction(handle -> {
      lock(handle);
      requireUsage(handle, usageId);
      switch (state(handle, usageId)) {
        case VOIDED -> {}
        case POSTED ->
            throw new LedgerException(
                "Usage %s is posted and cannot be voided: book a correction.".formatted(usageId));
        case PENDING -> settle(handle, usageId, UsageState.VOIDED, 0, 0);
      }
    });
  }

  /** A usage by its id. */
  public Optional<Usage> usage(String usageId) {
    return jdbi.withHandle(handle -> usage(handle, usageId));
  }

  /** Where a usage stands. */
  public UsageState state(String usageId) {
    requireUsage(usageId);
    return jdbi.withHandle(handle -> state(handle, usageId));
  }

  /** The transfers of a usage in their order; empty while it is pending. */
  public List<Transfer> transfers(String usageId) {
    return jdbi.withHandle(handle -> transfers(handle, usageId));
  }

  /** The usages that began before this and are still pending: what a crash may have left. */
  public List<Usage> pendingBefore(Instant time) {
    return jdbi.withHandle(handle ->
        handle
            .createQuery(
                """
                select u.* from ledger.usage u
                left join ledger.settlement s on s.usage_id = u.id
                where s.usage_id is null and u.at < :time order by u.at, u.id
                """)
            .bind("time", time.atOffset(ZoneOffset.UTC))
            .map((row, _) -> usage(row))
            .list());
  }

  /** What every account holds, by name; all of them together hold zero. */
  public Map<String, Long> balances() {
    return jdbi.withHandle(handle -> {
      var balances = new LinkedHashMap<String, Long>();
      handle
          .createQuery(
              """
              select account, sum(amount_micros)::bigint as micros from ledger.entry
              group by account order by account collate "C"
              """)
          .map((row, _) -> Map.entry(row.getString("account"), row.getLong("micros")))
          .forEach(entry -> balances.put(entry.getKey(), entry.getValue()));
      return balances;
    });
  }

  /** The parties that have earned anything, by id. */
  public List<String> parties() {
    return balances().keySet().stream().filter(Accounts::isParty).map(Accounts::partyOf).toList();
  }

  /** All that a party has ever earned. */
  public Statement statement(String partyId) {
    return statement(partyId, null);
  }

  /** What a party earned by usages of a period; of all periods if it is null. */
  public Statement statement(String partyId, @Nullable YearMonth period) {
    return jdbi.withHandle(handle -> {
      var query =
          handle
              .createQuery(
                  POSTED_LINES
                      + "where t.to_account = :account "
                      + (period == null ? "" : "and u.at >= :from and u.at < :to ")
                      + "order by t.seq")
              .bind("account", Accounts.of(partyId));
      if (period != null) {
        query.bind("from", start(period)).bind("to", start(period.plusMonths(1)));
      }
      List<Statement.Line> lines = query.map((row, _) -> line(row)).list();
      long total = lines.stream().mapToLong(Statement.Line::amountMicros).sum();
      return new Statement(partyId, Usage.EUR, lines, total);
    });
  }

  /** Reads all the books and checks the chain, the double entries, the sums and the settlements. */
  public BooksCheck check() {
    return jdbi.inTransaction(handle -> {
      lock(handle);
      return Chain.check(handle);
    });
  }

  /**
   * Closes a month: nothing can be booked in it any more. Closing it again gives the same answer.
   *
   * @throws LedgerException while a usage of it is pending, or if the books do not balance
   */
  public Closing close(YearMonth period) {
    return jdbi.inTransaction(handle -> {
      lock(handle);
      Optional<Closing> closed = closing(handle, period);
      if (closed.isPresent()) {
        return closed.get();
      }
      long open =
          handle
              .createQuery(
                  """
                  select count(*) from ledger.usage u
                  left join ledger.settlement s on s.usage_id = u.id
                  where s.usage_id is null and u.at >= :from and u.at < :to
                  """)
              .bind("from", start(period))
              .bind("to", start(period.plusMonths(1)))
              .mapTo(Long.class)
              .one();
      if (open > 0) {
        throw new LedgerException(
            "%s cannot be closed: %d of its usages are pending; post or void them first."
                .formatted(period, open));
      }
      BooksCheck check = Chain.check(handle);
      if (!check.balanced()) {
        throw new LedgerException(
            "%s cannot be closed: %s".formatted(period, check.problems().getFirst()));
      }
      long moved =
          handle
              .createQuery(
                  """
                  select coalesce(sum(t.amount_micros), 0)::bigint from ledger.transfer t
                  join ledger.usage u on u.id = t.usage_id
                  where u.at >= :from and u.at < :to
                  """)
              .bind("from", start(period))
              .bind("to", start(period.plusMonths(1)))
              .mapTo(Long.class)
              .one();
      var closing = new Closing(period, check.transfers(), check.head(), moved);
      handle
          .createUpdate("insert into ledger.closing values (:period, :last, :head, :moved)")
          .bind("period", period.toString())
          .bind("last", closing.lastEntry())
          .bind("head", closing.head())
          .bind("moved", closing.movedMicros())
          .execute();
      return closing;
    });
  }

  private static void lock(Handle handle) {
    handle
        .createQuery("select pg_advisory_xact_lock(:key) is null")
        .bind("key", BOOKING_LOCK)
        .mapTo(Boolean.class)
        .one();
  }

  private static void requireOpen(Handle handle, Usage usage) {
    if (closing(handle, usage.period()).isPresent()) {
      throw new LedgerException(
          "Usage %s is of %s, which is closed: book it as a correction in an open month."
              .formatted(usage.id(), usage.period()));
    }
  }

  private static Optional<Closing> closing(Handle handle, YearMonth period) {
    return handle
        .createQuery("select * from ledger.closing where period = :period")
        .bind("period", period.toString())
        .map((row, _) ->
            new Closing(
                YearMonth.parse(row.getString("period")),
                row.getLong("last_seq"),
                row.getString("head"),
                row.getLong("moved_micros")))
        .findOne();
  }

  private Usage requireUsage(String usageId) {
    return jdbi.withHandle(handle -> requireUsage(handle, usageId));
  }

  private static Usage requireUsage(Handle handle, String usageId) {
    return usage(handle, usageId)
        .orElseThrow(() ->
            new LedgerException(
                "Usage %.120s is not booked: book it as pending first.".formatted(usageId)));
  }

  private static Optional<Usage> usage(Handle handle, String usageId) {
    return handle
        .createQuery("select * from ledger.usage where id = :id")
        .bind("id", usageId)
        .map((row, _) -> usage(row))
        .findOne();
  }

  static Usage usage(ResultSet row) throws SQLException {
    return new Usage(
        row.getString("id"),
        row.getString("clip_id"),
        row.getString("kind"),
        row.getDouble("seconds"),
        row.getLong("amount_micros"),
        row.getString("currency"),
        row.getObject("at", OffsetDateTime.class).toInstant());
  }

  private static UsageState state(Handle handle, String usageId) {
    return handle
        .createQuery("select outcome from ledger.settlement where usage_id = :id")
        .bind("id", usageId)
        .mapTo(UsageState.class)
        .findOne()
        .orElse(UsageState.PENDING);
  }

  private static void settle(
      Handle handle, String usageId, UsageState outcome, double seconds, long amountMicros) {
    handle
        .createUpdate("insert into ledger.settlement values (:id, :outcome, :seconds, :amount)")
        .bind("id", usageId)
        .bind("outcome", outcome.name())
        .bind("seconds", seconds)
        .bind("amount", amountMicros)
        .execute();
  }

  private static List<Transfer> transfers(Handle handle, String usageId) {
    return new ArrayList<>(
        handle
            .createQuery("select * from ledger.transfer where usage_id = :id order by seq")
            .bind("id", usageId)
            .map((row, _) -> transfer(row))
            .list());
  }

  static Transfer transfer(ResultSet row) throws SQLException {
    return new Transfer(
        row.getString("id"),
        row.getString("usage_id"),
        row.getString("from_account"),
        row.getString("to_account"),
        row.getLong("amount_micros"),
        row.getString("currency"),
        row.getString("rule"),
        row.getString("isrc"),
        row.getString("reason"));
  }

  private static Statement.Line line(ResultSet row) throws SQLException {
    return new Statement.Line(
        row.getString("id"),
        row.getLong("seq"),
        row.getString("usage_id"),
        row.getString("clip_id"),
        row.getString("kind"),
        row.getDouble("settled_seconds"),
        row.getObject("at", OffsetDateTime.class).toInstant(),
        row.getString("isrc"),
        row.getString("rule"),
        row.getString("reason"),
        row.getLong("amount_micros"));
  }

  private static OffsetDateTime start(YearMonth period) {
    return period.atDay(1).atStartOfDay().atOffset(ZoneOffset.UTC);
  }
}
