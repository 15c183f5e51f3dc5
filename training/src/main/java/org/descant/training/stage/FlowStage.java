package org.descant.training.stage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.codec.CodecLatents;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.tensor.Autocast;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;

/**
 * The flow model's stage: windows of the recordings' latents, as they are before the codec
 * quantises them, under the same conditions as the language model's.
 *
 * <p>Batches, noise and times are functions of (seed, step). Measured on windows of held-out
 * recordings with the same noise each time, so that two measurements differ by the weights alone.
 * Copies in other keys and tempos have no latents and are not used.
 *
 * <p>Cost of a step: 6 · parameters · batch · frames multiply-adds, and attention.
 */
final class FlowStage implements AutoCloseable {
  static final String NAME = "flow";

  /**
   * How it learns.
   *
   * @param batch windows a step
   * @param frames of a window; shorter when the shortest recording is
   * @param noise what training does to its input
   * @param keepTag probability with which a tag is shown
   */
  record Settings(FlowConfig model, int batch, int frames, FlowModel.Noise noise, double keepTag) {
    Settings {
      if (batch < 1 || frames < 1 || !(keepTag >= 0 && keepTag <= 1)) {
        throw new TrainingException(
            "flow: batch and frames are at least 1 and keepTag from 0 to 1, were %d, %d and %s"
                .formatted(batch, frames, keepTag));
      }
    }
  }

  private final Settings settings;
  private final long seed;
  private final Tokens tokens;
  private final List<Tokens.Coded> sources;
  private final FlowModel model;
  private final int length;
  private final Windows windows;
  private final List<FlowModel.Batch> heldOut;

  /** Prepares data and fresh weights. */
  FlowStage(Settings settings, long seed, Tokens tokens) {
    this.settings = settings;
    this.seed = seed;
    this.tokens = tokens;
    this.sources = tokens.trained().stream().filter(coded -> coded.copy().number() == 0).toList();
    var measured = new ArrayList<>(sources);
    measured.addAll(tokens.heldOut());
    int shortest = measured.stream().mapToInt(this::frames).min().orElse(0);
    if (sources.isEmpty() || shortest == 0) {
      throw new TrainingException("flow: there is no recording to learn from");
    }
    this.length = Math.min(settings.frames(), shortest);
    this.windows =
        new Windows(
            seed, "flow windows", sources.stream().mapToInt(this::frames).toArray(), length);
    this.heldOut = heldOutBatches();
    this.model = FlowModel.create(settings.model(), Draws.key(seed, "flow weights", 0));
  }

  FlowModel model() {
    return model;
  }

  /** Codes and latents of a recording have the same frames, conditions too. */
  private int frames(Tokens.Coded coded) {
    return Math.min(coded.length(), tokens.styles().get(coded.recording()).frames());
  }

  /** Windows with their conditions, and where they come from. */
  record Batch(FlowModel.Batch windows, List<Integer> recordings) {}

  /** The batch of a step, from 1. Safe on another thread. */
  Batch batch(long step) {
    float[][] latents = new float[settings.batch()][];
    var conditions = new ArrayList<Conditioning>();
    var recordings = new ArrayList<Integer>();
    for (int i = 0; i < latents.length; i++) {
      long position = (step - 1) * latents.length + i;
      Windows.Window window = windows.at(position);
      Tokens.Coded coded = sources.get(window.source());
      SplittableRandom random = windows.draws(position);
      CodecLatents all = tokens.styles().get(coded.recording());
      latents[i] = slice(all, window.from());
      GlobalConditions global = coded.global();
      List<String> tags =
          global.tags().stream().filter(tag -> random.nextDouble() < settings.keepTag()).toList();
      float[] style = StyleExcerpt.drawn(all, window.from(), window.from() + length, random);
      conditions.add(
          new Conditioning(
              coded.frames().slice(window.from(), window.from() + length),
              new GlobalConditions(global.tonic(), global.minor(), tags, global.text(), style)));
      recordings.add(coded.recording());
    }
    return new Batch(new FlowModel.Batch(latents, conditions), recordings);
  }

  private float[] slice(CodecLatents latents, int from) {
    return Arrays.copyOfRange(
        latents.rows(), from * latents.size(), (from + length) * latents.size());
  }

  /** Forward and backward pass of a step: the loss, of which the gradients are in the weights. */
  Tensor learn(Batch batch, long step, Precision precision) {
    Tensor loss;
    try (Autocast autocast = Autocast.open(precision)) {
      loss = model.loss(batch.windows(), settings.noise(), Draws.key(seed, "flow noise", step));
    }
    loss.backward();
    return loss.detach();
  }

  private List<FlowModel.Batch> heldOutBatches() {
    var latents = new ArrayList<float[]>();
    var conditions = new ArrayList<Conditioning>();
    for (Tokens.Coded coded : tokens.heldOut()) {
      CodecLatents all = tokens.styles().get(coded.recording());
      for (int from = 0; from + length <= frames(coded); from += length) {
        latents.add(slice(all, from));
        conditions.add(
            new Conditioning(
                coded.frames().slice(from, from + length),
                coded.global().withStyle(StyleExcerpt.fixed(all, from))));
      }
    }
    var batches = new ArrayList<FlowModel.Batch>();
    for (int from = 0; from < latents.size(); from += settings.batch()) {
      int to = Math.min(latents.size(), from + settings.batch());
      batches.add(
          new FlowModel.Batch(
              latents.subList(from, to).toArray(new float[0][]), conditions.subList(from, to)));
    }
    return batches;
  }

  /** Mean loss over windows of held-out recordings; NaN when there are none. */
  double heldOutLoss() {
    double sum = 0;
    int count = 0;
    try (NoGrad noGrad = NoGrad.open()) {
      for (int i = 0; i < heldOut.size(); i++) {
        try (Scope scope = Scope.open()) {
          FlowModel.Batch batch = heldOut.get(i);
          int size = batch.latents().length;
          long drawn = Draws.key(seed, "flow held out", i);
          sum += size * model.loss(batch, FlowModel.Noise.NONE, drawn).item();
          count += size;
        }
      }
    }
    return sum / count;
  }

  @Override
  public void close() {
    model.close();
  }
}
