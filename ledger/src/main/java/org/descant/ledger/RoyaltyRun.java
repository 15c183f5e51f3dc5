package org.descant.ledger;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.rights.Grant;
import org.descant.rights.Isrc;
import org.descant.rights.RightType;
import org.descant.rights.Share;
import org.descant.rights.Terms;

/*
 * The rule, royalty/1, for a recording that earned A (its part of the usage by weight):
 *
 *   each owner of the recording   A · share · (1 - fee) · masterSide, less the contributor pool
 *   its contributors              the pools of all owners, in equal parts
 *   each owner of its works       A · share / works · (1 - fee) · (1 - masterSide)
 *   platform                      the fees on both sides
 *
 * with fee, masterSide and pool from the agreement of that owner. When all owners have the same terms
 * this divides all of A. When they differ, what is promised may be less than A: the rest is the
 * platform's. Or more: then all are cut in proportion, the fees too. An owner whose agreement is a
 * public-domain dedication is owed nothing; then the rest goes to the public-domain reserve.
 *
 * All parts are exact fractions until the last step, which rounds to whole millionths by largest
 * remainder: first among recordings, then within each.
 */
/**
 * From a usage to transfers. A pure function; what it returns adds up to exactly the amount, is
 * never negative, and does not depend on the order of recordings, owners or contributors.
 */
public final class RoyaltyRun {
  /** The rule and its version, on every transfer. */
  public static final String RULE = "royalty/1";

  private static final BigInteger WHOLE = BigInteger.valueOf(Share.WHOLE);

  private RoyaltyRun() {}

  /**
   * Divides what a usage earns.
   *
   * @param usageId whose transfers they are
   * @param amountMicros what it earned
   * @param splits the recordings; weights of one ISRC add up
   * @return transfers above zero, by recording and account
   * @throws LedgerException when no recording has a weight above zero
   */
  public static List<Transfer> divide(
      String usageId, long amountMicros, List<RecordingSplit> splits) {
    if (amountMicros == 0) {
      return List.of();
    }
    Map<Isrc, RecordingSplit> recordings = new TreeMap<>();
    Map<Isrc, BigDecimal> weights = new TreeMap<>();
    for (RecordingSplit split : splits) {
      RecordingSplit known = recordings.putIfAbsent(split.isrc(), split);
      if (known != null && !sameOwners(known, split)) {
        throw new LedgerException(
            "Recording %s comes twice with different owners: give it once."
                .formatted(split.isrc().formatted()));
      }
      weights.merge(split.isrc(), new BigDecimal(split.weight()), BigDecimal::add);
    }

    long[] parts = LargestRemainder.divide(amountMicros, wholeNumbers(weights));
    var transfers = new ArrayList<Transfer>();
    int next = 0;
    for (RecordingSplit recording : recordings.values()) {
      addTransfers(usageId, recording, parts[next++], transfers);
    }
    return transfers;
  }

  private static boolean sameOwners(RecordingSplit one, RecordingSplit other) {
    return one.contributors().equals(other.contributors())
        && sorted(one.grants()).equals(sorted(other.grants()));
  }

  /** The weights by one common scale, exactly. */
  private static List<BigInteger> wholeNumbers(Map<Isrc, BigDecimal> weights) {
    int scale = weights.values().stream().mapToInt(BigDecimal::scale).max().orElse(0);
    return weights.values().stream().map(weight -> weight.setScale(scale).unscaledValue()).toList();
  }

  private static void addTransfers(
      String usageId, RecordingSplit recording, long amount, List<Transfer> transfers) {
    if (amount == 0) {
      return;
    }
    var claims = new Claims(recording).all();
    long[] parts = LargestRemainder.divide(amount, claims.stream().map(Claim::weight).toList());
    for (int i = 0; i < parts.length; i++) {
      Claim claim = claims.get(i);
      if (parts[i] > 0) {
        transfers.add(
            new Transfer(
                "%s/%03d".formatted(usageId, transfers.size() + 1),
                usageId,
                Accounts.FAN,
                claim.account(),
                parts[i],
                Usage.EUR,
                RULE,
                recording.isrc().value(),
                claim.reason()));
      }
    }
  }

  private record Claim(String account, String reason, BigInteger weight) {}

  /** Who is owed which part of a recording's money, as numerators of one common denominator. */
  private static final class Claims {
    private final RecordingSplit recording;
    private final List<Claim> claims = new ArrayList<>();
    private final int works;
    private final BigInteger denominator;
    private BigInteger fees = BigInteger.ZERO;
    private BigInteger pool = BigInteger.ZERO;

    Claims(RecordingSplit recording) {
      this.recording = recording;
      this.works =
          Math.max(
              1,
              (int)
                  recording.grants().stream()
                      .filter(grant -> grant.workId() != null)
                      .map(Grant::workId)
                      .distinct()
                      .count());
      // share · fee · side · pool, each in basis points; works and contributors divide equally.
      this.denominator =
          WHOLE
              .pow(4)
              .multiply(BigInteger.valueOf(works))
              .multiply(BigInteger.valueOf(Math.max(1, recording.contributors().size())));
    }

    List<Claim> all() {
      boolean publicDomain = recording.grants().isEmpty();
      for (Grant grant : sorted(recording.grants())) {
        if (grant.agreement().terms().paymentDue()) {
          addOwner(grant);
        } else {
          publicDomain = true;
        }
      }
      for (String contributor : recording.contributors()) {
        BigInteger each = pool.divide(BigInteger.valueOf(recording.contributors().size()));
        claims.add(
            new Claim(
                Accounts.of(contributor),
                "made the recording \"%s\": an equal part of the contributor pool"
                    .formatted(recording.title()),
                each));
      }
      claims.add(
          new Claim(
              Accounts.PLATFORM, "platform fee for \"%s\"".formatted(recording.title()), fees));
      BigInteger promised =
          claims.stream().map(Claim::weight).reduce(BigInteger.ZERO, BigInteger::add);
      BigInteger rest = denominator.subtract(promised).max(BigInteger.ZERO);
      claims.add(
          publicDomain
              ? new Claim(
                  Accounts.PUBLIC_DOMAIN,
                  "\"%s\" is in the public domain: credit is due, no money"
                      .formatted(recording.title()),
                  rest)
              : new Claim(
                  Accounts.PLATFORM,
                  "not promised to any owner of \"%s\"".formatted(recording.title()),
                  rest));
      return claims;
    }

    private void addOwner(Grant grant) {
      Share share = grant.share();
      Terms terms = grant.agreement().terms();
      boolean master = share.type() == RightType.MASTER;
      int side =
          master ? terms.masterSideBasisPoints() : Share.WHOLE - terms.masterSideBasisPoints();
      BigInteger gross =
          denominator
              .divide(WHOLE.pow(4))
              .divide(BigInteger.valueOf(master ? 1 : works))
              .multiply(BigInteger.valueOf((long) share.basisPoints() * side));
      int fee = terms.platformFeeBasisPoints();
      BigInteger net = gross.multiply(BigInteger.valueOf(Share.WHOLE - fee));
      int toPool =
          master && !recording.contributors().isEmpty() ? terms.contributorPoolBasisPoints() : 0;
      fees = fees.add(gross.multiply(BigInteger.valueOf(fee)).multiply(WHOLE));
      pool = pool.add(net.multiply(BigInteger.valueOf(toPool)));
      claims.add(
          new Claim(
              Accounts.of(share.partyId()),
              "owns %d.%02d %% of %s, by agreement %s"
                  .formatted(
                      share.basisPoints() / 100,
                      share.basisPoints() % 100,
                      master
                          ? "the recording \"%s\"".formatted(recording.title())
                          : "the work %s".formatted(grant.workId()),
                      grant.agreement().id()),
              net.multiply(BigInteger.valueOf(Share.WHOLE - toPool))));
    }
  }

  private static List<Grant> sorted(List<Grant> grants) {
    return grants.stream()
        .sorted(
            Comparator.comparing((Grant grant) -> grant.share().type())
                .thenComparing(grant -> grant.workId() == null ? "" : grant.workId())
                .thenComparing(grant -> grant.share().partyId())
                .thenComparing(grant -> grant.agreement().id()))
        .toList();
  }
}
