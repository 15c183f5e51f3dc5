package org.descant.cli.playing;

import java.time.YearMonth;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.ledger.BooksCheck;
import org.descant.ledger.Closing;
import org.descant.ledger.Ledger;
import org.descant.ledger.Statement;
import org.descant.ledger.Usage;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** The books: statements, a check, the end of a period. */
@Command(
    name = "ledger",
    description = "Statements of what everybody earned; check and close the books.",
    subcommands = {
      LedgerCommand.StatementCommand.class,
      LedgerCommand.Check.class,
      LedgerCommand.Close.class
    })
public final class LedgerCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant ledger statement`, `check` or `close`.");
  }

  @Command(name = "statement", description = "What a party, or everybody, earned.")
  static final class StatementCommand implements Callable<Integer> {
    @ParentCommand LedgerCommand parent = new LedgerCommand();

    @Option(names = "--party", paramLabel = "ID")
    @Nullable String party;

    @Option(names = "--period", paramLabel = "YYYY-MM", description = "Only usages of this month.")
    @Nullable String period;

    @Override
    public Integer call() {
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        if (party != null && platform.rights().party(party).isEmpty()) {
          throw new UsageException(
              "There is no party " + party + "; without --party every statement is printed.");
        }
        Ledger ledger = platform.ledger();
        List<String> parties = party == null ? ledger.parties() : List.of(party);
        List<Statement> statements = new ArrayList<>();
        for (String id : parties) {
          Statement statement = ledger.statement(id, period == null ? null : month(period));
          statements.add(statement);
          String name = platform.rights().party(id).map(p -> p.name()).orElse(id);
          out.say(
              "%s (%s): %s", name, id, Usage.format(statement.totalMicros(), statement.currency()));
          for (Statement.Line line : statement.lines()) {
            out.say(
                "  %s  %s  %s  %s  entry %d",
                line.at(),
                Usage.format(line.amountMicros(), statement.currency()),
                line.clipId(),
                line.reason(),
                line.entry());
          }
        }
        if (statements.isEmpty()) {
          out.say("Nobody has earned anything yet.");
        }
        out.document(statements);
        return Exit.DONE;
      }
    }
  }

  @Command(name = "check", description = "Whether the books balance (exit 0) or not (exit 1).")
  static final class Check implements Callable<Integer> {
    @ParentCommand LedgerCommand parent = new LedgerCommand();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        BooksCheck check = platform.ledger().check();
        long sum = platform.ledger().balances().values().stream().mapToLong(Long::longValue).sum();
        check.problems().forEach(problem -> out.say("  %s", problem));
        out.say(
            "%d transfers, %s; all accounts together hold %d.",
            check.transfers(), check.balanced() ? "balanced" : "NOT balanced", sum);
        out.document(
            Map.of(
                "balanced", check.balanced() && sum == 0,
                "transfers", check.transfers(),
                "head", check.head(),
                "sum", sum,
                "problems", check.problems()));
        return check.balanced() && sum == 0 ? Exit.DONE : Exit.REFUSED;
      }
    }
  }

  @Command(name = "close", description = "Close a month: nothing more is booked in it.")
  static final class Close implements Callable<Integer> {
    @ParentCommand LedgerCommand parent = new LedgerCommand();

    @Parameters(paramLabel = "PERIOD", description = "a month such as 2026-11")
    String period = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        Closing closing = platform.ledger().close(month(period));
        platform.log().append(Steps.json(Map.of("closing", closing)));
        out.say(
            "%s is closed after entry %d; %s moved.",
            closing.period(), closing.lastEntry(), Usage.format(closing.movedMicros(), Usage.EUR));
        out.document(closing);
        return Exit.DONE;
      }
    }
  }

  private static YearMonth month(String text) {
    try {
      return YearMonth.parse(text);
    } catch (DateTimeParseException e) {
      throw new UsageException("A period is a month such as 2026-11, was '" + text + "'.");
    }
  }
}
