package org.descant.evaluation;

import java.util.Arrays;
import java.util.List;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * What gradients say of the recordings that shaped a clip: gradients of a model's loss with respect
 * to all of its weights, sketched to a few thousand numbers whose products are those of the
 * gradients. No condition is shown to the model, so that a clip and a recording are asked the same
 * question: how likely are these codes?
 *
 * <p>Belongs to a platform thread, one at a time; it overwrites the model's gradients.
 */
final class LossGradients {
  /*
   * score(clip, r) = g_clip · n_r g_r: to first order, how much the clip's loss falls when the model
   * takes a small step on r, times r's share of all frames, since a recording twice as long is
   * learned from twice as often (TracIn with the last checkpoint: Pruthi et al., "Estimating Training
   * Data Influence by Tracing Gradient Descent", 2020), in the metric of the Fisher diagonal (Koh and
   * Liang 2017).
   *
   * Each weight's derivative is added, with a sign, to one of `size` sums; sum and sign are a hash of
   * the weight's place (count sketch: Charikar, Chen, Farach-Colton 2002; for gradients TRAK, Park et
   * al. 2023, uses dense signs). The product of two sketches is that of the two gradients, with an
   * error of about 1/sqrt(size) of the product of their norms: 0.8 % for 16,384.
   *
   * All weights count, not the output heads alone, as Yeh et al., "First is Better Than Last for
   * Language Data Influence" (2022), found for text: against leave-one-out retraining the heads'
   * gradients reached a rank correlation of 0.19 where all weights reached 0.41.
   *
   * Before it is sketched a gradient is divided by the root of the Fisher matrix's diagonal, taken as
   * the mean square of window gradients over blocks of neighbouring weights: a product of two such
   * gradients is g · F⁻¹ · h, in which weights that every recording pulls at count little.
   *
   * Cost: a forward and a backward pass, 6 · parameters multiply-adds a frame.
   */
  private static final long SEED = 0x64657363616e74L;

  /** Frames that the model reads at once, about as many as in training. */
  private static final int WINDOW_FRAMES = 320;

  /** A last window shorter than this has too little context to be asked. */
  private static final int WINDOW_FRAMES_MIN = 16;

  /** Neighbouring weights that share one entry of the Fisher diagonal. */
  static final int BLOCK = 256;

  /** Of each recording's windows, every so many is read for the Fisher diagonal. */
  private static final int FISHER_STRIDE = 3;

  /** Added to the Fisher diagonal, as a part of its mean. */
  private static final double DAMPING = 1e-3;

  private final TokenLm model;
  private final int size;
  private final int window;
  private final float[] inverseRoots;

  /**
   * Gradients of a model in the metric of some recordings, which it reads in part.
   *
   * @param model that can be trained, as {@link TokenLm#create} makes them
   * @param size numbers in a sketch, a power of two
   * @param recordings codes of what the model learned from
   */
  static LossGradients measured(TokenLm model, int size, List<int[][]> recordings) {
    LossGradients plain = new LossGradients(model, size, new float[0]);
    return new LossGradients(model, size, plain.inverseRoots(recordings));
  }

  /** Gradients of a model in a known metric, see {@link #inverseRoots()}. */
  LossGradients(TokenLm model, int size, float[] inverseRoots) {
    this.model = model;
    this.size = size;
    this.window =
        Math.min(WINDOW_FRAMES, model.config().context() - model.config().codebooks() + 1);
    this.inverseRoots = inverseRoots;
  }

  /** One over the root of the Fisher diagonal, block by block. */
  float[] inverseRoots() {
    return inverseRoots;
  }

  /** Numbers that {@link #inverseRoots()} has for a model. */
  static int blocks(TokenLm model) {
    return Math.ceilDiv((int) model.parameters().values().count(), BLOCK);
  }

  private float[] inverseRoots(List<int[][]> recordings) {
    double[] squares = new double[blocks(model)];
    for (int[][] codes : recordings) {
      int frames = codes[0].length;
      for (int from = 0; from == 0 || from + window <= frames; from += FISHER_STRIDE * window) {
        float[] gradient = gradient(codes, from, Math.min(frames, from + window));
        for (int i = 0; i < gradient.length; i++) {
          squares[i / BLOCK] += (double) gradient[i] * gradient[i];
        }
      }
    }
    double mean = Arrays.stream(squares).average().orElse(0);
    float[] roots = new float[squares.length];
    for (int i = 0; i < roots.length; i++) {
      // Relative to the mean, so that the scale of the scores does not depend on the model.
      roots[i] = mean > 0 ? (float) (1 / Math.sqrt(squares[i] / mean + DAMPING)) : 1;
    }
    return roots;
  }

  /**
   * One score per clip and recording; positive where the recording lowered the clip's loss.
   *
   * @param recordings codes, {@code [codebook][frame]} each
   * @param clips the same
   */
  double[][] scores(List<int[][]> recordings, List<int[][]> clips) {
    double frames = recordings.stream().mapToInt(codes -> codes[0].length).sum();
    float[][] rows = recordings.stream().map(this::of).toArray(float[][]::new);
    for (int r = 0; r < rows.length; r++) {
      float share = (float) (recordings.get(r)[0].length / frames);
      for (int i = 0; i < size; i++) {
        rows[r][i] *= share;
      }
    }
    double[][] scores = new double[clips.size()][rows.length];
    for (int c = 0; c < scores.length; c++) {
      float[] clip = of(clips.get(c));
      for (int r = 0; r < rows.length; r++) {
        for (int i = 0; i < size; i++) {
          scores[c][r] += (double) clip[i] * rows[r][i];
        }
      }
    }
    return scores;
  }

  /** The sketched gradient of the mean loss of codes. */
  float[] of(int[][] codes) {
    int frames = codes[0].length;
    int last = frames % window;
    int used = frames > window && last < WINDOW_FRAMES_MIN ? frames - last : frames;
    float[] gradient = gradient(codes, 0, used);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] *= inverseRoots[i / BLOCK];
    }
    return sketch(gradient, size);
  }

  /** The gradient of the mean loss of frames {@code start .. end-1}, window by window. */
  private float[] gradient(int[][] codes, int start, int end) {
    model.parameters().zeroGradients();
    for (int from = start; from < end; from += window) {
      int to = Math.min(end, from + window);
      try (Scope scope = Scope.open()) {
        int[][] part = new int[model.config().codebooks()][];
        for (int k = 0; k < part.length; k++) {
          part[k] = Arrays.copyOfRange(codes[k], from, to);
        }
        TokenLm.Batch batch = TinyLm.unconditional(List.<int[][]>of(part));
        Tensor loss = model.loss(batch, TinyLm.UNCONDITIONAL, 0).total();
        loss.mul((to - from) / (double) (end - start)).backward();
      }
    }
    return model.parameters().gradients().toFloats();
  }

  static float[] sketch(float[] gradient, int size) {
    float[] sums = new float[size];
    for (int i = 0; i < gradient.length; i++) {
      long hash = mix(SEED + i);
      int at = (int) hash & (size - 1);
      sums[at] += hash < 0 ? -gradient[i] : gradient[i];
    }
    return sums;
  }

  /** The finalizer of SplitMix64 over a step of the golden ratio (Steele, Lea, Flood 2014). */
  private static long mix(long place) {
    long z = place * 0x9e3779b97f4a7c15L;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
