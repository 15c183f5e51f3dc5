package org.descant.attribution;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.descant.models.HouseModel;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.flow.FlowModel;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * A model that is asked how well it knows some codes, with no condition shown. Belongs to one
 * thread at a time; closing frees the copy of its weights.
 */
sealed interface Questioned extends AutoCloseable {
  /** What gradients are taken of. */
  ParameterStore parameters();

  /** Codebooks that it looks at. */
  int codebooks();

  /** Frames that it looks at together, at most. */
  int context();

  /**
   * The mean loss of a frame, a scalar with gradients.
   *
   * @param codes {@link #codebooks} of them, at most {@link #context} frames
   */
  Tensor loss(int[][] codes);

  @Override
  void close();

  /** A copy of a model's last stage that has gradients; a flow model's codec must stay open. */
  static Questioned of(HouseModel model) {
    if (model.isFlow()) {
      FlowModel copy = FlowModel.create(model.flow().config(), 0);
      copy(model.flow().parameters(), copy.parameters());
      return new Flow(copy, model.codec());
    }
    TokenLm copy = TokenLm.create(model.languageModel().config(), 0);
    copy(model.languageModel().parameters(), copy.parameters());
    return new Lm(copy);
  }

  private static void copy(ParameterStore from, ParameterStore to) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      to.values().copyFrom(from.values());
    }
  }

  private static Conditioning nothing(int frames) {
    return new Conditioning(
        FrameConditions.from(1, List.of(), List.of(), List.of(), new int[frames]),
        GlobalConditions.NONE);
  }

  /** A language model: the cross entropy of the codes. */
  record Lm(TokenLm model) implements Questioned {
    /** Every condition is dropped, whatever the seed. */
    private static final TokenLm.Noise ALL_DROPPED = new TokenLm.Noise(1, 0);

    @Override
    public ParameterStore parameters() {
      return model.parameters();
    }

    @Override
    public int codebooks() {
      return model.config().codebooks();
    }

    @Override
    public int context() {
      return model.config().context() - model.config().codebooks() + 1;
    }

    @Override
    public Tensor loss(int[][] codes) {
      var batch = new TokenLm.Batch(new int[][][] {codes}, List.of(nothing(codes[0].length)));
      return model.loss(batch, ALL_DROPPED, 0).total();
    }

    @Override
    public void close() {
      model.close();
    }
  }

  /**
   * A flow model: the error of the velocity on the latents that the codes stand for, at a few times
   * and always with the same noise, so that clips and recordings are asked the same question (as
   * Georgiev et al., "The Journey, Not the Destination", 2023, and Zheng et al., "Intriguing
   * Properties of Data Attribution on Diffusion Models", 2024, take gradients of the training loss
   * at some times).
   */
  record Flow(FlowModel model, MagnitudeCodec codec) implements Questioned {
    private static final int TIMES = 4;
    private static final long SEED = 0x666c6f77L;
    private static final FlowModel.Noise ALL_DROPPED = new FlowModel.Noise(1, 0);

    @Override
    public ParameterStore parameters() {
      return model.parameters();
    }

    @Override
    public int codebooks() {
      return codec.codebooks();
    }

    @Override
    public int context() {
      return model.config().context();
    }

    @Override
    public Tensor loss(int[][] codes) {
      float[][] rows = new float[TIMES][];
      Arrays.fill(rows, codec.dequantise(codes));
      var told = new ArrayList<>(Collections.nCopies(TIMES, nothing(codes[0].length)));
      return model.loss(new FlowModel.Batch(rows, told), ALL_DROPPED, SEED);
    }

    @Override
    public void close() {
      model.close();
    }
  }
}
