package org.descant.ledger;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;

/**
 * Transfers in their one order, each with a hash over itself, its usage and the hash before.
 * Whoever changes, removes or moves one changes every hash after it.
 */
final class Chain {
  /** The hash before the first transfer. */
  static final String START = "0".repeat(64);

  private static final int PROBLEMS_MAX = 20;

  /** Rows that are read at once. */
  private static final int FETCH = 1_000;

  private Chain() {}

  private record Head(long seq, String hash) {}

  /** Books transfers behind the last one. The caller holds the booking lock. */
  static void append(
      Handle handle, Usage usage, double seconds, long amountMicros, List<Transfer> transfers) {
    if (transfers.isEmpty()) {
      return;
    }
    Head head = head(handle).orElse(new Head(0, START));
    PreparedBatch rows =
        handle.prepareBatch(
            """
            insert into ledger.transfer
            values (:seq, :id, :usage, :from, :to, :amount, :currency, :rule, :isrc, :reason, :hash)
            """);
    PreparedBatch entries =
        handle.prepareBatch("insert into ledger.entry values (:seq, :account, :amount)");
    long seq = head.seq();
    String hash = head.hash();
    for (Transfer transfer : transfers) {
      seq++;
      hash = hash(hash, seq, transfer, usage, seconds, amountMicros);
      rows.bind("seq", seq)
          .bind("id", transfer.id())
          .bind("usage", transfer.usageId())
          .bind("from", transfer.fromAccount())
          .bind("to", transfer.toAccount())
          .bind("amount", transfer.amountMicros())
          .bind("currency", transfer.currency())
          .bind("rule", transfer.rule())
          .bind("isrc", transfer.isrc())
          .bind("reason", transfer.reason())
          .bind("hash", hash)
          .add();
      entries
          .bind("seq", seq)
          .bind("account", transfer.fromAccount())
          .bind("amount", -transfer.amountMicros())
          .add();
      entries
          .bind("seq", seq)
          .bind("account", transfer.toAccount())
          .bind("amount", transfer.amountMicros())
          .add();
    }
    rows.execute();
    entries.execute();
  }

  private static Optional<Head> head(Handle handle) {
    return handle
        .createQuery("select seq, hash from ledger.transfer order by seq desc limit 1")
        .map((row, _) -> new Head(row.getLong("seq"), row.getString("hash")))
        .findOne();
  }

  /** Every field with its length in front, so that no two rows read the same. */
  private static String hash(
      String previous,
      long seq,
      Transfer transfer,
      Usage usage,
      double seconds,
      long amountMicros) {
    MessageDigest digest = sha256();
    for (Object field :
        new Object[] {
          previous,
          seq,
          transfer.id(),
          transfer.usageId(),
          transfer.fromAccount(),
          transfer.toAccount(),
          transfer.amountMicros(),
          transfer.currency(),
          transfer.rule(),
          transfer.isrc() == null ? "" : transfer.isrc(),
          transfer.reason(),
          usage.clipId(),
          usage.kind(),
          usage.seconds(),
          usage.amountMicros(),
          usage.at(),
          seconds,
          amountMicros
        }) {
      byte[] bytes = field.toString().getBytes(StandardCharsets.UTF_8);
      digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
      digest.update(bytes);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Reads everything. The caller holds the booking lock. */
  static BooksCheck check(Handle handle) {
    var problems = new ArrayList<String>();
    var walk = new Walk(problems);
    handle
        .createQuery(
            """
            select t.*, u.clip_id, u.kind, u.at, u.seconds as usage_seconds,
              u.amount_micros as usage_amount, s.seconds as settled_seconds,
              s.amount_micros as settled_amount
            from ledger.transfer t
            join ledger.settlement s on s.usage_id = t.usage_id
            join ledger.usage u on u.id = t.usage_id
            order by t.seq
            """)
        .setFetchSize(FETCH)
        .map((row, _) -> {
          Transfer transfer = Ledger.transfer(row);
          var usage =
              new Usage(
                  transfer.usageId(),
                  row.getString("clip_id"),
                  row.getString("kind"),
                  row.getDouble("usage_seconds"),
                  row.getLong("usage_amount"),
                  transfer.currency(),
                  row.getObject("at", java.time.OffsetDateTime.class).toInstant());
          walk.step(
              row.getLong("seq"),
              transfer,
              usage,
              row.getDouble("settled_seconds"),
              row.getLong("settled_amount"),
              row.getString("hash"));
          return transfer.id();
        })
        .forEach(_ -> {});
    problem(
        handle,
        problems,
        "Transfer %s has entries that do not balance.",
        """
        select t.id from ledger.transfer t left join ledger.entry e on e.transfer_seq = t.seq
        group by t.seq, t.id, t.amount_micros, t.from_account, t.to_account
        having count(e.account) <> 2
          or coalesce(sum(e.amount_micros), 1) <> 0
          or coalesce(sum(e.amount_micros) filter (where e.account = t.to_account), -1)
            <> t.amount_micros
          or coalesce(sum(e.amount_micros) filter (where e.account = t.from_account), 1)
            <> -t.amount_micros
        order by t.id
        """);
    problem(
        handle,
        problems,
        "Usage %s was not paid out exactly as it was settled.",
        """
        select s.usage_id from ledger.settlement s
        left join ledger.transfer t on t.usage_id = s.usage_id
        group by s.usage_id, s.outcome, s.amount_micros
        having coalesce(sum(t.amount_micros), 0)
          <> case s.outcome when 'POSTED' then s.amount_micros else 0 end
        order by s.usage_id
        """);
    long sum =
        handle
            .createQuery("select coalesce(sum(amount_micros), 0)::bigint from ledger.entry")
            .mapTo(Long.class)
            .one();
    if (sum != 0) {
      problems.add("All balances together are %d micros, not zero.".formatted(sum));
    }
    checkClosings(handle, problems);
    return new BooksCheck(walk.seq, walk.hash, problems);
  }

  /** The hash that a closing noted must still be in the chain. */
  private static void checkClosings(Handle handle, List<String> problems) {
    problem(
        handle,
        problems,
        "The books before the closing of %s were changed after it.",
        """
        select c.period from ledger.closing c
        left join ledger.transfer t on t.seq = c.last_seq
        where coalesce(t.hash, repeat('0', 64)) <> c.head
        order by c.period
        """);
  }

  private static void problem(
      Handle handle, List<String> problems, String sentence, String culprits) {
    handle.createQuery(culprits).mapTo(String.class).stream()
        .limit(PROBLEMS_MAX)
        .forEach(culprit -> problems.add(sentence.formatted(culprit)));
  }

  /** Follows the chain and remembers where it is. */
  private static final class Walk {
    private final List<String> problems;
    private long seq;
    private String hash = START;

    Walk(List<String> problems) {
      this.problems = problems;
    }

    void step(
        long nextSeq,
        Transfer transfer,
        Usage usage,
        double seconds,
        long amountMicros,
        String nextHash) {
      boolean follows = nextSeq == seq + 1;
      boolean fits = nextHash.equals(hash(hash, nextSeq, transfer, usage, seconds, amountMicros));
      if ((!follows || !fits) && problems.size() < PROBLEMS_MAX) {
        problems.add(
            follows
                ? "Transfer %d (%s) was changed after it was booked."
                    .formatted(nextSeq, transfer.id())
                : "The transfers between %d and %d are missing.".formatted(seq, nextSeq));
      }
      seq = nextSeq;
      hash = nextHash;
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("SHA-256 is part of the JDK", e);
    }
  }
}
