package org.descant.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.descant.ledger.TestSplits.ONE;
import static org.descant.ledger.TestSplits.TWO;
import static org.descant.ledger.TestSplits.plain;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.database.Database;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes on one home, killed without warning. */
class LedgerCrashTest {
  private static final int ROUNDS = 3;
  private static final int PROCESSES = 2;
  private static final int POSTINGS = 25;

  @TempDir Path home;

  @Test
  void processesThatAreKilledLeaveBooksThatBalance() throws Exception {
    var random = new SplittableRandom(5);
    var answers = new ArrayList<Path>();
    try (Database database = Database.open(home)) {
      Ledger ledger = Ledger.open(database);
      for (int round = 0; round < ROUNDS; round++) {
        var processes = new ArrayList<Process>();
        for (int i = 0; i < PROCESSES; i++) {
          Path out = Files.createTempFile(home, "answers", "");
          answers.add(out);
          processes.add(start(out, round));
        }
        String last = id(round, POSTINGS);
        while (ledger.usage(last).isEmpty()) {
          assertThat(processes).anyMatch(Process::isAlive);
          Thread.sleep(random.nextInt(1, 10));
        }
        for (Process process : processes) {
          process.destroyForcibly().waitFor();
        }
        assertThat(ledger.check().problems()).isEmpty();
      }

      for (Usage usage : ledger.pendingBefore(Instant.now())) {
        ledger.voided(usage.id());
      }
      assertThat(ledger.check().problems()).isEmpty();
      assertThat(ledger.balances().values().stream().mapToLong(Long::longValue).sum()).isZero();
      for (Path out : answers) {
        for (String posted : completeLines(out)) {
          assertThat(ledger.state(posted)).isEqualTo(UsageState.POSTED);
          assertThat(ledger.transfers(posted).stream().mapToLong(Transfer::amountMicros).sum())
              .isEqualTo(1_001);
        }
      }
    }
  }

  private static String id(int round, int number) {
    return "usage-%d-%d".formatted(round, number);
  }

  private Process start(Path out, int round) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            LedgerCrashTest.class.getName(),
            home.toString(),
            Integer.toString(round))
        .redirectOutput(out.toFile())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /** Books the same usages as the other process of its round, for ever; prints what is posted. */
  public static void main(String[] arguments) {
    try (Database database = Database.open(Path.of(arguments[0]))) {
      Ledger ledger = Ledger.open(database);
      int round = Integer.parseInt(arguments[1]);
      for (int i = 0; ; i++) {
        String id = id(round, i);
        ledger.pending(
            new Usage(
                id, "clip", "stream", 10, 1_001, "EUR", Instant.parse("2026-06-01T00:00:00Z")));
        ledger.post(id, List.of(plain(ONE, 1), plain(TWO, 2)));
        System.out.println(id);
      }
    }
  }

  private static List<String> completeLines(Path file) throws IOException {
    String text = Files.readString(file);
    return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
  }
}
