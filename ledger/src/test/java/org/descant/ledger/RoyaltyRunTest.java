package org.descant.ledger;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.summingLong;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.descant.ledger.TestSplits.ONE;
import static org.descant.ledger.TestSplits.TWO;
import static org.descant.ledger.TestSplits.master;
import static org.descant.ledger.TestSplits.plain;
import static org.descant.ledger.TestSplits.publicDomain;
import static org.descant.ledger.TestSplits.publishing;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.rights.Grant;
import org.descant.rights.RightType;
import org.descant.rights.Terms;
import org.junit.jupiter.api.Test;

class RoyaltyRunTest {
  @Test
  void aEuroOfOneRecordingIsDividedByTheTerms() {
    // 30 % fee; of 0.70: 60 % recording's side = 0.42, of it a fifth to two contributors.
    assertThat(paid(1_000_000, plain(ONE, 0.3)))
        .isEqualTo(
            Map.of(
                "platform", 300_000L,
                "party:label", 252_000L,
                "party:artist", 84_000L + 42_000L,
                "party:drummer", 42_000L,
                "party:publisher", 140_000L,
                "party:writer", 140_000L));
  }

  @Test
  void recordingsEarnByTheirWeights() {
    List<Transfer> transfers = RoyaltyRun.divide("u", 1_000, List.of(plain(ONE, 3), plain(TWO, 1)));
    assertThat(
            transfers.stream()
                .collect(groupingBy(Transfer::isrc, summingLong(Transfer::amountMicros))))
        .isEqualTo(Map.of(ONE.value(), 750L, TWO.value(), 250L));
    assertThat(transfers).extracting(Transfer::id).doesNotHaveDuplicates().contains("u/001");
    assertThat(transfers).allMatch(one -> one.fromAccount().equals("customer:fan"));
  }

  @Test
  void thePartOfARecordingInThePublicDomainIsKeptInReserve() {
    assertThat(paid(1_000_000, plain(ONE, 1), publicDomain(TWO, 1)))
        .containsEntry("reserve:public-domain", 500_000L)
        .containsEntry("platform", 150_000L)
        .doesNotContainKey("party:giver");
    assertThat(paid(1_000, publicDomain(TWO, 1)))
        .isEqualTo(Map.of("reserve:public-domain", 1_000L));
  }

  @Test
  void aFreeRecordingOfAPaidWorkPaysTheWork() {
    var split =
        new RecordingSplit(
            ONE,
            "Old song",
            1,
            List.of(
                master("giver", 10_000, Terms.PUBLIC_DOMAIN),
                publishing("writer", "w", 10_000, Terms.STANDARD)),
            List.of("giver"));
    assertThat(paid(1_000_000, split))
        .isEqualTo(
            Map.of(
                "party:writer", 280_000L,
                "platform", 120_000L,
                "reserve:public-domain", 600_000L));
  }

  @Test
  void differentTermsPromiseLessOrMoreThanThereIs() {
    Terms thin = new Terms(3_000, 4_000, 0, 0, true, true);
    Terms rich = new Terms(0, 9_000, 0, 0, true, true);
    var less =
        new RecordingSplit(
            ONE,
            "A",
            1,
            List.of(master("m", 10_000, thin), publishing("p", "w", 10_000, Terms.STANDARD)),
            List.of());
    assertThat(paid(1_000_000, less))
        .isEqualTo(Map.of("party:m", 280_000L, "party:p", 280_000L, "platform", 440_000L));
    var more =
        new RecordingSplit(
            ONE,
            "A",
            1,
            List.of(master("m", 10_000, rich), publishing("p", "w", 10_000, Terms.STANDARD)),
            List.of());
    // Promised: 0.90 + 0.28 + 0.12 fee = 1.30 of 1.00.
    assertThat(paid(1_300_000, more))
        .isEqualTo(Map.of("party:m", 900_000L, "party:p", 280_000L, "platform", 120_000L));
  }

  @Test
  void nothingToDivideMakesNoTransfersAndNobodyToPayIsAnError() {
    assertThat(RoyaltyRun.divide("u", 0, List.of(plain(ONE, 1)))).isEmpty();
    assertThatThrownBy(() -> RoyaltyRun.divide("u", 10, List.of()))
        .isInstanceOf(LedgerException.class);
    assertThatThrownBy(() -> RoyaltyRun.divide("u", 10, List.of(plain(ONE, 0))))
        .isInstanceOf(LedgerException.class);
    assertThatThrownBy(() -> plain(ONE, Double.NaN)).isInstanceOf(LedgerException.class);
    assertThatThrownBy(() -> plain(ONE, -1)).isInstanceOf(LedgerException.class);
  }

  @Test
  void everyRunAddsUpAndNothingIsNegative() {
    var random = new SplittableRandom(1);
    for (int i = 0; i < 2_000; i++) {
      List<RecordingSplit> splits = TestSplits.random(random);
      long amount =
          random.nextBoolean() ? random.nextInt(1, 50) : random.nextLong(Usage.AMOUNT_MICROS_MAX);
      List<Transfer> transfers = RoyaltyRun.divide("u", amount, splits);
      assertThat(transfers.stream().mapToLong(Transfer::amountMicros).sum()).isEqualTo(amount);
      assertThat(transfers).allMatch(transfer -> transfer.amountMicros() > 0);
    }
  }

  @Test
  void theOrderOfRecordingsOwnersAndContributorsDoesNotMatter() {
    var random = new SplittableRandom(2);
    for (int i = 0; i < 1_000; i++) {
      List<RecordingSplit> splits = TestSplits.random(random);
      long amount = random.nextInt(1, 100_000);
      var shuffle = new Random(i);
      var shuffled = new ArrayList<RecordingSplit>();
      for (RecordingSplit split : splits) {
        var grants = new ArrayList<>(split.grants());
        var people = new ArrayList<>(split.contributors());
        Collections.shuffle(grants, shuffle);
        Collections.shuffle(people, shuffle);
        shuffled.add(
            new RecordingSplit(split.isrc(), split.title(), split.weight(), grants, people));
      }
      Collections.shuffle(shuffled, shuffle);
      assertThat(RoyaltyRun.divide("u", amount, shuffled))
          .isEqualTo(RoyaltyRun.divide("u", amount, splits));
    }
  }

  @Test
  void aWeightInTwoHalvesIsTheSameAsOneWhole() {
    assertThat(RoyaltyRun.divide("u", 999, List.of(plain(ONE, 1), plain(TWO, 2), plain(ONE, 1))))
        .isEqualTo(RoyaltyRun.divide("u", 999, List.of(plain(TWO, 2), plain(ONE, 2))));
  }

  /** The rule once more, in floating point and without rounding. */
  @Test
  void everybodyGetsWhatThePlainRuleSaysToAFewMillionths() {
    var random = new SplittableRandom(3);
    for (int i = 0; i < 500; i++) {
      List<RecordingSplit> splits = TestSplits.random(random);
      long amount = random.nextInt(1_000_000, 100_000_000);
      Map<String, Double> plain = new TreeMap<>();
      double sum = splits.stream().mapToDouble(RecordingSplit::weight).sum();
      for (RecordingSplit split : splits) {
        divideInDoubles(split, amount * (split.weight() / sum), plain);
      }
      Map<String, Long> paid = paid(amount, splits.toArray(RecordingSplit[]::new));
      plain.forEach((account, micros) ->
          assertThat((double) paid.getOrDefault(account, 0L))
              .as(account)
              .isCloseTo(micros, within(30.0)));
    }
  }

  private static void divideInDoubles(
      RecordingSplit split, double amount, Map<String, Double> into) {
    Map<String, Double> mine = new TreeMap<>();
    long works =
        split.grants().stream().map(Grant::workId).filter(id -> id != null).distinct().count();
    boolean free = false;
    for (Grant grant : split.grants()) {
      Terms terms = grant.agreement().terms();
      if (!terms.paymentDue()) {
        free = true;
        continue;
      }
      boolean isMaster = grant.share().type() == RightType.MASTER;
      double side = terms.masterSideBasisPoints() / 1e4;
      double gross = grant.share().basisPoints() / 1e4 * (isMaster ? side : (1 - side) / works);
      double fee = gross * terms.platformFeeBasisPoints() / 1e4;
      double pool =
          isMaster && !split.contributors().isEmpty()
              ? (gross - fee) * terms.contributorPoolBasisPoints() / 1e4
              : 0;
      mine.merge("platform", fee, Double::sum);
      mine.merge("party:" + grant.share().partyId(), gross - fee - pool, Double::sum);
      for (String person : split.contributors()) {
        mine.merge("party:" + person, pool / split.contributors().size(), Double::sum);
      }
    }
    double promised = mine.values().stream().mapToDouble(Double::doubleValue).sum();
    double scale = promised > 1 ? 1 / promised : 1;
    mine.forEach((account, part) -> into.merge(account, amount * part * scale, Double::sum));
    into.merge(
        free ? "reserve:public-domain" : "platform",
        amount * Math.max(0, 1 - promised),
        Double::sum);
  }

  @Test
  void largestRemaindersGoFirst() {
    assertThat(divide(10, 1, 1, 1)).containsExactly(4, 3, 3);
    assertThat(divide(100, 1, 2, 3)).containsExactly(17, 33, 50);
    assertThat(divide(1, 0, 5, 6)).containsExactly(0, 0, 1);
    assertThat(divide(3, 0, 0, 1)).containsExactly(0, 0, 3);
  }

  private static long[] divide(long amount, long... weights) {
    return LargestRemainder.divide(
        amount, java.util.Arrays.stream(weights).mapToObj(BigInteger::valueOf).toList());
  }

  private static Map<String, Long> paid(long amount, RecordingSplit... splits) {
    return RoyaltyRun.divide("u", amount, List.of(splits)).stream()
        .collect(groupingBy(Transfer::toAccount, summingLong(Transfer::amountMicros)));
  }
}
