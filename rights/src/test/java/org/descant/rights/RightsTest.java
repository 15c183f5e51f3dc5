package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.descant.rights.Fixture.DAY;
import static org.descant.rights.Fixture.PCM_HASH;
import static org.descant.rights.Fixture.RECORDING;
import static org.descant.rights.Fixture.SONG;
import static org.descant.rights.Fixture.TUNE;
import static org.descant.rights.Fixture.WORK;
import static org.descant.rights.Fixture.no;
import static org.descant.rights.Fixture.yes;

import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.descant.database.Database;
import org.descant.database.Notifications;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RightsTest {
  private Database database;
  private Rights rights;

  @BeforeEach
  void open() {
    database = Fixture.nothingRecorded();
    rights = Rights.open(database);
  }

  @Test
  void factsComeBackAsTheyWere() {
    Party person = new Party("p", "Ünal ‘Q’ O'Neil", false, Isni.of("0000000121032683"));
    rights.record(Fixture.people());
    rights.register(person);
    rights.record(Fixture.music());
    rights.record(Fixture.agreements());
    assertThat(rights.party("p")).contains(person);
    assertThat(rights.work("T-034.524.680-1")).contains(TUNE);
    assertThat(rights.recording(SONG)).contains(RECORDING);
    assertThat(rights.recordingsOfSound(PCM_HASH)).containsExactly(RECORDING);
    assertThat(rights.recordings()).containsExactly(RECORDING);
    assertThat(rights.works()).containsExactly(TUNE);
    assertThat(rights.parties()).hasSize(6);
    assertThat(rights.agreementsOf("label")).isEqualTo(List.of(Fixture.agreements().getFirst()));
    assertThat(rights.agreement("A-label")).isPresent();
    assertThat(rights.party("nobody")).isEmpty();
  }

  @Test
  void theSameFactTwiceIsOneFact() {
    rights.record(Fixture.people());
    var before = rights.lastRecordedAt();
    rights.record(Fixture.people());
    assertThat(rights.lastRecordedAt()).isEqualTo(before);
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    rights.choose(yes("singer", Use.TRAIN, Scope.ALL));
    rights.choose(no("singer", Use.TRAIN, Scope.ALL));
    assertThat(rights.choicesOf("singer"))
        .extracting(Rights.RecordedChoice::choice)
        .extracting(Choice::allowed)
        .containsExactly(false, true, false);
    assertThat(rights.choices())
        .extracting(Rights.RecordedChoice::recordedAt)
        .isSorted()
        .doesNotHaveDuplicates();
  }

  @Test
  void aStepIsRecordedWholeOrNotAtAll() {
    assertThatThrownBy(() -> rights.record(List.of(Fixture.SINGER, RECORDING)))
        .isInstanceOf(RightsException.class)
        .hasMessage(
            "The recording XXABC2600001 names the work T0345246801, which nobody has registered:"
                + " register it first");
    assertThat(rights.parties()).isEmpty();
  }

  @Test
  void whoeverIsNamedMustBeRegistered() {
    assertThatThrownBy(() -> rights.register(TUNE))
        .hasMessageContaining("names the party writer, which nobody has registered");
    assertThatThrownBy(() -> rights.record(Fixture.licence("A", "ghost", Fixture.EVERY_USE)))
        .hasMessageContaining("names the party ghost");
    assertThatThrownBy(() -> rights.choose(no("ghost", Use.TRAIN, Scope.ALL)))
        .hasMessageContaining("names the party ghost");
    rights.register(Fixture.SINGER);
    assertThatThrownBy(() -> rights.choose(no("singer", Use.TRAIN, Scope.of(SONG))))
        .hasMessageContaining("names the recording XXABC2600001");
    assertThatThrownBy(() -> rights.choose(no("singer", Use.TRAIN, Scope.ofWork(WORK))))
        .hasMessageContaining("names the work T0345246801");
  }

  @Test
  void nothingCanBeChangedOrRemoved() {
    rights.record(Fixture.people());
    for (String sql :
        new String[] {
          "update rights.party set name = 'x'",
          "delete from rights.choice",
          "truncate rights.agreement",
          "delete from rights.decision",
          "update rights.event set recorded_at = now()"
        }) {
      assertThatThrownBy(() -> database.jdbi().useHandle(handle -> handle.execute(sql)))
          .hasMessageContaining("append-only");
    }
  }

  @Test
  void valuesOutOfBoundsAreRefusedInOneSentence() {
    assertThatThrownBy(() -> new Share("p", RightType.MASTER, 10_001))
        .hasMessage("The share of p must be 1 to 10000 basis points, was 10001");
    assertThatThrownBy(() -> new Party("", "x", true)).isInstanceOf(RightsException.class);
    assertThatThrownBy(() -> new Party("p", " ", true)).isInstanceOf(RightsException.class);
    assertThatThrownBy(() -> new Party("p", "a\u0000b", true))
        .hasMessageContaining("control characters");
    assertThatThrownBy(() -> new Party("p", "x".repeat(1_001), true))
        .isInstanceOf(RightsException.class);
    assertThatThrownBy(() -> new Contributor("p", "Main Artist")).hasMessageContaining("DDEX role");
    assertThatThrownBy(() ->
            new Work(
                "w",
                "W",
                List.of(),
                List.of(Share.publishing("a", 6_000), Share.publishing("b", 4_001))))
        .hasMessage(
            "The shares of the work w add up to 100.01 %, more than the whole: correct them");
    assertThatThrownBy(() -> new Work("w", "W", List.of(), List.of(Share.master("a", 1))))
        .hasMessageContaining("PUBLISHING shares only");
    assertThatThrownBy(() ->
            new Work(
                "w", "W", List.of(), List.of(Share.publishing("a", 1), Share.publishing("a", 2))))
        .hasMessageContaining("twice");
    assertThatThrownBy(
            () -> new Recording(SONG, "t", "a", 1, null, List.of(), List.of(), List.of(), null))
        .hasMessageContaining("block it with a reason");
    assertThatThrownBy(() ->
            new Recording(
                SONG, "t", "a", Double.NaN, PCM_HASH, List.of(), List.of(), List.of(), null))
        .hasMessageContaining("was NaN");
    assertThatThrownBy(() -> new Terms(0, 0, 0, -1, true, false)).hasMessageContaining("run-off");
    assertThatThrownBy(() -> new Terms(1, 0, 0, 0, true, false))
        .hasMessageContaining("without payment");
    assertThatThrownBy(
            () -> Agreement.licence("a", "p", Fixture.EVERY_USE, Scope.ALL, DAY, DAY.minusDays(1)))
        .hasMessage("The agreement a ends on 2026-05-31, before it begins on 2026-06-01");
    assertThatThrownBy(() -> Agreement.licence("a", "p", Set.of(), Scope.ALL, DAY, null))
        .hasMessageContaining("grants no use");
    assertThatThrownBy(() -> new RecordingWeight(SONG, Double.POSITIVE_INFINITY))
        .isInstanceOf(RightsException.class);
  }

  @Test
  void everyFactThatIsRecordedIsTold() throws Exception {
    BlockingQueue<RightsChange> told = new LinkedBlockingQueue<>();
    try (Notifications _ = rights.onChange(told::add)) {
      rights.register(Fixture.SINGER);
      rights.register(Fixture.SINGER);
      rights.choose(no("singer", Use.STYLE, Scope.ALL));
      assertThat(told.poll(60, TimeUnit.SECONDS))
          .isEqualTo(new RightsChange(RightsChange.Kind.PARTY, "singer"));
      assertThat(told.poll(60, TimeUnit.SECONDS))
          .isEqualTo(new RightsChange(RightsChange.Kind.CHOICE, "singer"));
    }
  }

  @Test
  void recordingIsPartOfTheCallersTransaction() {
    database
        .jdbi()
        .useHandle(handle -> {
          handle.begin();
          rights.record(handle, List.of(Fixture.SINGER));
          handle.rollback();
        });
    assertThat(rights.parties()).isEmpty();
    database.jdbi().useTransaction(handle -> rights.record(handle, List.of(Fixture.SINGER)));
    assertThat(rights.parties()).containsExactly(Fixture.SINGER);
  }

  @Test
  void aStepMayReplaceWhatItRecorded() {
    Party renamed = new Party("singer", "Ada L.", true);
    rights.record(List.of(Fixture.SINGER, renamed, renamed));
    assertThat(rights.party("singer")).contains(renamed);
    rights.record(List.of(renamed, Fixture.SINGER));
    assertThat(rights.party("singer")).contains(Fixture.SINGER);
    rights.record(List.of());
  }
}
