package org.descant.rights;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Random rights graphs in which everything collides: few people, days and uses, many agreements
 * that overlap, end, begin later and replace each other.
 */
final class RandomRights {
  static final LocalDate FIRST_DAY = LocalDate.of(2026, 1, 1);
  static final int DAYS = 6;
  static final List<String> TERRITORIES = List.of(Agreement.WORLDWIDE, "SE", "DE");
  private static final int PARTIES = 6;
  private static final int WORKS = 4;
  private static final int RECORDINGS = 6;

  private final SplittableRandom random;
  private final String prefix;

  /**
   * @param number two graphs with different numbers share no id
   */
  RandomRights(int number) {
    this.random = new SplittableRandom(number);
    this.prefix = "g" + number;
  }

  List<Isrc> isrcs() {
    List<Isrc> isrcs = new ArrayList<>();
    for (int i = 0; i <= RECORDINGS; i++) {
      isrcs.add(isrc(i));
    }
    return isrcs;
  }

  /** Facts in an order in which they can be recorded; the last recording is never registered. */
  List<Fact> facts(int later) {
    List<Fact> facts = new ArrayList<>();
    for (int i = 0; i < PARTIES; i++) {
      facts.add(new Party(party(i), "Party " + i, true));
    }
    for (int i = 0; i < WORKS; i++) {
      facts.add(randomWork(i));
    }
    for (int i = 0; i < RECORDINGS; i++) {
      facts.add(randomRecording(i));
    }
    for (int i = 0; i < PARTIES; i++) {
      if (random.nextInt(4) > 0) {
        facts.add(
            Agreement.licence(
                prefix + "-base-" + i,
                party(i),
                EnumSet.of(Use.TRAIN, Use.STYLE),
                Scope.ALL,
                FIRST_DAY,
                null));
      }
    }
    for (int i = 0; i < later; i++) {
      facts.add(
          switch (random.nextInt(12)) {
            case 0 -> randomWork(random.nextInt(WORKS));
            case 1 -> randomRecording(random.nextInt(RECORDINGS));
            case 2, 3, 4, 5 -> randomAgreement();
            default -> randomChoice();
          });
    }
    return facts;
  }

  private String party(int i) {
    return prefix + "-party-" + i;
  }

  private String work(int i) {
    return prefix + "-work-" + i;
  }

  private Isrc isrc(int i) {
    return Isrc.of("XXTST%s%05d".formatted("26", Integer.parseInt(prefix.substring(1)) * 10 + i));
  }

  private Work randomWork(int i) {
    return new Work(work(i), "Work " + i, people("Composer"), shares(RightType.PUBLISHING));
  }

  private Recording randomRecording(int i) {
    Set<String> works = new LinkedHashSet<>();
    int count = random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(2);
    for (int k = 0; k < count; k++) {
      works.add(work(random.nextInt(WORKS)));
    }
    return new Recording(
        isrc(i),
        "Recording " + i,
        "Artist",
        30,
        "ef".repeat(32),
        List.copyOf(works),
        people("MainArtist"),
        shares(RightType.MASTER),
        random.nextInt(12) == 0 ? "it waits for its file" : null);
  }

  private List<Contributor> people(String role) {
    List<Contributor> people = new ArrayList<>();
    for (int k = random.nextInt(3); k > 0; k--) {
      people.add(new Contributor(party(random.nextInt(PARTIES)), role));
    }
    return people;
  }

  private List<Share> shares(RightType type) {
    Set<String> owners = new LinkedHashSet<>();
    for (int k = random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(3); k > 0; k--) {
      owners.add(party(random.nextInt(PARTIES)));
    }
    List<Share> shares = new ArrayList<>();
    int left = random.nextInt(10) == 0 ? 9_999 : Share.WHOLE;
    int more = owners.size();
    for (String owner : owners) {
      int part = --more == 0 ? left : 1 + random.nextInt(left - more);
      shares.add(new Share(owner, type, part));
      left -= part;
    }
    return shares;
  }

  private LocalDate day() {
    return FIRST_DAY.plusDays(random.nextInt(DAYS));
  }

  private Scope scope() {
    return switch (random.nextInt(4)) {
      case 0 -> Scope.of(isrc(random.nextInt(RECORDINGS)));
      case 1 -> Scope.ofWork(work(random.nextInt(WORKS)));
      default -> Scope.ALL;
    };
  }

  private Use use() {
    return random.nextBoolean() ? Use.TRAIN : Use.STYLE;
  }

  private Agreement randomAgreement() {
    LocalDate from = day();
    Set<Use> uses = EnumSet.of(use());
    if (random.nextBoolean()) {
      uses.addAll(EnumSet.of(Use.TRAIN, Use.STYLE));
    }
    Set<String> territories = new LinkedHashSet<>();
    territories.add(TERRITORIES.get(random.nextInt(3)));
    if (random.nextBoolean()) {
      territories.add(Agreement.WORLDWIDE);
    }
    boolean free = random.nextInt(5) == 0;
    return new Agreement(
        // Few ids, of any licensor: most replace an earlier one, sometimes another party's.
        prefix + "-agreement-" + random.nextInt(8),
        free ? AgreementKind.PUBLIC_DOMAIN : AgreementKind.LICENCE,
        party(random.nextInt(PARTIES)),
        uses,
        scope(),
        from,
        random.nextBoolean() ? null : from.plusDays(random.nextInt(3)),
        territories,
        free ? Terms.PUBLIC_DOMAIN : Terms.STANDARD);
  }

  private Choice randomChoice() {
    return new Choice(party(random.nextInt(PARTIES)), use(), scope(), random.nextInt(3) > 0, day());
  }
}
