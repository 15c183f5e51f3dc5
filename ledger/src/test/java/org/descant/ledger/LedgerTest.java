package org.descant.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.descant.ledger.TestSplits.ONE;
import static org.descant.ledger.TestSplits.TWO;
import static org.descant.ledger.TestSplits.plain;
import static org.descant.ledger.TestSplits.publicDomain;

import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.descant.database.Database;
import org.descant.rights.Agreement;
import org.descant.rights.AgreementKind;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.rights.RightsException;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Terms;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class LedgerTest {
  private static final Instant JUNE = Instant.parse("2026-06-01T12:00:00.123456789Z");

  private static Database database;

  private Ledger ledger;

  @BeforeAll
  static void start() {
    database = Database.temporary();
  }

  @AfterAll
  static void stop() {
    database.close();
  }

  /** The books are append-only by trigger; a test may look away to begin with empty ones. */
  @BeforeEach
  void empty() {
    ledger = Ledger.open(database);
    database
        .jdbi()
        .useTransaction(handle -> {
          List<String> tables =
              handle
                  .createQuery(
                      """
                      select schemaname || '.' || tablename from pg_tables
                      where schemaname in ('ledger', 'rights')
                        and tablename <> 'migration_history'
                      """)
                  .mapTo(String.class)
                  .list();
          handle.execute("set local session_replication_role = replica");
          handle.execute("truncate " + String.join(", ", tables) + " restart identity cascade");
        });
  }

  private static Usage usage(String id, long micros) {
    return new Usage(id, "clip-1", "stream", 10, micros, "EUR", JUNE);
  }

  @Test
  void aPendingUsageMovesNoMoneyUntilItIsPosted() {
    assertThat(ledger.pending(usage("u1", 1_000_000))).isEqualTo(UsageState.PENDING);
    assertThat(ledger.balances()).isEmpty();
    assertThat(ledger.pendingBefore(JUNE.plusSeconds(1))).containsExactly(usage("u1", 1_000_000));

    List<Transfer> transfers = ledger.post("u1", List.of(plain(ONE, 1)));
    assertThat(transfers).isEqualTo(ledger.transfers("u1")).hasSize(7);
    assertThat(ledger.state("u1")).isEqualTo(UsageState.POSTED);
    assertThat(ledger.pendingBefore(JUNE.plusSeconds(1))).isEmpty();
    assertThat(ledger.balances())
        .containsEntry("customer:fan", -1_000_000L)
        .containsEntry("platform", 300_000L)
        .containsEntry("party:label", 252_000L);
    assertThat(ledger.balances().values().stream().mapToLong(Long::longValue).sum()).isZero();
    assertThat(ledger.check().problems()).isEmpty();
    assertThat(ledger.check().transfers()).isEqualTo(7);
  }

  @Test
  void aUsageIsSettledOnce() {
    Usage usage = usage("u1", 900);
    ledger.pending(usage);
    assertThat(ledger.pending(usage)).isEqualTo(UsageState.PENDING);
    List<Transfer> first = ledger.post("u1", List.of(plain(ONE, 1)));
    assertThat(ledger.post("u1", List.of(plain(TWO, 1)))).isEqualTo(first);
    assertThat(ledger.pending(usage)).isEqualTo(UsageState.POSTED);
    assertThatThrownBy(() -> ledger.voided("u1")).hasMessageContaining("is posted");

    ledger.pending(usage("u2", 900));
    ledger.voided("u2");
    ledger.voided("u2");
    assertThatThrownBy(() -> ledger.post("u2", List.of(plain(ONE, 1))))
        .isInstanceOf(LedgerException.class)
        .hasMessageContaining("is voided");
    assertThat(ledger.balances()).containsEntry("customer:fan", -900L);
    assertThat(ledger.check().balanced()).isTrue();
  }

  @Test
  void whatWasHeardLessIsPaidLess() {
    ledger.pending(usage("u1", 1_000));
    assertThatThrownBy(() -> ledger.post("u1", 10, 1_001, List.of(plain(ONE, 1))))
        .hasMessageContaining("pending with 0.001000 EUR");
    ledger.post("u1", 4, 400, List.of(plain(ONE, 1)));
    assertThat(ledger.balances()).containsEntry("customer:fan", -400L);
    assertThat(ledger.statement("label").lines().getFirst().seconds()).isEqualTo(4);
    assertThat(ledger.check().balanced()).isTrue();
  }

  @Test
  void aFreeUsageIsPostedWithoutTransfers() {
    ledger.pending(usage("u1", 0));
    assertThat(ledger.post("u1", List.of(plain(ONE, 1)))).isEmpty();
    assertThat(ledger.state("u1")).isEqualTo(UsageState.POSTED);
    assertThat(ledger.check().balanced()).isTrue();
  }

  @Test
  void aKnownIdWithOtherFactsOrAnUnknownIdIsRefused() {
    ledger.pending(usage("u1", 900));
    assertThatThrownBy(() -> ledger.pending(usage("u1", 901)))
        .isInstanceOf(LedgerException.class)
        .hasMessageContaining("other facts");
    assertThatThrownBy(() -> ledger.post("u9", List.of(plain(ONE, 1))))
        .hasMessageContaining("u9 is not booked");
    assertThatThrownBy(() -> new Usage("u1", "c", "stream", 1, 1, "USD", JUNE))
        .hasMessageContaining("EUR");
    assertThatThrownBy(() -> usage("u1", -1)).isInstanceOf(LedgerException.class);
    assertThatThrownBy(() -> usage("a b", 1)).isInstanceOf(LedgerException.class);
  }

  @Test
  void aPostingThatFailsLeavesTheUsagePending() {
    ledger.pending(usage("u1", 900));
    assertThatThrownBy(() -> ledger.post("u1", List.of())).isInstanceOf(LedgerException.class);
    assertThat(ledger.state("u1")).isEqualTo(UsageState.PENDING);
    assertThat(ledger.balances()).isEmpty();
  }

  @Test
  void aStatementLinksEachLineToUsageClipRecordingAndRule() {
    ledger.pending(usage("u1", 1_000_000));
    ledger.pending(usage("u2", 1_000));
    ledger.post("u2", List.of(plain(TWO, 1), publicDomain(ONE, 1)));
    ledger.post("u1", List.of(plain(ONE, 1)));
    Statement statement = ledger.statement("artist");
    assertThat(statement.lines()).hasSize(4);
    assertThat(statement.totalMicros())
        .isEqualTo(ledger.balances().get("party:artist"))
        .isEqualTo(126_000 + 63);
    Statement.Line line = statement.lines().getLast();
    assertThat(line.usageId()).isEqualTo("u1");
    assertThat(line.clipId()).isEqualTo("clip-1");
    assertThat(line.isrc()).isEqualTo(ONE.value());
    assertThat(line.rule()).isEqualTo("royalty/1");
    assertThat(line.reason()).contains("contributor pool");
    assertThat(ledger.statement("artist", YearMonth.of(2026, 6))).isEqualTo(statement);
    assertThat(ledger.statement("artist", YearMonth.of(2026, 7)).lines()).isEmpty();
    assertThat(ledger.parties())
        .containsExactly("artist", "drummer", "label", "publisher", "writer");
    assertThat(ledger.statement("nobody").totalMicros()).isZero();
  }

  @Test
  void aClosedMonthTakesNoMoreBookings() {
    ledger.pending(usage("u1", 900));
    YearMonth june = YearMonth.of(2026, 6);
    assertThatThrownBy(() -> ledger.close(june)).hasMessageContaining("1 of its usages");
    ledger.post("u1", List.of(plain(ONE, 1)));
    Closing closing = ledger.close(june);
    assertThat(closing.movedMicros()).isEqualTo(900);
    assertThat(closing.head()).isEqualTo(ledger.check().head());
    assertThat(ledger.close(june)).isEqualTo(closing);
    assertThatThrownBy(() -> ledger.pending(usage("u2", 900))).hasMessageContaining("is closed");
    assertThat(ledger.pending(usage("u1", 900))).isEqualTo(UsageState.POSTED);
    assertThat(ledger.close(YearMonth.of(2026, 5)).movedMicros()).isZero();
    assertThat(ledger.check().balanced()).isTrue();
  }

  @Test
  void theBooksAreAppendOnly() {
    ledger.pending(usage("u1", 900));
    ledger.post("u1", List.of(plain(ONE, 1)));
    for (String change :
        List.of(
            "update ledger.transfer set amount_micros = 1",
            "delete from ledger.entry",
            "truncate ledger.closing")) {
      assertThatThrownBy(() -> execute(change)).hasMessageContaining("append-only");
    }
  }

  @Test
  void everyChangeBehindTheBooksBackIsFound() {
    ledger.pending(usage("u1", 900));
    ledger.post("u1", List.of(plain(ONE, 1)));
    ledger.close(YearMonth.of(2026, 6));
    for (String change :
        List.of(
            "update ledger.transfer set amount_micros = amount_micros + 1 where seq = 2",
            "update ledger.transfer set to_account = 'party:thief' where seq = 2",
            "update ledger.transfer set reason = 'a gift' where seq = 3",
            "update ledger.entry set amount_micros = amount_micros + 1 where amount_micros > 0",
            "update ledger.entry set account = 'party:thief' where account = 'party:label'",
            "delete from ledger.entry where transfer_seq = 1 and amount_micros < 0",
            "delete from ledger.entry where transfer_seq = 1",
            "update ledger.usage set clip_id = 'another'",
            "update ledger.settlement set amount_micros = 899",
            "update ledger.settlement set outcome = 'VOIDED'",
            "delete from ledger.entry where transfer_seq = 7;"
                + " delete from ledger.transfer where seq = 7",
            "delete from ledger.entry; delete from ledger.transfer; delete from"
                + " ledger.settlement")) {
      database
          .jdbi()
          .useHandle(handle -> {
            handle.begin();
            for (String table : List.of("usage", "settlement", "transfer", "entry")) {
              handle.execute("alter table ledger." + table + " disable trigger append_only");
            }
            handle.execute(change);
            assertThat(Chain.check(handle).problems()).as(change).isNotEmpty();
            handle.rollback();
          });
    }
    assertThat(ledger.check().problems()).isEmpty();
  }

  private void execute(String sql) {
    database.jdbi().useHandle(handle -> handle.execute(sql));
  }

  @Test
  void threadsThatPostTheSameUsagesBookEachOnce() throws Exception {
    List<Callable<Void>> tasks =
        IntStream.range(0, 8)
            .<Callable<Void>>mapToObj(thread ->
                () -> {
                  var random = new SplittableRandom(thread);
                  for (int i = 0; i < 20; i++) {
                    String id = "u" + random.nextInt(10);
                    ledger.pending(usage(id, 1_000));
                    ledger.post(id, List.of(plain(ONE, 1), plain(TWO, random.nextInt(5))));
                  }
                  return null;
                })
            .toList();
    try (var threads = Executors.newFixedThreadPool(8)) {
      for (var done : threads.invokeAll(tasks)) {
        done.get();
      }
    }
    assertThat(ledger.balances()).containsEntry("customer:fan", -10_000L);
    assertThat(ledger.check().problems()).isEmpty();
  }

  @Test
  void splitsAreReadFromTheAgreementsThatHeld() {
    Rights rights = Rights.open(database);
    var agreement =
        new Agreement(
            "a-label",
            AgreementKind.LICENCE,
            "label",
            Set.of(Use.TRAIN),
            Scope.ALL,
            LocalDate.of(2026, 1, 1),
            LocalDate.of(2026, 12, 31),
            Set.of(Agreement.WORLDWIDE),
            Terms.STANDARD);
    rights.record(
        List.of(
            new Party("label", "Label", true),
            new Party("artist", "Artist", true),
            new Work(
                "W-1",
                "Song",
                List.of(new Contributor("artist", "Composer")),
                List.of(Share.publishing("label", 10_000))),
            new Recording(
                ONE,
                "Song",
                "Artist",
                30,
                "ab".repeat(32),
                List.of("W-1"),
                List.of(new Contributor("artist", "MainArtist")),
                List.of(Share.master("label", 10_000)),
                null),
            agreement));
    var weights = List.of(new RecordingWeight(ONE, 1));
    List<RecordingSplit> splits =
        RecordingSplit.read(
            rights, Use.TRAIN, weights, DecisionContext.at(LocalDate.of(2026, 6, 1)));
    assertThat(splits)
        .singleElement()
        .satisfies(split -> {
          assertThat(split.grants()).hasSize(2);
          assertThat(split.contributors()).containsExactly("artist");
        });
    ledger.pending(usage("u1", 1_000_000));
    ledger.post("u1", splits);
    assertThat(ledger.balances())
        .containsEntry("party:label", 616_000L)
        .containsEntry("party:artist", 84_000L)
        .containsEntry("platform", 300_000L);

    assertThatThrownBy(() ->
            RecordingSplit.read(
                rights, Use.TRAIN, weights, DecisionContext.at(LocalDate.of(2027, 6, 1))))
        .isInstanceOf(RightsException.class);
    assertThatThrownBy(() ->
            RecordingSplit.read(
                rights,
                Use.TRAIN,
                List.of(new RecordingWeight(TWO, 1)),
                DecisionContext.at(LocalDate.of(2026, 6, 1))))
        .isInstanceOf(LedgerException.class)
        .hasMessageContaining("not registered");
  }

  @Test
  void aCloudEventHasTheAttributesOfTheStandard() {
    JsonNode event =
        new JsonMapper().readTree(CloudEvents.of(usage("u1", 5), UsageState.POSTED, "urn:home"));
    assertThat(event.path("specversion").asString()).isEqualTo("1.0");
    assertThat(event.path("id").asString()).isEqualTo("u1/POSTED");
    assertThat(event.path("type").asString()).isEqualTo("org.descant.usage.posted");
    assertThat(event.path("source").asString()).isEqualTo("urn:home");
    assertThat(event.path("time").asString()).isEqualTo("2026-06-01T12:00:00.123456Z");
    assertThat(event.path("data").path("amountMicros").asLong()).isEqualTo(5);
  }
}
