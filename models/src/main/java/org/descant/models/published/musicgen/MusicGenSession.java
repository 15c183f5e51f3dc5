package org.descant.models.published.musicgen;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.published.weights.Owned;
import org.descant.tensor.Crew;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.StepAttention;
import org.descant.tensor.StepMemory;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Step-by-step decoding of a {@link MusicGenDecoder}: each step takes one column of codes and gives
 * the scores of the next.
 *
 * <p>Keys and values of the past are cached in fp32, those of the text once for the session. With
 * guidance every clip has a second row without a text. Such a row's cross-attention reads zeros,
 * whatever it looks at, so it is left out; the sum is the same. What stands before the codes of a
 * model that a melody leads goes through the layers at once when the session opens.
 *
 * <p>A decoder of several lanes is walked by as many threads, each with its own heads and rows,
 * which meet three times a layer. Belongs to one thread, which is the first of them.
 */
public final class MusicGenSession implements AutoCloseable {
  private static final int STEPS_MAX = 1 << 16;

  private final MusicGenDecoder decoder;
  private final MusicGenConfig config;
  private final int clips;
  private final int rows;
  private final double guidance;
  private final int steps;
  private final Owned owned = new Owned();
  private final Tensor positions;
  private final Tensor[][] added; // by turns, what each lane adds to the rows: [rows, width]
  private final List<Lane> lanes = new ArrayList<>();
  private final Crew crew;
  private int step;

  MusicGenSession(MusicGenDecoder decoder, MusicGenDecoder.Text text, double guidance, int steps) {
    if (steps < 1 || steps > STEPS_MAX) {
      throw new ModelException("A session has 1 to %d steps, not %d.".formatted(STEPS_MAX, steps));
    }
    this.decoder = decoder;
    this.config = decoder.config();
    this.clips = Math.toIntExact(text.states().size(0));
    this.guidance = guidance;
    this.rows = guidance > 1 ? 2 * clips : clips;
    this.steps = steps;
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor before = decoder.before(text, rows > clips);
      int length = before == null ? 0 : Math.toIntExact(before.size(1));
      Tensor all = decoder.positions(length + steps);
      positions = owned.keep(all.narrow(0, length, steps));
      added = new Tensor[2][decoder.lanes()];
      for (int lane = 0; lane < decoder.lanes(); lane++) {
        lanes.add(new Lane(lane, before == null ? text : null, length + steps));
        long most = (long) rows * Math.max(1, length);
        added[0][lane] = owned.keep(Tensor.zeros(most, config.width()));
        added[1][lane] = owned.keep(Tensor.zeros(most, config.width()));
      }
      crew = new Crew(decoder.lanes());
      if (before != null) {
        Tensor placed = before.add(all.narrow(0, 0, length)).flatten(0, 1);
        crew.run(lane -> lanes.get(lane).lead(placed, length));
      }
    }
  }

  /** Clips decoded side by side. */
  public int clips() {
    return clips;
  }

  /** Steps made. */
  public int step() {
    return step;
  }

  /**
   * Makes a step.
   *
   * @param tokens codes of each clip's streams, [clips × codebooks]
   * @param scores receives the (guided) scores of the next codes, [clips × codebooks × vocabulary]
   */
  public void step(long[] tokens, float[] scores) {
    if (step == steps) {
      throw new ModelException("The session has made its %d steps.".formatted(steps));
    }
    if (tokens.length != clips * config.codebooks()) {
      throw new ModelException(
          "A step takes %d tokens, was given %d."
              .formatted(clips * config.codebooks(), tokens.length));
    }
    for (long token : tokens) {
      if (token < 0 || token > config.vocabulary()) {
        throw new ModelException(
            "Token %d is outside the vocabulary of %d.".formatted(token, config.vocabulary() + 1));
      }
    }
    crew.run(lane -> lanes.get(lane).step(tokens, scores));
    step++;
  }

  /** One thread's part: some of the heads, some of the inner width, and rows of its own. */
  private final class Lane {
    private final int lane;
    private final Tensor x; // the rows on their way through the layers: [rows, width]
    private final Tensor asked; // those of them that have a text
    private final @Nullable StepMemory memory; // null where a melody leads
    private final StepAttention past;
    private int turn;

    /**
     * A lane.
     *
     * @param text that every layer looks at, null where a melody leads
     * @param capacity positions that it will take
     */
    Lane(int lane, MusicGenDecoder.@Nullable Text text, int capacity) {
      this.lane = lane;
      x = owned.keep(Tensor.zeros(rows, config.width()));
      asked = owned.keep(x.narrow(0, 0, clips));
      memory = text == null ? null : memory(text);
      past =
          new StepAttention(
              config.layers(),
              rows,
              config.heads() / decoder.lanes(),
              capacity,
              config.headWidth());
    }

    private StepMemory memory(MusicGenDecoder.Text text) {
      List<Tensor> keys = new ArrayList<>();
      List<Tensor> values = new ArrayList<>();
      for (int i = 0; i < config.layers(); i++) {
        List<Tensor> both = decoder.memory(i, lane, text);
        keys.add(both.get(0));
        values.add(both.get(1));
      }
      return new StepMemory(keys, values, text.mask());
    }

    /** Goes through what stands before the codes, all at once: [rows × positions, width]. */
    void lead(Tensor before, int positions) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        Tensor led = before.copy();
        advance(led, led, positions);
      }
    }

    /** Takes its rows through all layers and writes its part of the scores. */
    void step(long[] tokens, float[] scores) {
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        Tensor columns =
            decoder
                .embedStep(Tensor.of(tokens, clips, config.codebooks()))
                .addInPlace(positions.narrow(0, step, 1));
        x.copyFrom(rows > clips ? columns.repeat(2, 1) : columns);
        advance(x, asked, 1);
        write(decoder.scores(lane, x), scores);
      }
    }

    /** Takes positions through the layers, in place: [rows × positions, width]. */
    private void advance(Tensor all, Tensor asking, int positions) {
      for (int i = 0; i < decoder.blocks(); i++) {
        try (Scope layer = Scope.open()) {
          block(i, all, asking, positions);
        }
      }
      past.advance(positions);
    }

    private void block(int layer, Tensor all, Tensor asking, int positions) {
      Tensor joined = decoder.selfInput(layer, lane, all);
      Tensor looked =
          positions == 1 ? past.attend(layer, joined) : past.attendAll(layer, joined, positions);
      add(all, decoder.selfOutput(layer, lane, looked));
      if (memory != null) {
        Tensor read = memory.read(layer, decoder.crossQuery(layer, lane, asking));
        add(asking, decoder.crossOutput(layer, lane, read));
      }
      add(all, decoder.inner(layer, lane, all));
    }

    /** Adds what this lane and all others have for the rows. */
    private void add(Tensor to, Tensor mine) {
      if (lanes.size() == 1) {
        to.addInPlace(mine);
        return;
      }
      // Two sets by turns: nobody writes one before all have read what it held.
      Tensor[] parts = added[turn];
      turn = 1 - turn;
      long count = to.size(0);
      parts[lane].narrow(0, 0, count).copyFrom(mine);
      crew.meet();
      for (Tensor part : parts) {
        to.addInPlace(part.narrow(0, 0, count));
      }
    }

    private void write(Tensor mine, float[] scores) {
      Tensor all = mine;
      if (rows > clips) {
        Tensor without = mine.narrow(0, clips, clips);
        all = mine.narrow(0, 0, clips).sub(without).mulInPlace(guidance).addInPlace(without);
      }
      int size = config.vocabulary();
      int part = size / lanes.size();
      float[] values = all.toFloats();
      for (int row = 0; row < values.length / part; row++) {
        System.arraycopy(values, row * part, scores, row * size + lane * part, part);
      }
    }

    void close() {
      past.close();
      if (memory != null) {
        memory.close();
      }
    }
  }

  /** Frees the caches. */
  @Override
  public void close() {
    crew.close();
    lanes.forEach(Lane::close);
    owned.close();
  }
}
