package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Which short runs of tokens a training set has. Of a clip it tells the share of its n-grams that
 * occur anywhere in the set: a measure that moves long before a whole span is copied. Immutable.
 */
final class TokenNgrams {
  /** Lengths in frames. */
  static final List<Integer> LENGTHS = List.of(2, 4, 8);

  /*
   * An n-gram is kept as a 64-bit hash in a sorted array, eight bytes a frame and length. With m
   * n-grams in the set a clip of k n-grams has a false hit with odds of about k m / 2^64: for ten
   * thousand hours at 43 frames a second and a clip of a minute, 2e-7.
   */
  private final List<long[]> known;

  private TokenNgrams(List<long[]> known) {
    this.known = known;
  }

  /** Takes in one sequence of tokens a recording. */
  static TokenNgrams of(List<int[]> recordings) {
    List<long[]> known = new ArrayList<>();
    for (int length : LENGTHS) {
      known.add(
          recordings.stream()
              .flatMapToLong(tokens -> Arrays.stream(hashes(tokens, length)))
              .sorted()
              .distinct()
              .toArray());
    }
    return new TokenNgrams(known);
  }

  /**
   * For each of {@link #LENGTHS} the share, 0 to 1, of a clip's n-grams that the set has. An n-gram
   * of one token over and over is a held sound or silence and does not count; 0 when none is left.
   */
  List<Double> shares(int[] clip) {
    List<Double> shares = new ArrayList<>();
    for (int i = 0; i < known.size(); i++) {
      long[] set = known.get(i);
      long[] own = hashes(clip, LENGTHS.get(i));
      long found = LongStream.of(own).filter(h -> Arrays.binarySearch(set, h) >= 0).count();
      shares.add(own.length == 0 ? 0 : (double) found / own.length);
    }
    return List.copyOf(shares);
  }

  private static long[] hashes(int[] tokens, int length) {
    long[] hashes = new long[Math.max(0, tokens.length - length + 1)];
    int count = 0;
    for (int from = 0; from + length <= tokens.length; from++) {
      long hash = length;
      boolean moves = false;
      for (int i = from; i < from + length; i++) {
        hash = mixed(hash + tokens[i]);
        moves |= tokens[i] != tokens[from];
      }
      if (moves) {
        hashes[count++] = hash;
      }
    }
    return Arrays.copyOf(hashes, count);
  }

  /** The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over a golden-ratio step. */
  private static long mixed(long value) {
    long z = value + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
