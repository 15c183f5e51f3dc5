package org.descant.models.lm;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.ConditionEncoder;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.Guidance;
import org.descant.tensor.Attention;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A generating session of a {@link TokenLm}: every step adds one position to each clip.
 *
 * <p>A session may begin with frames that are {@link Given}: those before what is made, and, for a
 * model that learned with spans, those after it. They come first in the order of frames here, as
 * {@link SpanLayout} has it, and are read in one pass when the session starts.
 *
 * <p>Keys and values are cached in fp32; attention looks back {@code context} steps, so a session
 * may run as long as its conditions. Each clip takes {@link Guidance#rows} rows of the batch. Given
 * the same weights, conditions, seeds and kind of CPU, the codes are the same. Belongs to one
 * thread.
 */
public final class Decoder implements AutoCloseable {
  private final TokenLm model;
  private final TokenLmConfig config;
  private final Guidance guidance;
  private final Sampling[] sampling;
  private final SplittableRandom[] random;
  private final int clips;
  private final int rows;
  private final int frames;
  private final SpanLayout layout;
  private final int[][][] delayed; // [clip][codebook][step]
  private final Tensor[] conditions; // of each clip: [rows of the clip, frames, width]
  private final int[] conditionsFrom; // step of each clip's first condition
  private final Tensor[] keys;
  private final Tensor[] values;
  private final int capacity;
  private int cached;
  private int step;
  private float[] lastLogits = new float[0];

  Decoder(
      TokenLm model,
      List<Conditioning> clips,
      Guidance guidance,
      List<Sampling> sampling,
      long[] seeds,
      List<Given> given) {
    this.model = model;
    this.config = model.config();
    this.guidance = guidance;
    this.clips = clips.size();
    int books = config.codebooks();
    if (this.clips == 0 || seeds.length != this.clips) {
      throw new ModelException(
          "A session needs one seed per clip: " + seeds.length + " for " + this.clips);
    }
    if (sampling.size() != 1 && sampling.size() != books) {
      throw new ModelException(
          "Give one sampling, or one for each of " + books + " codebooks; got " + sampling.size());
    }
    this.sampling = new Sampling[books];
    Arrays.setAll(this.sampling, k -> sampling.get(sampling.size() == 1 ? 0 : k));
    this.random = new SplittableRandom[this.clips];
    Arrays.setAll(random, c -> new SplittableRandom(seeds[c]));
    this.rows = this.clips * guidance.rows();
    this.frames = clips.getFirst().frames().frames();
    this.layout = layout(given);
    int steps = DelayPattern.steps(frames, books);
    this.delayed = new int[this.clips][books][steps];
    this.capacity = Math.min(steps, 2 * config.context());
    this.conditions = new Tensor[this.clips];
    this.conditionsFrom = new int[this.clips];
    this.keys = new Tensor[config.layers()];
    this.values = new Tensor[config.layers()];
    for (int c = 0; c < this.clips; c++) {
      if (clips.get(c).frames().frames() != frames) {
        throw new ModelException("All clips of a session must have " + frames + " frames");
      }
      Conditioning clip = clips.get(c);
      conditions[c] =
          encoded(new Conditioning(layout.arrange(clip.frames()), clip.global()), layout);
    }
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < keys.length; i++) {
        keys[i] = Tensor.zeros(rows, config.heads(), capacity, config.headSize()).retain();
        values[i] = Tensor.zeros(rows, config.heads(), capacity, config.headSize()).retain();
      }
    }
    if (layout.given() > 0) {
      for (int c = 0; c < this.clips; c++) {
        place(given.get(c), delayed[c]);
      }
      read(layout.given());
    }
  }

  /**
   * What there is of a clip.
   *
   * @param before codes {@code [codebook][frame]} before what is to be made
   * @param after codes after it; without frames to go on and never return
   */
  @SuppressWarnings("ArrayRecordComponent") // Read once, never compared.
  public record Given(int[][] before, int[][] after) {}

  private SpanLayout layout(List<Given> given) {
    if (given.isEmpty()) {
      return SpanLayout.plain(frames);
    }
    if (given.size() != clips) {
      throw new ModelException(
          "A session is given something of each of its " + clips + " clips, or nothing");
    }
    int before = given.getFirst().before()[0].length;
    int after = given.getFirst().after()[0].length;
    for (Given of : given) {
      model.requireCodes(of.before(), before);
      model.requireCodes(of.after(), after);
    }
    SpanLayout of = new SpanLayout(before, frames - before - after, after);
    int needed = of.isPlain() ? before : DelayPattern.steps(frames, config.codebooks());
    if (needed > config.context()) {
      throw new ModelException(
          "What is given takes "
              + needed
              + " steps, the model looks back "
              + config.context()
              + "; give less, or fill a shorter span");
    }
    if (!of.isPlain()) {
      model.requireSpans();
    }
    return of;
  }

  /** Writes given codes to their steps. */
  private void place(Given given, int[][] tokens) {
    for (int k = 0; k < tokens.length; k++) {
      Arrays.fill(tokens[k], 0, Math.min(k, tokens[k].length), model.special());
      System.arraycopy(given.after()[k], 0, tokens[k], k, layout.after());
      System.arraycopy(given.before()[k], 0, tokens[k], k + layout.after(), layout.before());
    }
  }

  /** Fills the cache with the steps whose tokens are all there. */
  private void read(int steps) {
    int books = config.codebooks();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Tensor> parts = new ArrayList<>();
      for (Tensor clip : conditions) {
        parts.add(clip.narrow(1, 0, steps));
      }
      int[] positions = new int[steps];
      Arrays.setAll(positions, layout::position);
      long[] input = new long[rows * steps * books];
      for (int row = 0; row < rows; row++) {
        for (int s = 0; s < steps; s++) {
          inputTokens(row, s, input, (row * steps + s) * books);
        }
      }
      model.forward(
          Tensor.of(input, rows, steps, books),
          parts.size() == 1 ? parts.getFirst() : Tensor.cat(parts, 0),
          Rotary.at(new int[][] {positions}, config.headSize()),
          (layer, q, k, v) -> {
            keys[layer].narrow(2, 0, steps).copyFrom(k);
            values[layer].narrow(2, 0, steps).copyFrom(v);
            return Attention.causal(q, k, v);
          },
          true);
    }
    step = steps;
    cached = steps;
  }

  private Tensor encoded(Conditioning clip, SpanLayout of) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      boolean[][] keep = ConditionEncoder.guided(guidance);
      List<Conditioning> same = new ArrayList<>();
      for (int i = 0; i < keep.length; i++) {
        same.add(clip);
      }
      return model.encode(same, keep, Collections.nCopies(keep.length, of)).retain();
    }
  }

  /** Frames of the session in all, those that were given included. */
  public int frames() {
    return frames;
  }

  /** Frames that were given; they come first. */
  public int framesGiven() {
    return layout.given();
  }

  /** Frames that are whole: every codebook was given or drawn. */
  public int framesReady() {
    return Math.max(layout.given(), step - config.codebooks() + 1);
  }

  /** Whether all frames are there. */
  public boolean done() {
    return framesReady() == frames;
  }

  /**
   * Changes what a clip will be from now on: a listener turned a knob. Frame 0 of {@code next} is
   * the frame whose first codebook is drawn by the next step; its last frame holds on for as long
   * as needed. A session that fills a span cannot be redirected.
   */
  public void redirect(int clip, Conditioning next) {
    if (!layout.isPlain()) {
      throw new ModelException("A session that fills a span cannot be redirected; start another");
    }
    Tensor encoded = encoded(next, SpanLayout.plain(next.frames().frames()));
    conditions[clip].close();
    conditions[clip] = encoded;
    conditionsFrom[clip] = step;
  }

  /** Codes {@code [codebook][frame]} of whole frames {@code from .. to-1} of a clip. */
  public int[][] codes(int clip, int from, int to) {
    if (from < 0 || to < from || to > framesReady()) {
      throw new ModelException(
          "Frames " + from + " to " + to + " are not there yet; ready are " + framesReady());
    }
    int[][] codes = new int[config.codebooks()][];
    for (int k = 0; k < codes.length; k++) {
      codes[k] = Arrays.copyOfRange(delayed[clip][k], from + k, to + k);
    }
    return codes;
  }

  /**
   * Draws the next position of every clip.
   *
   * @return {@link #framesReady}
   */
  public int step() {
    return step(null);
  }

  /** The same, with given tokens [clip][codebook] instead of drawn ones. */
  int step(int @Nullable [][] forced) {
    if (done()) {
      throw new ModelException("The session has made all of its " + frames + " frames");
    }
    if (cached == capacity) {
      slide();
    }
    int books = config.codebooks();
    float[] logits;
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor outputs =
          model.forward(
              inputTokens(),
              stepConditions(),
              Rotary.at(layout.position(step), 1, config.headSize()),
              this::attend,
              true);
      logits = model.logits(outputs, true).toFloats();
    }
    cached++;
    lastLogits = logits;

    int size = config.codebookSize();
    float[][] clipRows = new float[guidance.rows()][];
    float[] guided = new float[books * size];
    for (int c = 0; c < clips; c++) {
      for (int r = 0; r < clipRows.length; r++) {
        int at = (c * clipRows.length + r) * books * size;
        clipRows[r] = Arrays.copyOfRange(logits, at, at + books * size);
      }
      guidance.combine(clipRows, guided);
      for (int k = 0; k < books; k++) {
        boolean inside = step >= k && step - k < frames;
        int drawn = sampling[k].draw(guided, k * size, size, random[c]);
        int token = forced == null ? drawn : forced[c][k];
        if (step - k >= layout.given() || step < k) {
          delayed[c][k][step] = inside ? token : model.special();
        }
      }
    }
    step++;
    return framesReady();
  }

  private Tensor inputTokens() {
    int books = config.codebooks();
    long[] input = new long[rows * books];
    for (int row = 0; row < rows; row++) {
      inputTokens(row, step, input, row * books);
    }
    return Tensor.of(input, rows, 1, books);
  }

  /** The tokens that go into step {@code at} of a row. */
  private void inputTokens(int row, int at, long[] input, int offset) {
    int[][] clip = delayed[row / guidance.rows()];
    for (int k = 0; k < clip.length; k++) {
      int token = at == 0 ? model.special() : clip[k][at - 1];
      input[offset + k] = k * (config.codebookSize() + 1L) + token;
    }
  }

  private Tensor stepConditions() {
    List<Tensor> parts = new ArrayList<>();
    for (int c = 0; c < clips; c++) {
      long at = Math.min(step - conditionsFrom[c], conditions[c].size(1) - 1);
      parts.add(conditions[c].narrow(1, at, 1));
    }
    return parts.size() == 1 ? parts.getFirst() : Tensor.cat(parts, 0);
  }

  private Tensor attend(int layer, Tensor q, Tensor k, Tensor v) {
    keys[layer].narrow(2, cached, 1).copyFrom(k);
    values[layer].narrow(2, cached, 1).copyFrom(v);
    int from = Math.max(0, cached + 1 - config.context());
    int length = cached + 1 - from;
    return Attention.step(
        q, keys[layer].narrow(2, from, length), values[layer].narrow(2, from, length), length);
  }

  /** Moves the part of the cache that attention still reaches to its front. */
  private void slide() {
    int kept = config.context() - 1;
    for (Tensor[] cache : List.of(keys, values)) {
      for (Tensor tensor : cache) {
        try (NoGrad noGrad = NoGrad.open();
            Scope scope = Scope.open()) {
          Tensor tail = tensor.narrow(2, (long) capacity - kept, kept).copy();
          tensor.narrow(2, 0, kept).copyFrom(tail);
        }
      }
    }
    cached = kept;
  }

  /** Unguided logits of the last step: [row][codebook · codebookSize], row after row. */
  float[] lastLogits() {
    return lastLogits;
  }

  @Override
  public void close() {
    for (Tensor[] owned : List.of(conditions, keys, values)) {
      for (Tensor tensor : owned) {
        tensor.close();
      }
    }
  }
}
