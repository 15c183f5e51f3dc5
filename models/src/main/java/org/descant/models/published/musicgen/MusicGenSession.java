package org.descant.models.published.musicgen;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.published.weights.Owned;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.StepAttention;
import org.descant.tensor.StepMemory;
import org.descant.tensor.Tensor;

/**
 * Step-by-step decoding of a {@link MusicGenDecoder}: each step takes one column of codes and gives
 * the scores of the next.
 *
 * <p>Keys and values of the past are cached in fp32, those of the text once for the session. With
 * guidance every clip has a second row without a text. Such a row's cross-attention reads zeros,
 * whatever it looks at, so it is left out; the sum is the same. Belongs to one thread.
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
  private final Tensor x; // the rows on their way through the layers: [rows, width]
  private final Tensor told; // those of them that have a text
  private final StepMemory memory;
  private final StepAttention past;
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
    List<Tensor> keys = new ArrayList<>();
    List<Tensor> values = new ArrayList<>();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      positions = owned.keep(decoder.positions(steps));
      x = owned.keep(Tensor.zeros(rows, config.width()));
      told = owned.keep(x.narrow(0, 0, clips));
      for (int i = 0; i < config.layers(); i++) {
        List<Tensor> both = decoder.memory(i, text);
        keys.add(both.get(0));
        values.add(both.get(1));
      }
      memory = new StepMemory(keys, values, text.mask());
    }
    past = new StepAttention(config.layers(), rows, config.heads(), steps, config.headWidth());
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
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor columns =
          decoder
              .embedStep(Tensor.of(tokens, clips, config.codebooks()))
              .addInPlace(positions.narrow(0, step, 1));
      x.copyFrom(rows > clips ? columns.repeat(2, 1) : columns);
      for (int i = 0; i < decoder.blocks(); i++) {
        try (Scope layer = Scope.open()) {
          block(i);
        }
      }
      Tensor all = decoder.scores(x);
      if (rows > clips) {
        Tensor without = all.narrow(0, clips, clips);
        all = all.narrow(0, 0, clips).sub(without).mulInPlace(guidance).addInPlace(without);
      }
      all.copyTo(scores);
    }
    past.advance();
    step++;
  }

  /** Takes x through one layer. */
  private void block(int layer) {
    Tensor looked = past.attend(layer, decoder.selfInput(layer, x));
    x.addInPlace(decoder.selfOutput(layer, looked));
    Tensor read = memory.read(layer, decoder.crossQuery(layer, told));
    told.addInPlace(decoder.crossOutput(layer, read));
    x.addInPlace(decoder.inner(layer, x));
  }

  /** Frees the caches. */
  @Override
  public void close() {
    past.close();
    memory.close();
    owned.close();
  }
}
