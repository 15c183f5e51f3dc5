package org.descant.ledger;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Divides a whole amount in proportion to weights (Hamilton's method): everybody gets the whole
 * part, what is left goes one by one to the largest remainders, ties to the earlier. Exact: nothing
 * is a fraction of a computer's number.
 */
final class LargestRemainder {
  private LargestRemainder() {}

  /**
   * @param weights not negative, at least one above zero
   * @return parts that add up to the amount; a weight of zero gets nothing
   */
  static long[] divide(long amount, List<BigInteger> weights) {
    BigInteger sum = weights.stream().reduce(BigInteger.ZERO, BigInteger::add);
    if (sum.signum() <= 0) {
      throw new LedgerException("There is nobody to divide the money among.");
    }
    var parts = new long[weights.size()];
    record Remainder(int index, BigInteger rest) {}
    var remainders = new ArrayList<Remainder>();
    long given = 0;
    for (int i = 0; i < parts.length; i++) {
      BigInteger[] exact =
          weights.get(i).multiply(BigInteger.valueOf(amount)).divideAndRemainder(sum);
      parts[i] = exact[0].longValueExact();
      given += parts[i];
      remainders.add(new Remainder(i, exact[1]));
    }
    remainders.sort(Comparator.comparing(Remainder::rest).reversed());
    for (int i = 0; given < amount; i++, given++) {
      parts[remainders.get(i).index()]++;
    }
    return parts;
  }
}
