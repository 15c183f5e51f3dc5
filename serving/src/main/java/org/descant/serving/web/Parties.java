package org.descant.serving.web;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.descant.ledger.Ledger;
import org.descant.ledger.Statement;
import org.descant.rights.Choice;
import org.descant.rights.Contributor;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Reason;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.jspecify.annotations.Nullable;

/**
 * The artist's page: what they are behind, what may be done with it, what they chose, what it paid.
 */
final class Parties {
  private final Rights rights;
  private final Ledger ledger;

  Parties(Rights rights, Ledger ledger) {
    this.rights = rights;
    this.ledger = ledger;
  }

  record Summary(String id, String name, List<String> roles, int recordings) {}

  record UseAnswer(boolean allowed, List<String> reasons) {}

  record RecordingLine(String isrc, String title, Map<String, UseAnswer> uses) {}

  record ChoiceLine(String use, String scope, boolean allowed, String from, String recordedAt) {}

  record StatementLine(String clip, String isrc, String reason, long amount, String at) {}

  record StatementPage(long total, String currency, List<StatementLine> lines) {}

  record Page(
      String id,
      String name,
      boolean fictional,
      List<RecordingLine> recordings,
      List<ChoiceLine> choices,
      StatementPage statement) {}

  /** What somebody says on their page: {@code scope} is "all" or an ISRC. */
  record ChoiceRequest(@Nullable Use use, @Nullable String scope, @Nullable Boolean allowed) {}

  List<Summary> list() {
    Map<String, TreeSet<String>> roles = new LinkedHashMap<>();
    Map<String, TreeSet<String>> recordings = new LinkedHashMap<>();
    Map<String, Work> works = works();
    for (Recording recording : rights.recordings()) {
      for (Contributor contributor : behind(recording, works)) {
        roles.computeIfAbsent(contributor.partyId(), id -> new TreeSet<>()).add(contributor.role());
        recordings
            .computeIfAbsent(contributor.partyId(), id -> new TreeSet<>())
            .add(recording.isrc().toString());
      }
    }
    return rights.parties().stream()
        .filter(party -> recordings.containsKey(party.id()))
        .map(party ->
            new Summary(
                party.id(),
                party.name(),
                List.copyOf(roles.getOrDefault(party.id(), new TreeSet<>())),
                recordings.getOrDefault(party.id(), new TreeSet<>()).size()))
        .sorted(Comparator.comparing(Summary::name))
        .toList();
  }

  Page page(String partyId) {
    Party party =
        rights
            .party(partyId)
            .orElseThrow(() ->
                new Router.NotFound(
                    "There is nobody called " + Router.shortened(partyId) + " here."));
    Map<String, Work> works = works();
    List<Recording> theirs =
        rights.recordings().stream()
            .filter(recording ->
                behind(recording, works).stream()
                    .anyMatch(contributor -> contributor.partyId().equals(partyId)))
            .toList();
    List<Isrc> isrcs = theirs.stream().map(Recording::isrc).toList();
    DecisionContext today = DecisionContext.today();
    Map<Isrc, Map<String, UseAnswer>> answers = new LinkedHashMap<>();
    isrcs.forEach(isrc -> answers.put(isrc, new LinkedHashMap<>()));
    for (Use use : Use.values()) {
      for (Decision decision : rights.clearance().decideAll(use, isrcs, today)) {
        Map<String, UseAnswer> uses = answers.get(decision.isrc());
        if (uses != null) {
          uses.put(
              use.name(),
              new UseAnswer(
                  decision.allowed(), decision.reasons().stream().map(Reason::sentence).toList()));
        }
      }
    }
    List<RecordingLine> lines = new ArrayList<>();
    for (Recording recording : theirs) {
      lines.add(
          new RecordingLine(
              recording.isrc().toString(),
              recording.title(),
              answers.getOrDefault(recording.isrc(), Map.of())));
    }
    List<ChoiceLine> choices =
        rights.choicesOf(partyId).stream()
            .sorted(Comparator.comparing(Rights.RecordedChoice::recordedAt))
            .map(said ->
                new ChoiceLine(
                    said.choice().use().name(),
                    said.choice().scope().toString(),
                    said.choice().allowed(),
                    said.choice().from().toString(),
                    said.recordedAt().toString()))
            .toList();
    return new Page(
        party.id(), party.name(), party.fictional(), lines, choices, statement(partyId));
  }

  /** Records what somebody says; the gate hears it at once. */
  void choose(String partyId, ChoiceRequest request) {
    Page party = page(partyId);
    Boolean allowed = request.allowed();
    if (request.use() == null || request.scope() == null || allowed == null) {
      throw new Router.BadRequest(
          "A choice needs a use, a scope (\"all\" or an ISRC) and allowed (true or false).");
    }
    Scope scope = Scope.parse(request.scope());
    if (scope instanceof Scope.OfRecording(Isrc isrc)
        && party.recordings().stream().noneMatch(line -> line.isrc().equals(isrc.toString()))) {
      throw new Router.BadRequest(
          isrc.formatted() + " is not a recording of " + party.name() + ", so it is not theirs.");
    }
    rights.choose(
        new Choice(partyId, request.use(), scope, allowed, LocalDate.now(ZoneOffset.UTC)));
  }

  StatementPage statement(String partyId) {
    Statement statement = ledger.statement(partyId);
    List<StatementLine> lines =
        statement.lines().stream()
            .sorted(Comparator.comparing(Statement.Line::entry).reversed())
            .map(line ->
                new StatementLine(
                    line.clipId(),
                    line.isrc() == null ? "" : line.isrc(),
                    line.reason(),
                    line.amountMicros(),
                    line.at().toString()))
            .toList();
    return new StatementPage(statement.totalMicros(), statement.currency(), lines);
  }

  private Map<String, Work> works() {
    Map<String, Work> works = new LinkedHashMap<>();
    rights.works().forEach(work -> works.put(work.id(), work));
    return works;
  }

  /** Everybody behind a recording: who made it, who wrote it, who owns either. */
  private static List<Contributor> behind(Recording recording, Map<String, Work> works) {
    List<Contributor> behind = new ArrayList<>(recording.contributors());
    for (Share share : recording.shares()) {
      behind.add(new Contributor(share.partyId(), "MasterOwner"));
    }
    for (String workId : recording.workIds()) {
      Work work = works.get(workId);
      if (work != null) {
        behind.addAll(work.contributors());
        for (Share share : work.shares()) {
          behind.add(new Contributor(share.partyId(), "PublishingOwner"));
        }
      }
    }
    return behind;
  }
}
