package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenNgramsTest {

  /** The same by comparing lists of tokens. */
  private static double share(List<int[]> recordings, int[] clip, int length) {
    Set<List<Integer>> known = new HashSet<>();
    recordings.forEach(tokens -> known.addAll(ngrams(tokens, length)));
    List<List<Integer>> own = ngrams(clip, length);
    long found = own.stream().filter(known::contains).count();
    return own.isEmpty() ? 0 : (double) found / own.size();
  }

  private static List<List<Integer>> ngrams(int[] tokens, int length) {
    List<List<Integer>> all = new ArrayList<>();
    for (int from = 0; from + length <= tokens.length; from++) {
      List<Integer> one = Arrays.stream(tokens, from, from + length).boxed().toList();
      if (one.stream().distinct().count() > 1) {
        all.add(one);
      }
    }
    return all;
  }

  @Test
  void sharesAreThoseOfComparingEveryRunWithEveryOther() {
    SplittableRandom random = new SplittableRandom(1);
    for (int round = 0; round < 30; round++) {
      List<int[]> recordings = new ArrayList<>();
      for (int r = 0; r < 4; r++) {
        recordings.add(random.ints(random.nextInt(1, 120), 0, 5).toArray());
      }
      int[] clip = random.ints(random.nextInt(1, 60), 0, 5).toArray();
      List<Double> shares = TokenNgrams.of(recordings).shares(clip);
      for (int i = 0; i < TokenNgrams.LENGTHS.size(); i++) {
        assertThat(shares.get(i)).isEqualTo(share(recordings, clip, TokenNgrams.LENGTHS.get(i)));
      }
    }
  }

  @Test
  void aCopyHasAllItsRunsAndAHeldTokenHasNone() {
    int[] recording = new SplittableRandom(2).ints(200, 0, 1000).toArray();
    TokenNgrams ngrams = TokenNgrams.of(List.of(recording));
    assertThat(ngrams.shares(Arrays.copyOfRange(recording, 50, 90))).containsExactly(1.0, 1.0, 1.0);
    assertThat(ngrams.shares(new int[40])).containsExactly(0.0, 0.0, 0.0);
  }
}
