package org.descant.rights;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.PreparedBatch;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The gate: may this recording be used for this, on this day, by what was known then? Every answer
 * is stored before it is given. Thread-safe.
 */
public final class Clearance {
  /** The most recordings that one call decides on. */
  public static final int RECORDINGS_MAX = 1_000_000;

  /** Recordings that one round of queries covers: bounds memory, and the time a writer waits. */
  private static final int CHUNK = 1_000;

  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Jdbi jdbi;

  Clearance(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /**
   * Decides on one recording. A recording that nobody registered is refused, not an error.
   *
   * @return the stored decision, with all reasons
   */
  public Decision decide(Use use, Isrc isrc, DecisionContext context) {
    return answer(use, List.of(isrc), context).getFirst().decision();
  }

  /** Decides on many recordings at one moment of the record, in the order given. */
  public List<Decision> decideAll(Use use, Collection<Isrc> isrcs, DecisionContext context) {
    return answer(use, isrcs, context).stream().map(Answer::decision).toList();
  }

  /** The recording as cleared, or empty when the use is refused. */
  public Optional<ClearedRecording> clear(Use use, Isrc isrc, DecisionContext context) {
    return answer(use, List.of(isrc), context).getFirst().cleared();
  }

  /**
   * What came of clearing many recordings at one moment of the record.
   *
   * @param cleared in the order asked
   * @param refused in the order asked
   */
  public record Clearing(List<ClearedRecording> cleared, List<Decision> refused) {
    /** Keeps the lists as they are. */
    public Clearing {
      cleared = List.copyOf(cleared);
      refused = List.copyOf(refused);
    }
  }

  /** Clears many recordings at one moment of the record. */
  public Clearing clearAll(Use use, Collection<Isrc> isrcs, DecisionContext context) {
    List<ClearedRecording> cleared = new ArrayList<>();
    List<Decision> refused = new ArrayList<>();
    for (Answer answer : answer(use, isrcs, context)) {
      answer.cleared().ifPresentOrElse(cleared::add, () -> refused.add(answer.decision()));
    }
    return new Clearing(cleared, refused);
  }

  /**
   * Asks again, for the same day and with all that is recorded by now.
   *
   * @return the decision that still allows it
   * @throws ConsentWithdrawnException when it is refused now
   * @throws RightsException when the recording's sound is another one now
   */
  public Decision recheck(ClearedRecording cleared) {
    return recheck(cleared, cleared.validAt());
  }

  /** As {@link #recheck(ClearedRecording)}, for another day. */
  public Decision recheck(ClearedRecording cleared, LocalDate validAt) {
    DecisionContext context = new DecisionContext(validAt, null, cleared.decision().territory());
    Answer answer = answer(cleared.use(), List.of(cleared.isrc()), context).getFirst();
    Decision decision = answer.decision();
    if (!decision.allowed()) {
      throw new ConsentWithdrawnException(
          "%s is no longer cleared for %s: %s"
              .formatted(cleared.isrc().formatted(), cleared.use().inWords(), decision.sentence()),
          decision);
    }
    if (!cleared.pcmHash().equals(answer.pcmHash())) {
      throw new RightsException(
          "The sound of %s has been replaced since it was cleared: clear it again"
              .formatted(cleared.isrc().formatted()));
    }
    return decision;
  }

  /** A decision that was made here, by its id. */
  public Optional<Decision> find(String decisionId) {
    return jdbi.withHandle(handle ->
        handle
            .createQuery("select * from rights.decision where id = :id")
            .bind("id", decisionId)
            .map((row, _) ->
                new Decision(
                    FactStore.string(row, "id"),
                    Use.valueOf(FactStore.string(row, "use")),
                    new Isrc(FactStore.string(row, "isrc")),
                    row.getBoolean("allowed"),
                    JSON.readValue(
                        FactStore.string(row, "reasons"), new TypeReference<List<Reason>>() {}),
                    FactStore.string(row, "rules_hash"),
                    row.getObject("valid_at", LocalDate.class),
                    RecordClock.instant(row, "known_at"),
                    FactStore.string(row, "territory")))
            .findFirst());
  }

  /**
   * The agreement of each owner by which a cleared use is paid: the recording's owners, then those
   * of its works.
   *
   * @throws RightsException when the use is refused
   */
  public List<Grant> grants(Use use, Isrc isrc, DecisionContext context) {
    Answer answer = answer(use, List.of(isrc), context).getFirst();
    if (!answer.decision().allowed()) {
      throw new RightsException(
          "%s may not be used for %s: %s"
              .formatted(isrc.formatted(), use.inWords(), answer.decision().sentence()));
    }
    return answer.grants();
  }

  /**
   * The last day on which a model that was trained on the recording may still be played after
   * somebody has refused: the last day on which the use was cleared, and the shortest run-off of
   * all agreements that it rested on. {@link LocalDate#MAX} while the use is allowed, {@link
   * LocalDate#MIN} when it never was by what is known (an owner never granted it, a share or the
   * work is unknown, the recording is blocked).
   */
  public LocalDate runOffUntil(Use use, Isrc isrc, DecisionContext context) {
    return answer(use, List.of(isrc), context).getFirst().runOffUntil();
  }

  private record Answer(
      Decision decision, @Nullable String pcmHash, List<Grant> grants, LocalDate runOffUntil) {
    Optional<ClearedRecording> cleared() {
      return decision.allowed() && pcmHash != null
          ? Optional.of(new ClearedRecording(decision, pcmHash))
          : Optional.empty();
    }
  }

  private List<Answer> answer(Use use, Collection<Isrc> isrcs, DecisionContext context) {
    Recording.requireCount(isrcs.size(), RECORDINGS_MAX, "recordings", "question");
    List<Isrc> distinct = List.copyOf(new LinkedHashSet<>(isrcs));
    Map<Isrc, Answer> answers = new LinkedHashMap<>();
    Instant knownAt = context.knownAt();
    for (int from = 0; from < distinct.size(); from += CHUNK) {
      List<Isrc> chunk = distinct.subList(from, Math.min(from + CHUNK, distinct.size()));
      Instant asked = knownAt;
      knownAt =
          jdbi.inTransaction(handle -> {
            // The first chunk settles the moment; the others are asked about the same one.
            RecordClock.Moment moment = RecordClock.read(handle, asked);
            List<Answer> decided = decide(handle, use, chunk, context, moment);
            store(handle, decided);
            decided.forEach(answer -> answers.put(answer.decision().isrc(), answer));
            return moment.knownAt();
          });
    }
    return isrcs.stream().map(answers::get).toList();
  }

  private static List<Answer> decide(
      Handle handle,
      Use use,
      List<Isrc> isrcs,
      DecisionContext context,
      RecordClock.Moment moment) {
    Standing standing = Standing.read(handle, use, isrcs, context, moment.seq());
    return isrcs.stream().map(isrc -> decide(standing, use, isrc, context, moment)).toList();
  }

  private static Answer decide(
      Standing standing, Use use, Isrc isrc, DecisionContext context, RecordClock.Moment moment) {
    Recording recording = standing.recording(isrc);
    Verdict verdict =
        recording == null ? Verdict.unknown(isrc) : judge(standing, use, recording, context);
    String pcmHash = recording == null ? null : recording.pcmHash();
    String rulesHash = verdict.rulesHash();
    String id =
        "decision:"
            + Canonical.hash(
                    Canonical.fields(
                        "decision/1",
                        use.name(),
                        isrc.value(),
                        String.valueOf(pcmHash),
                        context.validAt().toString(),
                        context.territory(),
                        verdict.allowed() ? "allowed" : "refused",
                        verdict.codes(),
                        rulesHash))
                .substring(0, 32);
    Decision decision =
        new Decision(
            id,
            use,
            isrc,
            verdict.allowed(),
            verdict.reasons(),
            rulesHash,
            context.validAt(),
            moment.knownAt(),
            context.territory());
    LocalDate runOffUntil =
        verdict.allowed() ? LocalDate.MAX : RunOff.until(standing, recording, verdict.reasons());
    return new Answer(decision, pcmHash, verdict.grants(), runOffUntil);
  }

  private static Verdict judge(
      Standing standing, Use use, Recording recording, DecisionContext context) {
    Verdict verdict = new Verdict();
    if (recording.blocked()) {
      verdict.refuse(Sentences.blocked(recording));
    }
    if (recording.workIds().isEmpty()) {
      verdict.refuse(Sentences.workUnknown(recording));
    }
    judgeShares(standing, recording, verdict);
    judgeOwners(standing, use, recording, context, verdict);
    for (Choice choice : standing.choices(recording.isrc())) {
      verdict.rule(Canonical.of(choice));
      if (!choice.allowed()) {
        String title =
            choice.scope() instanceof Scope.OfWork(String workId)
                ? standing.workTitle(workId)
                : null;
        verdict.refuse(Sentences.no(standing.name(choice.partyId()), choice, recording, title));
      }
    }
    return verdict;
  }

  private static void judgeShares(Standing standing, Recording recording, Verdict verdict) {
    List<Work> works = standing.works(recording);
    boolean anyOwner =
        !recording.shares().isEmpty() || works.stream().anyMatch(work -> !work.shares().isEmpty());
    if (!anyOwner) {
      return; // Said by NO_AGREEMENT: nobody is known to own it.
    }
    int master = sum(recording.shares());
    if (master != Share.WHOLE) {
      verdict.refuse(Sentences.sharesIncomplete(Sentences.recording(recording), master));
    }
    for (Work work : works) {
      int publishing = sum(work.shares());
      if (publishing != Share.WHOLE) {
        verdict.refuse(Sentences.sharesIncomplete(Sentences.work(work), publishing));
      }
    }
  }

  private static int sum(List<Share> shares) {
    return shares.stream().mapToInt(Share::basisPoints).sum();
  }

  private static void judgeOwners(
      Standing standing, Use use, Recording recording, DecisionContext context, Verdict verdict) {
    List<Standing.Owner> owners = standing.owners(recording.isrc());
    owners.forEach(owner -> verdict.rule(owner.canonical()));
    if (owners.stream().allMatch(owner -> owner.candidates().isEmpty())) {
      List<String> names =
          owners.stream().map(owner -> standing.name(owner.share().partyId())).distinct().toList();
      verdict.refuse(Sentences.noAgreement(recording, names));
      return;
    }
    for (Standing.Owner owner : owners) {
      String name = standing.name(owner.share().partyId());
      String of = owner.of(recording, standing);
      Optional<Agreement> granting =
          owner.candidates().stream()
              .filter(Standing.Candidate::grants)
              .map(Standing.Candidate::agreement)
              .min(Standing.BEST_FIRST);
      if (granting.isPresent()) {
        Agreement agreement = granting.get();
        verdict.rule(Canonical.of(agreement));
        verdict.grant(
            new Grant(owner.share(), owner.workId(), agreement),
            Sentences.granted(name, owner.share(), of, use, agreement));
      } else if (owner.candidates().isEmpty()) {
        verdict.refuse(Sentences.ownerMissing(name, owner.share(), of));
      } else {
        for (Standing.Candidate candidate : owner.candidates()) {
          verdict.rule(Canonical.of(candidate.agreement()));
          verdict.refuse(shortcoming(name, use, context, candidate));
        }
      }
    }
  }

  private static Reason shortcoming(
      String name, Use use, DecisionContext context, Standing.Candidate candidate) {
    Agreement agreement = candidate.agreement();
    if (!candidate.usesOk()) {
      return Sentences.useNotGranted(name, use, agreement);
    }
    if (!candidate.notEnded()) {
      return Sentences.ended(name, agreement);
    }
    if (!candidate.begun()) {
      return Sentences.notYet(name, agreement);
    }
    return Sentences.territory(name, context.territory(), agreement);
  }

  private static void store(Handle handle, List<Answer> answers) {
    PreparedBatch batch =
        handle.prepareBatch(
            """
            insert into rights.decision values
              (:id, :use, :isrc, :allowed, cast(:reasons as jsonb), :rulesHash, :validAt,
               :knownAt, :territory)
            on conflict do nothing
            """);
    for (Answer answer : answers) {
      Decision decision = answer.decision();
      batch
          .bind("id", decision.id())
          .bind("use", decision.use().name())
          .bind("isrc", decision.isrc().value())
          .bind("allowed", decision.allowed())
          .bind("reasons", JSON.writeValueAsString(decision.reasons()))
          .bind("rulesHash", decision.rulesHash())
          .bind("validAt", decision.validAt())
          .bind("knownAt", decision.knownAt().atOffset(ZoneOffset.UTC))
          .bind("territory", decision.territory())
          .add();
    }
    batch.execute();
  }
}
