package org.descant.shards;

import java.time.LocalDate;
import java.util.EnumSet;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.rights.Agreement;
import org.descant.rights.Choice;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Contributor;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;

/** Recordings with rights, for tests: number n is by artist n mod 5. */
final class TestCatalog {
  static final LocalDate DAY = LocalDate.of(2026, 6, 1);

  private final Rights rights;

  TestCatalog(Rights rights) {
    this.rights = rights;
  }

  static Isrc isrc(int number) {
    return Isrc.of("QZ-ABC-26-%05d".formatted(number));
  }

  /** Registers a recording of one party's own work; with a licence to train, or none. */
  Recording register(int number, Pcm pcm, boolean licensed) {
    String party = "party-" + number % 5;
    rights.register(new Party(party, "Artist " + number % 5, true, null));
    rights.register(
        new Work(
            "work-" + number,
            "Song " + number,
            List.of(new Contributor(party, "Composer")),
            List.of(Share.publishing(party, Share.WHOLE))));
    var recording =
        new Recording(
            isrc(number),
            "Song " + number,
            "Artist " + number % 5,
            pcm.seconds(),
            pcm.hash(),
            List.of("work-" + number),
            List.of(new Contributor(party, "MainArtist")),
            List.of(Share.master(party, Share.WHOLE)),
            null);
    rights.register(recording);
    if (licensed) {
      for (Scope scope : List.of(Scope.of(isrc(number)), Scope.ofWork("work-" + number))) {
        rights.record(
            Agreement.licence(
                "licence-" + number + "-" + scope,
                party,
                EnumSet.of(Use.TRAIN, Use.STYLE),
                scope,
                LocalDate.of(2026, 1, 1),
                null));
      }
    }
    return recording;
  }

  ClearedRecording cleared(int number) {
    return rights.clearance().clear(Use.TRAIN, isrc(number), DecisionContext.at(DAY)).orElseThrow();
  }

  DatasetSource source(int number, Pcm pcm) {
    return new DatasetSource(
        cleared(number), pcm, null, "Artist " + number % 5, List.of("folk"), "a song");
  }

  /** The owner of a recording takes it back; the decision that follows. */
  Decision refuse(int number) {
    rights.choose(
        new Choice(
            "party-" + number % 5,
            Use.TRAIN,
            Scope.of(isrc(number)),
            false,
            LocalDate.of(2026, 1, 2)));
    return rights.clearance().decide(Use.TRAIN, isrc(number), DecisionContext.at(DAY));
  }
}
