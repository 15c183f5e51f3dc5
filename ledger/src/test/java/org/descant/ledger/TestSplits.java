package org.descant.ledger;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.descant.rights.Agreement;
import org.descant.rights.AgreementKind;
import org.descant.rights.Grant;
import org.descant.rights.Isrc;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Terms;
import org.descant.rights.Use;

/** Recordings with owners that several tests pay. */
final class TestSplits {
  static final Isrc ONE = Isrc.of("XX-ABC-26-00001");
  static final Isrc TWO = Isrc.of("XX-ABC-26-00002");

  private TestSplits() {}

  static Agreement agreement(String party, Terms terms) {
    return new Agreement(
        "agreement-" + party + "-" + terms.hashCode(),
        terms.paymentDue() ? AgreementKind.LICENCE : AgreementKind.PUBLIC_DOMAIN,
        party,
        Set.of(Use.TRAIN),
        Scope.ALL,
        LocalDate.of(2026, 1, 1),
        null,
        Set.of(Agreement.WORLDWIDE),
        terms);
  }

  static Grant master(String party, int basisPoints, Terms terms) {
    return new Grant(Share.master(party, basisPoints), null, agreement(party, terms));
  }

  static Grant publishing(String party, String work, int basisPoints, Terms terms) {
    return new Grant(Share.publishing(party, basisPoints), work, agreement(party, terms));
  }

  /** A label and an artist own it, a publisher and a writer the work; two people made it. */
  static RecordingSplit plain(Isrc isrc, double weight) {
    return new RecordingSplit(
        isrc,
        "Song " + isrc,
        weight,
        List.of(
            master("label", 7_500, Terms.STANDARD),
            master("artist", 2_500, Terms.STANDARD),
            publishing("publisher", "work-1", 5_000, Terms.STANDARD),
            publishing("writer", "work-1", 5_000, Terms.STANDARD)),
        List.of("artist", "drummer"));
  }

  static RecordingSplit publicDomain(Isrc isrc, double weight) {
    return new RecordingSplit(
        isrc,
        "Free " + isrc,
        weight,
        List.of(
            master("giver", 10_000, Terms.PUBLIC_DOMAIN),
            publishing("giver", "work-free", 10_000, Terms.PUBLIC_DOMAIN)),
        List.of("giver"));
  }

  static List<RecordingSplit> random(SplittableRandom random) {
    var splits = new ArrayList<RecordingSplit>();
    int count = random.nextInt(1, 12);
    for (int i = 0; i < count; i++) {
      Isrc isrc = Isrc.of("XXABC26%05d".formatted(i));
      var grants = new ArrayList<Grant>();
      for (int share : shares(random)) {
        grants.add(master("m" + grants.size(), share, terms(random)));
      }
      for (int work = random.nextInt(4); work > 0; work--) {
        for (int share : shares(random)) {
          grants.add(publishing("p" + grants.size(), "work-" + work, share, terms(random)));
        }
      }
      var contributors = new ArrayList<String>();
      for (int person = random.nextInt(5); person > 0; person--) {
        contributors.add("c" + person);
      }
      double weight =
          switch (random.nextInt(4)) {
            case 0 -> i == 0 ? 1e-12 : 0;
            case 1 -> random.nextDouble() * 1e-9;
            default -> random.nextDouble();
          };
      splits.add(new RecordingSplit(isrc, "T" + i, weight, grants, contributors));
    }
    splits.set(0, plain(Isrc.of("XXABC2600000"), 0.5));
    return splits;
  }

  private static List<Integer> shares(SplittableRandom random) {
    var shares = new ArrayList<Integer>();
    for (int left = Share.WHOLE; left > 0; ) {
      int share = random.nextInt(3) == 0 ? left : random.nextInt(1, left + 1);
      shares.add(share);
      left -= share;
    }
    return shares;
  }

  private static Terms terms(SplittableRandom random) {
    return switch (random.nextInt(4)) {
      case 0 -> Terms.PUBLIC_DOMAIN;
      case 1 ->
          new Terms(
              random.nextInt(10_001),
              random.nextInt(10_001),
              random.nextInt(10_001),
              0,
              true,
              true);
      default -> Terms.STANDARD;
    };
  }
}
