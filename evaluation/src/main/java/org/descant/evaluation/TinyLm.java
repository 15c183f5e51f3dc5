package org.descant.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;

/**
 * Trains small language models on the same codes with and without some recordings.
 *
 * <p>Two models of one seed differ in nothing but what was left out: they start from the same
 * weights, and example {@code i} of step {@code n} is drawn by (seed, n, i) from all recordings; a
 * draw that hits a left-out recording is dropped from its batch. No conditions are used.
 *
 * <p>{@code training} has the loop that ships models: with checkpoints, augmentation and
 * conditions. This one only has what an experiment of a hundred runs needs.
 *
 * @param config shape of the models
 * @param steps optimizer steps
 * @param batch examples drawn for a step
 * @param frames of an example
 * @param learningRate at its highest; it rises over the first tenth and falls to zero as a cosine
 */
record TinyLm(TokenLmConfig config, int steps, int batch, int frames, double learningRate) {
  private static final double GRADIENT_NORM_MAX = 1;
  private static final AdamW.Options OPTIMIZER = new AdamW.Options(0.9, 0.95, 1e-8, 0.05);

  /** Nothing is known of the music. */
  static final TokenLm.Noise UNCONDITIONAL = new TokenLm.Noise(1, 0);

  /**
   * A trained model, to be closed by the caller.
   *
   * @param recordings codes, {@code [codebook][frame]} each
   * @param without numbers of the recordings that it must not learn from
   */
  TokenLm train(List<int[][]> recordings, Set<Integer> without, long seed) {
    TokenLm model = TokenLm.create(config, seed);
    model.startAt(unigram(recordings, without));
    int[] ends = new int[recordings.size()];
    int total = 0;
    for (int r = 0; r < ends.length; r++) {
      total += recordings.get(r)[0].length;
      ends[r] = total;
    }
    try (AdamW optimizer = new AdamW(model.parameters(), OPTIMIZER)) {
      for (int step = 1; step <= steps; step++) {
        SplittableRandom random = new SplittableRandom(seed * 1_000_003 + step);
        List<int[][]> drawn = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
          int frame = random.nextInt(total);
          double start = random.nextDouble();
          int r = 0;
          while (ends[r] <= frame) {
            r++;
          }
          if (!without.contains(r)) {
            int room = recordings.get(r)[0].length - frames;
            drawn.add(slice(recordings.get(r), (int) (start * (room + 1))));
          }
        }
        if (!drawn.isEmpty()) {
          try (Scope scope = Scope.open()) {
            model.parameters().zeroGradients();
            model.loss(unconditional(drawn), UNCONDITIONAL, step).total().backward();
            model.parameters().clipGradNorm(GRADIENT_NORM_MAX);
            optimizer.step(rate(step));
          }
        }
      }
    }
    return model;
  }

  private double rate(int step) {
    double warmup = Math.max(1, steps / 10.0);
    return step <= warmup
        ? learningRate * step / warmup
        : learningRate * 0.5 * (1 + StrictMath.cos(Math.PI * (step - warmup) / (steps - warmup)));
  }

  /** Mean loss of codes in nats a token, window by window as in training. */
  double loss(TokenLm model, int[][] codes) {
    List<int[][]> windows = new ArrayList<>();
    for (int from = 0; from + frames <= codes[0].length; from += frames) {
      windows.add(slice(codes, from));
    }
    if (windows.isEmpty()) {
      windows.add(codes);
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return model.loss(unconditional(windows), UNCONDITIONAL, 0).total().item();
    }
  }

  private int[][] slice(int[][] codes, int from) {
    return Arrays.stream(codes)
        .map(book -> Arrays.copyOfRange(book, from, from + frames))
        .toArray(int[][]::new);
  }

  static TokenLm.Batch unconditional(List<int[][]> examples) {
    FrameConditions nothing =
        FrameConditions.from(
            1, List.of(), List.of(), List.of(), new int[examples.getFirst()[0].length]);
    return new TokenLm.Batch(
        examples.toArray(int[][][]::new),
        examples.stream().map(e -> new Conditioning(nothing, GlobalConditions.NONE)).toList());
  }

  private double[][] unigram(List<int[][]> recordings, Set<Integer> without) {
    double[][] logs = new double[config.codebooks()][config.codebookSize()];
    for (int k = 0; k < logs.length; k++) {
      Arrays.fill(logs[k], 1);
      for (int r = 0; r < recordings.size(); r++) {
        if (!without.contains(r)) {
          for (int code : recordings.get(r)[k]) {
            logs[k][code]++;
          }
        }
      }
      double sum = Arrays.stream(logs[k]).sum();
      for (int v = 0; v < logs[k].length; v++) {
        logs[k][v] = StrictMath.log(logs[k][v] / sum);
      }
    }
    return logs;
  }
}
