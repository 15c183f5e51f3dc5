package org.descant.cli.music;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.UsageException;
import org.descant.rights.Choice;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Scope;
import org.descant.rights.Use;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Asks the gate, and records what somebody chose. */
@Command(
    name = "rights",
    description = "Ask whether a use is allowed; record a choice.",
    subcommands = {RightsCommand.Decide.class, RightsCommand.Choose.class})
public final class RightsCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant rights decide` or `descant rights choose`.");
  }

  /** A decision as JSON tells it. */
  record DecisionDocument(
      String id,
      String isrc,
      String use,
      boolean allowed,
      List<ReasonDocument> reasons,
      String rulesHash,
      String validAt,
      String knownAt,
      String territory) {
    record ReasonDocument(String code, String sentence, List<String> evidence) {}

    static DecisionDocument of(Decision decision) {
      return new DecisionDocument(
          decision.id(),
          decision.isrc().toString(),
          decision.use().name(),
          decision.allowed(),
          decision.reasons().stream()
              .map(r -> new ReasonDocument(r.code().name(), r.sentence(), r.evidenceIds()))
              .toList(),
          decision.rulesHash(),
          decision.validAt().toString(),
          decision.knownAt().toString(),
          decision.territory());
    }
  }

  @Command(name = "decide", description = "Allowed (exit 0) or refused (exit 1), with the reasons.")
  static final class Decide implements Callable<Integer> {
    @ParentCommand RightsCommand parent = new RightsCommand();

    @Option(
        names = "--use",
        required = true,
        description = "train, style, remix, cover, voice or stems")
    Use use = Use.TRAIN;

    @Option(names = "--recording", required = true, paramLabel = "ISRC")
    String recording = "";

    @Option(
        names = "--at",
        paramLabel = "DATE",
        description = "The day of the use (default: today).")
    @Nullable String at;

    @Option(
        names = "--known",
        paramLabel = "DATE",
        description = "Count only what had been recorded by this day or instant (UTC).")
    @Nullable String known;

    @Option(
        names = "--territory",
        defaultValue = "Worldwide",
        description = "Where the use happens.")
    String territory = "Worldwide";

    @Override
    public Integer call() {
      Isrc isrc = Isrc.of(recording);
      DecisionContext context =
          new DecisionContext(
              at == null ? LocalDate.now(ZoneOffset.UTC) : Arguments.date("--at", at),
              known == null ? null : Arguments.instant("--known", known),
              territory);
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        Decision decision = platform.clearance().decide(use, isrc, context);
        out.say("%s: %s for %s", isrc, decision.allowed() ? "allowed" : "refused", use);
        for (var reason : decision.reasons()) {
          out.say("  %s", reason.sentence());
          if (!reason.evidenceIds().isEmpty()) {
            out.say("    evidence: %s", String.join(", ", reason.evidenceIds()));
          }
        }
        out.say("  decision %s, valid %s", decision.id(), decision.validAt());
        out.document(DecisionDocument.of(decision));
        return decision.allowed() ? Exit.DONE : Exit.REFUSED;
      }
    }
  }

  @Command(name = "choose", description = "Record a party's yes or no; it holds from now on.")
  static final class Choose implements Callable<Integer> {
    @ParentCommand RightsCommand parent = new RightsCommand();

    @Option(names = "--party", required = true, paramLabel = "ID")
    String party = "";

    @Option(
        names = "--use",
        required = true,
        description = "train, style, remix, cover, voice or stems")
    Use use = Use.TRAIN;

    @Option(
        names = "--scope",
        required = true,
        paramLabel = "ID",
        description = "all, an ISRC, or a work's ISWC or id")
    String scope = "";

    @Option(
        names = "--from",
        paramLabel = "DATE",
        description = "First day it holds (default: today).")
    @Nullable String from;

    @Parameters(paramLabel = "yes|no")
    String answer = "";

    @Override
    public Integer call() {
      boolean allowed =
          switch (answer.toLowerCase(java.util.Locale.ROOT)) {
            case "yes" -> true;
            case "no" -> false;
            default -> throw new UsageException("A choice is yes or no, was '" + answer + "'.");
          };
      LocalDate day = from == null ? LocalDate.now(ZoneOffset.UTC) : Arguments.date("--from", from);
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        if (platform.rights().party(party).isEmpty()) {
          throw new UsageException(
              "There is no party "
                  + party
                  + "; `descant catalog ls` shows who is behind each recording.");
        }
        Choice choice = new Choice(party, use, Scope.parse(scope), allowed, day);
        String id = platform.rights().choose(choice);
        out.say(
            "%s says %s to %s for %s from %s on (%s).",
            party, allowed ? "yes" : "no", use, choice.scope(), day, id);
        out.document(
            new ChoiceDocument(
                id, party, use.name(), choice.scope().toString(), allowed, day.toString()));
        return Exit.DONE;
      }
    }

    record ChoiceDocument(
        String id, String party, String use, String scope, boolean allowed, String from) {}
  }

  /** Reading of dates and instants. */
  static final class Arguments {
    private Arguments() {}

    static LocalDate date(String option, String text) {
      try {
        return LocalDate.parse(text);
      } catch (DateTimeParseException e) {
        throw new UsageException(option + " takes a day such as 2026-06-01, was '" + text + "'.");
      }
    }

    static java.time.Instant instant(String option, String text) {
      try {
        return text.contains("T")
            ? java.time.Instant.parse(text)
            : LocalDate.parse(text).plusDays(1).atStartOfDay().toInstant(ZoneOffset.UTC);
      } catch (DateTimeParseException e) {
        throw new UsageException(
            option
                + " takes a day (2026-06-01, its end) or an instant (2026-06-01T12:00:00Z), was '"
                + text
                + "'.");
      }
    }
  }
}
