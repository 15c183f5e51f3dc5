package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.descant.rights.Fixture.AT;
import static org.descant.rights.Fixture.DAY;
import static org.descant.rights.Fixture.EVERY_USE;
import static org.descant.rights.Fixture.PCM_HASH;
import static org.descant.rights.Fixture.RECORDING;
import static org.descant.rights.Fixture.SONG;
import static org.descant.rights.Fixture.START;
import static org.descant.rights.Fixture.TUNE;
import static org.descant.rights.Fixture.WORK;
import static org.descant.rights.Fixture.licence;
import static org.descant.rights.Fixture.no;
import static org.descant.rights.Fixture.yes;

import java.time.Instant;
import java.time.LocalDate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.descant.database.Database;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ClearanceTest {
  private Rights rights;
  private Clearance clearance;

  @BeforeEach
  void open() {
    rights = Rights.open(Fixture.nothingRecorded());
    clearance = rights.clearance();
  }

  private void recordEverything() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    rights.record(Fixture.agreements());
  }

  private Decision decide(Use use) {
    return clearance.decide(use, SONG, AT);
  }

  private static List<ReasonCode> codes(Decision decision) {
    return decision.reasons().stream().map(Reason::code).toList();
  }

  @Test
  void whatEveryOwnerGrantsAndNobodyRefusesIsAllowed() {
    recordEverything();
    Decision decision = decide(Use.TRAIN);
    assertThat(decision.allowed()).isTrue();
    assertThat(codes(decision)).containsOnly(ReasonCode.GRANTED).hasSize(3);
    assertThat(decision.reasons().getFirst())
        .isEqualTo(
            new Reason(
                ReasonCode.GRANTED,
                "Harbour Records, who owns 100 % of the recording “Low Tide (Live)”, agrees to"
                    + " training from 2026-01-01.",
                List.of("A-label")));
    assertThat(decision.sentence()).contains("Inkwell Songs, who owns 75 % of the work “Low Tide”");
  }

  @Test
  void aRecordingThatNobodyRegisteredIsRefused() {
    Decision decision = decide(Use.TRAIN);
    assertThat(decision.allowed()).isFalse();
    assertThat(codes(decision)).containsExactly(ReasonCode.UNKNOWN_RECORDING);
    assertThat(decision.sentence())
        .isEqualTo("Nobody has registered a recording XX-ABC-26-00001 here.");
  }

  @Test
  void aRecordingThatNobodyHasGrantedIsRefused() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    Decision decision = decide(Use.TRAIN);
    assertThat(codes(decision)).containsExactly(ReasonCode.NO_AGREEMENT);
    assertThat(decision.sentence())
        .isEqualTo(
            "Nobody has granted any use of “Low Tide (Live)” yet; it takes an agreement with"
                + " Harbour Records, Inkwell Songs and Ben Quill.");
  }

  @Test
  void aRecordingThatNobodyOwnsIsRefused() {
    rights.record(Fixture.people());
    rights.register(new Work("w", "W", List.of(), List.of()));
    rights.register(
        new Recording(SONG, "R", "A", 1, PCM_HASH, List.of("w"), List.of(), List.of(), null));
    assertThat(codes(decide(Use.TRAIN))).containsExactly(ReasonCode.NO_AGREEMENT);
    assertThat(decide(Use.TRAIN).sentence())
        .isEqualTo("Nobody has granted any use of “R”: nobody is known to own it.");
  }

  @Test
  void anOwnerWhoHasNotAgreedIsNamed() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    rights.record(licence("A-label", "label", EVERY_USE));
    rights.record(licence("A-publisher", "publisher", EVERY_USE));
    Decision decision = decide(Use.STYLE);
    assertThat(codes(decision)).containsExactly(ReasonCode.OWNER_MISSING);
    assertThat(decision.sentence())
        .isEqualTo(
            "Ben Quill, who owns 25 % of the work “Low Tide”, has not agreed to anything yet.");
  }

  @Test
  void aUseThatIsNotGrantedIsRefused() {
    recordEverything();
    rights.record(licence("A-label", "label", EnumSet.of(Use.TRAIN, Use.COVER)));
    Decision decision = decide(Use.VOICE);
    assertThat(codes(decision)).containsExactly(ReasonCode.USE_NOT_GRANTED);
    assertThat(decision.reasons().getFirst().evidenceIds()).containsExactly("A-label");
    assertThat(decision.sentence())
        .isEqualTo(
            "The agreement with Harbour Records does not include voice; it is for training and"
                + " covers.");
    assertThat(decide(Use.TRAIN).allowed()).isTrue();
  }

  @Test
  void anAgreementHoldsFromItsFirstToItsLastDay() {
    recordEverything();
    LocalDate last = LocalDate.of(2026, 3, 31);
    rights.record(Agreement.licence("A-label", "label", EVERY_USE, Scope.ALL, START, last));
    for (LocalDate day : List.of(START, last)) {
      assertThat(clearance.decide(Use.TRAIN, SONG, DecisionContext.at(day)).allowed()).isTrue();
    }
    Decision before = clearance.decide(Use.TRAIN, SONG, DecisionContext.at(START.minusDays(1)));
    assertThat(codes(before)).containsOnly(ReasonCode.NOT_YET_IN_FORCE).hasSize(3);
    assertThat(before.sentence())
        .contains("The agreement with Harbour Records begins on 2026-01-01.");
    Decision after = clearance.decide(Use.TRAIN, SONG, DecisionContext.at(last.plusDays(1)));
    assertThat(codes(after)).containsExactly(ReasonCode.AGREEMENT_ENDED);
    assertThat(after.sentence())
        .isEqualTo("The agreement with Harbour Records ended on 2026-03-31.");
  }

  @Test
  void aSecondAgreementMayTakeOverWhereTheFirstEnded() {
    recordEverything();
    rights.record(
        Agreement.licence(
            "A-label", "label", EVERY_USE, Scope.ALL, START, LocalDate.of(2026, 3, 31)));
    rights.record(
        Agreement.licence(
            "A-label-2",
            "label",
            Set.of(Use.TRAIN),
            Scope.of(SONG),
            LocalDate.of(2026, 4, 1),
            null));
    assertThat(decide(Use.TRAIN).allowed()).isTrue();
    assertThat(codes(decide(Use.STYLE)))
        .as("a refusal says what is wrong with each agreement")
        .containsExactly(ReasonCode.AGREEMENT_ENDED, ReasonCode.USE_NOT_GRANTED);
  }

  @Test
  void aTerritoryThatIsNotGrantedIsRefused() {
    recordEverything();
    rights.record(
        new Agreement(
            "A-label",
            AgreementKind.LICENCE,
            "label",
            EVERY_USE,
            Scope.ALL,
            START,
            null,
            Set.of("SE", "DE"),
            Terms.STANDARD));
    assertThat(codes(decide(Use.TRAIN))).containsExactly(ReasonCode.TERRITORY_NOT_GRANTED);
    assertThat(decide(Use.TRAIN).sentence())
        .isEqualTo("The agreement with Harbour Records holds in DE and SE, not everywhere.");
    assertThat(clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, null, "SE")).allowed())
        .isTrue();
    assertThat(clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, null, "FR")).allowed())
        .isFalse();
  }

  @Test
  void anybodyBehindTheMusicMayRefuseWhetherTheyOwnItOrNot() {
    recordEverything();
    for (String person : List.of("singer", "writer", "label", "publisher")) {
      for (Scope scope : List.of(Scope.ALL, Scope.of(SONG), Scope.ofWork(WORK))) {
        String id = rights.choose(no(person, Use.STYLE, scope));
        Decision decision = decide(Use.STYLE);
        assertThat(codes(decision)).containsExactly(ReasonCode.CHOICE_NO);
        assertThat(decision.reasons().getFirst().evidenceIds()).containsExactly(id);
        assertThat(rights.choice(id)).contains(no(person, Use.STYLE, scope));
        assertThat(decide(Use.TRAIN).allowed()).as("another use").isTrue();
        rights.choose(yes(person, Use.STYLE, scope));
        assertThat(decide(Use.STYLE).allowed()).as("taken back").isTrue();
      }
    }
    rights.choose(no("stranger", Use.STYLE, Scope.ALL));
    assertThat(decide(Use.STYLE).allowed()).as("no part in it, no say in it").isTrue();
  }

  @Test
  void aRefusalSaysWhoOfWhatAndSinceWhen() {
    recordEverything();
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    rights.choose(no("writer", Use.TRAIN, Scope.ofWork(WORK)));
    assertThat(decide(Use.TRAIN).sentence())
        .isEqualTo(
            "Ada Lark has said no to training of everything they are part of since 2026-01-01."
                + " Ben Quill has said no to training of the work “Low Tide” since 2026-01-01.");
  }

  @Test
  void theStrictestScopeWins() {
    recordEverything();
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    rights.choose(yes("singer", Use.TRAIN, Scope.of(SONG)));
    assertThat(decide(Use.TRAIN).allowed()).isFalse();
    rights.choose(yes("singer", Use.TRAIN, Scope.ALL));
    assertThat(decide(Use.TRAIN).allowed()).isTrue();
    rights.choose(no("singer", Use.TRAIN, Scope.of(SONG)));
    assertThat(decide(Use.TRAIN).allowed()).isFalse();
  }

  @Test
  void aChoiceHoldsFromItsDayOn() {
    recordEverything();
    rights.choose(new Choice("singer", Use.TRAIN, Scope.ALL, false, DAY));
    assertThat(decide(Use.TRAIN).allowed()).isFalse();
    assertThat(clearance.decide(Use.TRAIN, SONG, DecisionContext.at(DAY.minusDays(1))).allowed())
        .isTrue();
  }

  @Test
  void sharesThatLeaveSomebodyUnknownAreRefused() {
    recordEverything();
    rights.register(
        new Work(
            WORK, "Low Tide", TUNE.contributors(), List.of(Share.publishing("writer", 3_333))));
    Decision decision = decide(Use.TRAIN);
    assertThat(codes(decision)).containsExactly(ReasonCode.SHARES_INCOMPLETE);
    assertThat(decision.sentence())
        .isEqualTo(
            "The known shares of the work “Low Tide” add up to 33.33 %, so not every owner is"
                + " known.");
  }

  @Test
  void aRecordingWithoutAWorkIsRefusedWhateverItsLabelGrants() {
    recordEverything();
    rights.register(
        new Recording(
            SONG,
            "Low Tide (Live)",
            "Ada Lark",
            31.5,
            PCM_HASH,
            List.of(),
            RECORDING.contributors(),
            RECORDING.shares(),
            null));
    assertThat(codes(decide(Use.TRAIN))).containsExactly(ReasonCode.WORK_UNKNOWN);
  }

  @Test
  void aBlockedRecordingIsRefusedAndSaysWhy() {
    recordEverything();
    rights.register(
        new Recording(
            SONG,
            "Low Tide (Live)",
            "Ada Lark",
            0,
            null,
            List.of(WORK),
            RECORDING.contributors(),
            RECORDING.shares(),
            "its file low-tide.flac was not delivered"));
    assertThat(codes(decide(Use.TRAIN))).containsExactly(ReasonCode.BLOCKED);
    assertThat(decide(Use.TRAIN).sentence())
        .isEqualTo("“Low Tide (Live)” has to wait: its file low-tide.flac was not delivered.");
    assertThat(clearance.clear(Use.TRAIN, SONG, AT)).isEmpty();
  }

  @Test
  void aRefusalListsEveryReason() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    rights.record(licence("A-label", "label", Set.of(Use.STYLE)));
    rights.record(
        Agreement.licence(
            "A-publisher", "publisher", EVERY_USE, Scope.ALL, START, LocalDate.of(2026, 2, 1)));
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    assertThat(codes(decide(Use.TRAIN)))
        .containsExactly(
            ReasonCode.USE_NOT_GRANTED,
            ReasonCode.AGREEMENT_ENDED,
            ReasonCode.OWNER_MISSING,
            ReasonCode.CHOICE_NO);
  }

  @Test
  void aPublicDomainDedicationGrantsEveryUseAndOwesNothing() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    for (String owner : List.of("label", "publisher", "writer")) {
      rights.record(Agreement.publicDomain("CC0-" + owner, owner, Scope.ALL, START));
    }
    for (Use use : Use.values()) {
      assertThat(decide(use).allowed()).isTrue();
    }
    assertThat(decide(Use.TRAIN).sentence())
        .contains("Harbour Records", "has given it to the public domain since 2026-01-01");
    assertThat(clearance.grants(Use.TRAIN, SONG, AT))
        .hasSize(3)
        .allMatch(grant -> !grant.agreement().terms().paymentDue())
        .allMatch(grant -> grant.agreement().terms().creditRequired());
  }

  @Test
  void anAgreementAboutAWorkGrantsNoRightInItsRecordings() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    rights.record(Agreement.licence("A", "publisher", EVERY_USE, Scope.ofWork(WORK), START, null));
    rights.record(Agreement.licence("B", "writer", EVERY_USE, Scope.of(SONG), START, null));
    rights.record(Agreement.licence("C", "label", EVERY_USE, Scope.ofWork(WORK), START, null));
    assertThat(codes(decide(Use.TRAIN))).containsExactly(ReasonCode.OWNER_MISSING);
    rights.record(Agreement.licence("D", "label", EVERY_USE, Scope.of(SONG), START, null));
    assertThat(decide(Use.TRAIN).allowed()).isTrue();
  }

  @Test
  void whatWasClearedWhenWeTrainedStaysAnsweredForEver() {
    recordEverything();
    Decision then = decide(Use.TRAIN);
    Instant whenWeTrained = then.knownAt();
    rights.choose(new Choice("singer", Use.TRAIN, Scope.ALL, false, START));
    rights.record(licence("A-label", "label", Set.of(Use.COVER)));
    rights.register(
        new Work(WORK, "Renamed", TUNE.contributors(), List.of(Share.publishing("writer", 1))));

    Decision now = decide(Use.TRAIN);
    assertThat(now.allowed()).isFalse();
    assertThat(codes(now))
        .containsExactly(
            ReasonCode.SHARES_INCOMPLETE, ReasonCode.USE_NOT_GRANTED, ReasonCode.CHOICE_NO);
    Decision again = clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, whenWeTrained));
    assertThat(again).isEqualTo(then);
    assertThat(
            codes(
                clearance.decide(
                    Use.TRAIN,
                    SONG,
                    new DecisionContext(DAY, Instant.parse("2000-01-01T00:00:00Z")))))
        .containsExactly(ReasonCode.UNKNOWN_RECORDING);
  }

  @Test
  void anyMomentMayBeAskedAbout() {
    recordEverything();
    Instant future = Instant.now().plusSeconds(3_600);
    Decision decision = clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, future));
    assertThat(decision.allowed()).isTrue();
    assertThat(decision.knownAt())
        .as("nothing is known about the future: it is asked about now")
        .isBefore(future);
    assertThat(clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, Instant.MAX)).allowed())
        .isTrue();
    assertThat(clearance.decide(Use.TRAIN, SONG, new DecisionContext(DAY, Instant.MIN)).allowed())
        .isFalse();
  }

  @Test
  void decisionsAreStoredAndReadableById() {
    recordEverything();
    Decision allowed = decide(Use.TRAIN);
    rights.choose(no("writer", Use.TRAIN, Scope.ALL));
    Decision refused = decide(Use.TRAIN);
    assertThat(clearance.find(allowed.id())).contains(allowed);
    assertThat(clearance.find(refused.id())).contains(refused);
    assertThat(clearance.find("decision:none")).isEmpty();
  }

  @Test
  void theSameQuestionOnTheSameFactsHasTheSameIdAndHashInEveryHome() {
    recordEverything();
    Decision here = decide(Use.TRAIN);
    assertThat(decide(Use.TRAIN).id()).isEqualTo(here.id());
    try (Database elsewhere = Database.temporary()) {
      Rights other = Rights.open(elsewhere);
      other.record(Fixture.people());
      other.choose(no("writer", Use.TRAIN, Scope.ALL));
      other.record(Fixture.music());
      other.choose(no("stranger", Use.TRAIN, Scope.ALL));
      Fixture.agreements().reversed().forEach(fact -> other.record(List.of(fact)));
      assertThat(other.clearance().decide(Use.TRAIN, SONG, AT).allowed()).isFalse();
      other.choose(yes("writer", Use.TRAIN, Scope.ALL));
      Decision there = other.clearance().decide(Use.TRAIN, SONG, AT);
      assertThat(there.allowed()).isTrue();
      assertThat(there.rulesHash())
          .as("a yes that took back a no is a rule that decided")
          .isNotEqualTo(here.rulesHash());
      rights.choose(yes("writer", Use.TRAIN, Scope.ALL));
      assertThat(decide(Use.TRAIN).rulesHash()).isEqualTo(there.rulesHash());
      assertThat(decide(Use.TRAIN).id()).isEqualTo(there.id());
    }
  }

  @Test
  void theHashChangesWithEveryTermAndNotWithTheAgreementsId() {
    recordEverything();
    String before = decide(Use.TRAIN).rulesHash();
    rights.record(licence("A-again", "label", EVERY_USE));
    assertThat(decide(Use.TRAIN).rulesHash()).isEqualTo(before);
    Agreement other =
        new Agreement(
            "A-again",
            AgreementKind.LICENCE,
            "label",
            EVERY_USE,
            Scope.of(SONG),
            START,
            null,
            Set.of(Agreement.WORLDWIDE),
            Terms.STANDARD.withRunOffDays(1));
    rights.record(other);
    assertThat(decide(Use.TRAIN).rulesHash()).isNotEqualTo(before);
    assertThat(clearance.grants(Use.TRAIN, SONG, AT).getFirst().agreement())
        .as("the more specific agreement is the one that pays")
        .isEqualTo(other);
  }

  @Test
  void aClearedRecordingCarriesWhatItWasClearedOnAndIsCheckedAgain() {
    recordEverything();
    ClearedRecording cleared = clearance.clear(Use.TRAIN, SONG, AT).orElseThrow();
    assertThat(cleared.pcmHash()).isEqualTo(PCM_HASH);
    assertThat(cleared.use()).isEqualTo(Use.TRAIN);
    assertThat(clearance.find(cleared.decisionId()).orElseThrow().rulesHash())
        .isEqualTo(cleared.rulesHash());
    assertThat(clearance.recheck(cleared).allowed()).isTrue();
    rights.choose(no("singer", Use.TRAIN, Scope.of(SONG)));
    assertThatThrownBy(() -> clearance.recheck(cleared))
        .isInstanceOf(ConsentWithdrawnException.class)
        .hasMessage(
            "XX-ABC-26-00001 is no longer cleared for training: Ada Lark has said no to training of"
                + " “Low Tide (Live)” since 2026-01-01.");
    rights.choose(yes("singer", Use.TRAIN, Scope.of(SONG)));
    assertThat(clearance.recheck(cleared).allowed()).isTrue();
    assertThatThrownBy(() -> clearance.recheck(cleared, START.minusDays(1)))
        .isInstanceOf(ConsentWithdrawnException.class);
    rights.register(
        new Recording(
            SONG,
            "Low Tide (Live)",
            "Ada Lark",
            31.5,
            "cd".repeat(32),
            List.of(WORK),
            RECORDING.contributors(),
            RECORDING.shares(),
            null));
    assertThatThrownBy(() -> clearance.recheck(cleared))
        .isInstanceOf(RightsException.class)
        .hasMessageContaining("has been replaced");
  }

  @Test
  void manyAreDecidedAsOneByOne() {
    recordEverything();
    Isrc unknown = Isrc.of("XXABC2699999");
    Clearance.Clearing clearing = clearance.clearAll(Use.TRAIN, List.of(unknown, SONG, SONG), AT);
    assertThat(clearing.cleared()).extracting(ClearedRecording::isrc).containsExactly(SONG, SONG);
    assertThat(clearing.refused()).extracting(Decision::isrc).containsExactly(unknown);
    assertThat(clearance.decideAll(Use.TRAIN, List.of(), AT)).isEmpty();
  }

  @Test
  void whatIsRefusedHasNoGrants() {
    assertThatThrownBy(() -> clearance.grants(Use.TRAIN, SONG, AT))
        .isInstanceOf(RightsException.class)
        .hasMessageContaining("may not be used for training: Nobody has registered");
  }

  @Test
  void aModelMayBePlayedOnlyAsLongAsTheStrictestAgreementAllows() {
    recordEverything();
    record Case(String id, String owner, int days) {}
    for (Case each :
        List.of(
            new Case("A-label", "label", 30),
            new Case("A-publisher", "publisher", 10),
            new Case("A-writer", "writer", 90))) {
      rights.record(
          new Agreement(
              each.id(),
              AgreementKind.LICENCE,
              each.owner(),
              EVERY_USE,
              Scope.ALL,
              START,
              null,
              Set.of(Agreement.WORLDWIDE),
              Terms.STANDARD.withRunOffDays(each.days())));
    }
    assertThat(clearance.runOffUntil(Use.TRAIN, SONG, AT)).isEqualTo(LocalDate.MAX);

    LocalDate refused = LocalDate.of(2026, 5, 20);
    rights.choose(new Choice("singer", Use.TRAIN, Scope.ALL, false, refused));
    assertThat(clearance.runOffUntil(Use.TRAIN, SONG, AT))
        .as("ten days after the last cleared one")
        .isEqualTo(refused.minusDays(1).plusDays(10));
    assertThat(clearance.runOffUntil(Use.STYLE, SONG, AT)).isEqualTo(LocalDate.MAX);

    LocalDate ended = LocalDate.of(2026, 3, 31);
    rights.record(
        new Agreement(
            "A-writer",
            AgreementKind.LICENCE,
            "writer",
            EVERY_USE,
            Scope.ALL,
            START,
            ended,
            Set.of(Agreement.WORLDWIDE),
            Terms.STANDARD.withRunOffDays(0)));
    assertThat(clearance.runOffUntil(Use.TRAIN, SONG, AT))
        .as("the shortest run-off, from the earliest end")
        .isEqualTo(ended);
    assertThat(clearance.runOffUntil(Use.TRAIN, Isrc.of("XXABC2699999"), AT))
        .isEqualTo(LocalDate.MIN);
  }

  @Test
  void whatWasNeverClearedHasNoRunOff() {
    rights.record(Fixture.people());
    rights.record(Fixture.music());
    rights.record(licence("A-label", "label", EVERY_USE));
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    assertThat(clearance.runOffUntil(Use.TRAIN, SONG, AT)).isEqualTo(LocalDate.MIN);
  }
}
