package org.descant.attribution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenInfluenceTest {
  private static TokenInfluence of(List<int[][]> recordings) {
    return TokenInfluence.of(recordings, Small.BOOKS, Small.SIZE);
  }

  private static List<int[][]> recordings(int count, int firstSeed) {
    List<int[][]> recordings = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      recordings.add(Small.codes(firstSeed + i, 200));
    }
    return recordings;
  }

  /** The loss of a clip under the token frequencies of recordings, in nats a token. */
  private static double loss(int[][] clip, List<int[][]> recordings) {
    double loss = 0;
    for (int k = 0; k < Small.BOOKS; k++) {
      double[] counts = new double[Small.SIZE];
      Arrays.fill(counts, 1);
      for (int[][] recording : recordings) {
        for (int code : recording[k]) {
          counts[code]++;
        }
      }
      double all = Arrays.stream(counts).sum();
      for (int code : clip[k]) {
        loss -= Math.log(counts[code] / all) / clip[k].length / Small.BOOKS;
      }
    }
    return loss;
  }

  @Test
  void scoresAreWhatTheClipsLossRisesByWithoutARecording() {
    List<int[][]> recordings = recordings(6, 0);
    recordings.set(2, Small.codes(2, 31));
    int[][] clip = Small.codes(77, 50);
    double[] scores = of(recordings).scores(clip);
    for (int r = 0; r < scores.length; r++) {
      List<int[][]> others = new ArrayList<>(recordings);
      others.remove(r);
      assertThat(scores[r]).isCloseTo(loss(clip, others) - loss(clip, recordings), within(1e-12));
    }
  }

  @Test
  void aClipOfARecordingsOwnCodesGivesItTheLargestShare() {
    for (int trial = 0; trial < 20; trial++) {
      List<int[][]> recordings = recordings(8, 100 * trial);
      TokenInfluence influence = of(recordings);
      for (int r = 0; r < recordings.size(); r++) {
        double[] shares = TokenInfluence.shares(influence.scores(recordings.get(r)));
        assertThat(Arrays.stream(shares).max().orElseThrow()).isEqualTo(shares[r]);
      }
    }
  }

  @Test
  void theOrderOfRecordingsDoesNotMatter() {
    for (int trial = 0; trial < 20; trial++) {
      List<int[][]> recordings = recordings(7, 50 * trial);
      List<Integer> order = new ArrayList<>(List.of(0, 1, 2, 3, 4, 5, 6));
      Collections.shuffle(order, new Random(trial));
      int[][] clip = Small.codes(1000 + trial, 60);
      double[] scores = of(recordings).scores(clip);
      double[] shuffled = of(order.stream().map(recordings::get).toList()).scores(clip);
      for (int i = 0; i < shuffled.length; i++) {
        assertThat(shuffled[i]).isEqualTo(scores[order.get(i)]);
      }
    }
  }

  @Test
  void sharesAreOfWhatHelped() {
    assertThat(TokenInfluence.shares(new double[] {3, -1, 1})).containsExactly(0.75, 0, 0.25);
  }

  @Test
  void whenNothingHelpedAllShareAlike() {
    assertThat(TokenInfluence.shares(new double[] {-3, -1, 0, -2}))
        .containsExactly(0.25, 0.25, 0.25, 0.25);
    assertThat(TokenInfluence.shares(new double[] {Double.NaN, 0})).containsExactly(0.5, 0.5);
    int[][] alike = Small.codes(1, 40);
    assertThat(TokenInfluence.shares(of(List.of(alike, alike, alike, alike)).scores(alike)))
        .containsExactly(0.25, 0.25, 0.25, 0.25);
  }

  @Test
  void sharesOfAnyScoresAreNotNegativeAndSumToOne() {
    SplittableRandom random = new SplittableRandom(1);
    for (int trial = 0; trial < 200; trial++) {
      double scale = Math.pow(10, random.nextInt(-12, 12));
      double[] scores = random.doubles(random.nextInt(1, 50), -1, 1).map(x -> x * scale).toArray();
      double[] shares = TokenInfluence.shares(scores);
      assertThat(Arrays.stream(shares).min().orElseThrow()).isNotNegative();
      assertThat(Arrays.stream(shares).sum()).isCloseTo(1, within(1e-12));
    }
  }

  @Test
  void codesThatAreNotTheModelsAreRefused() {
    TokenInfluence influence = of(recordings(3, 0));
    assertThatThrownBy(() -> influence.scores(new int[][] {{1, 2}}))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("2 codebooks, the codes have 1");
    assertThatThrownBy(() -> influence.scores(new int[][] {{1, 2}, {1}}))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("same number of frames");
    assertThatThrownBy(() -> influence.scores(new int[][] {{}, {}}))
        .isInstanceOf(AttributionException.class);
    assertThatThrownBy(() -> influence.scores(new int[][] {{1, -1}, {1, 2}}))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("from 0 to 15, not -1");
    assertThatThrownBy(() -> of(List.of())).isInstanceOf(AttributionException.class);
  }
}
