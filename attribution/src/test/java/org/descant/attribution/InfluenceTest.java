package org.descant.attribution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.junit.jupiter.api.Test;

class InfluenceTest {

  @Test
  void weightsAreSharesOfWhatHelped() {
    assertThat(Influence.weights(new double[] {3, -1, 1})).containsExactly(0.75, 0, 0.25);
  }

  @Test
  void whenNothingHelpedAllShareAlike() {
    assertThat(Influence.weights(new double[] {-3, -1, 0, -2}))
        .containsExactly(0.25, 0.25, 0.25, 0.25);
    assertThat(Influence.weights(new double[] {Double.NaN, 0})).containsExactly(0.5, 0.5);
  }

  @Test
  void weightsOfAnyScoresAreNotNegativeAndSumToOne() {
    SplittableRandom random = new SplittableRandom(1);
    for (int trial = 0; trial < 200; trial++) {
      double scale = Math.pow(10, random.nextInt(-12, 12));
      double[] scores = random.doubles(random.nextInt(1, 50), -1, 1).map(x -> x * scale).toArray();
      double[] weights = Influence.weights(scores);
      assertThat(Arrays.stream(weights).min().orElseThrow()).isNotNegative();
      assertThat(Arrays.stream(weights).sum()).isCloseTo(1, within(1e-12));
    }
  }

  @Test
  void anExcerptOfATrainingRecordingIsAttributedToItFirst() {
    TokenLmConfig shape = new TokenLmConfig(32, 1, 2, 2, 48, Small.BOOKS, Small.SIZE, 16, 240);
    List<int[][]> recordings = new ArrayList<>();
    for (int seed = 0; seed < 8; seed++) {
      recordings.add(Small.codes(seed, 200));
    }
    try (TokenLm lm = TokenLm.create(shape, 3)) {
      Small.train(lm, recordings, 40);
      LossGradients gradients = LossGradients.measured(lm, 4096, recordings);
      Influence influence = Influence.fit(recordings.stream().map(gradients::of).toList());
      for (int r = 0; r < recordings.size(); r++) {
        int[][] excerpt =
            Arrays.stream(recordings.get(r))
                .map(book -> Arrays.copyOfRange(book, 10, 186))
                .toArray(int[][]::new);
        double[] weights = Influence.weights(influence.scores(gradients.of(excerpt)));
        for (int other = 0; other < weights.length; other++) {
          assertThat(weights[other]).isLessThanOrEqualTo(weights[r]);
        }
      }
    }
  }
}
