package org.descant.training;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelDistance;
import org.descant.lab.MetricLine;
import org.descant.models.CodecLoss;
import org.descant.models.MagnitudeCodec;
import org.descant.tensor.AdamW;
import org.descant.tensor.Autocast;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Stage one: the codec learns from excerpts of a few seconds at random gain.
 *
 * <p>Cost: a step is two network passes over {@code batch × frames} rows of about 2,000 numbers.
 * The rows are made ahead on another thread.
 */
final class CodecStage {
  static final String NAME = "codec";
  static final String MEL_DISTANCE = "heldOutMelDistance";
  private static final String OPTIMIZER = "codec.adamw.";
  private static final String WEIGHTS = "codec.";
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.99;

  /** Batches from which the codec's linear start is computed: some thousand frames. */
  private static final int START_BATCHES = 8;

  /** Excerpts on which the mel distance is measured: long enough for a phrase. */
  private static final int MEASURED_SECONDS = 10;

  private final Setting setting;
  private final Recipe.Codec recipe;
  private final MagnitudeCodec codec;
  private final Windows windows;

  CodecStage(Setting setting) {
    this.setting = setting;
    this.recipe = setting.recipe().codec();
    this.codec =
        MagnitudeCodec.create(
            recipe.model(), Draws.key(setting.recipe().seed(), "codec weights", 0));
    this.windows =
        new Windows(
            setting.recipe().seed(),
            "codec excerpts",
            setting.trained().stream().mapToInt(setting.dataset()::frames).toArray(),
            recipe.frames() * codec.samplesPerFrame());
  }

  MagnitudeCodec codec() {
    return codec;
  }

  /** Overwrites the codec's weights from a checkpoint of any stage. */
  void restoreWeights(Checkpoints.Saved saved) {
    try (Safetensors model = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      codec.parameters().restoreFrom(WEIGHTS, model);
    }
  }

  /** Adds the codec's weights to a checkpoint. */
  void saveWeights(Map<String, Tensor> model) {
    codec.parameters().saveTo(WEIGHTS, model);
  }

  /**
   * Trains from the beginning or from a checkpoint of this stage to the stage's end.
   *
   * @return whether the end was reached; otherwise a stop was asked for, and a checkpoint written
   */
  boolean train(Checkpoints.@Nullable Saved saved) {
    long steps = setting.recipe().codecSteps();
    var meter =
        new Meter(NAME, 1, steps, setting.recipe().logEvery(), setting.log(), setting.progress());
    var schedule = new Schedule(recipe.learningRate(), recipe.warmup(), steps);
    var options = new AdamW.Options(BETA1, BETA2, 1e-8, recipe.weightDecay());
    try (var loss = new CodecLoss();
        var optimizer = new AdamW(codec.parameters(), options)) {
      long done = 0;
      if (saved == null) {
        start();
      } else {
        done = saved.facts().step();
        restoreWeights(saved);
        meter.restore(saved.facts().numbers());
        try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE))) {
          optimizer.restoreFrom(OPTIMIZER, state);
        }
      }
      try (var data = new Prefetch<>(NAME, this::batch, done + 1, steps)) {
        for (long step = done + 1; step <= steps; step++) {
          step(step, data, loss, optimizer, schedule.at(step), meter);
          boolean stop = setting.stop().getAsBoolean() && step < steps;
          if (step % setting.recipe().checkpoint().every() == 0 || step == steps || stop) {
            save(step, optimizer, meter);
          }
          if (stop) {
            return false;
          }
        }
      }
      if (!setting.logged(NAME, steps, MEL_DISTANCE)) {
        measure(steps);
      }
      return true;
    }
  }

  private void start() {
    try (Scope scope = Scope.open()) {
      var first = new ArrayList<Tensor>();
      for (long step = 1; step <= START_BATCHES; step++) {
        first.add(features(batch(step)));
      }
      codec.startAt(Tensor.cat(first, 0));
    }
    measure(0);
  }

  /** Excerpts as network rows, and where they come from. */
  private record Batch(float[] rows, List<Integer> recordings) {}

  private Batch batch(long step) {
    int size = recipe.batch();
    int length = recipe.frames() * codec.samplesPerFrame();
    float[] rows = new float[size * recipe.frames() * codec.featureSize()];
    var recordings = new ArrayList<Integer>();
    for (int i = 0; i < size; i++) {
      long position = (step - 1) * size + i;
      Windows.Window window = windows.at(position);
      int recording = setting.trained().get(window.source());
      SplittableRandom random = windows.draws(position);
      float gain = (float) StrictMath.pow(10, (2 * random.nextDouble() - 1) * recipe.gainDb() / 20);
      float[][] channels = excerpt(recording, window.from(), length);
      for (float[] channel : channels) {
        for (int n = 0; n < channel.length; n++) {
          channel[n] *= gain;
        }
      }
      float[] part = codec.features(channels);
      System.arraycopy(part, 0, rows, i * part.length, part.length);
      recordings.add(recording);
    }
    return new Batch(rows, recordings);
  }

  /** Samples of a recording; one that is too short goes on in silence. */
  private float[][] excerpt(int recording, int from, int length) {
    int available = Math.min(length, setting.dataset().frames(recording) - from);
    float[][] channels = setting.dataset().read(recording, from, available).channels();
    if (available == length) {
      return channels;
    }
    float[][] padded = new float[channels.length][length];
    for (int c = 0; c < channels.length; c++) {
      System.arraycopy(channels[c], 0, padded[c], 0, available);
    }
    return padded;
  }

  private Tensor features(Batch batch) {
    return Tensor.of(batch.rows(), recipe.batch(), recipe.frames(), codec.featureSize());
  }

  private void step(
      long step,
      Prefetch<Batch> data,
      CodecLoss loss,
      AdamW optimizer,
      double learningRate,
      Meter meter) {
    Batch batch = data.take(step);
    try (Scope scope = Scope.open()) {
      codec.parameters().zeroGradients();
      CodecLoss.Terms terms;
      long seed = Draws.key(setting.recipe().seed(), "codec quantiser", step);
      try (Autocast autocast = Autocast.open(setting.precision())) {
        terms = codec.train(features(batch), loss, seed);
      }
      terms.total().backward();
      double total = terms.total().item();
      double norm = codec.parameters().clipGradNorm(recipe.clip());
      setting.guard(NAME, step, total, norm, batch.recordings());
      optimizer.step(learningRate);
      var values = new LinkedHashMap<String, Double>();
      values.put("loss", total);
      values.put("decibels", terms.decibels().item());
      values.put("loud", terms.loud().item());
      values.put("stereo", terms.stereo().item());
      values.put("commitment", terms.commitment().item());
      double seconds =
          (double) recipe.batch() * recipe.frames() * codec.samplesPerFrame() / codec.sampleRate();
      meter.step(step, values, learningRate, norm, seconds, 0, data);
    }
  }

  private void save(long step, AdamW optimizer, Meter meter) {
    var model = new LinkedHashMap<String, Tensor>();
    saveWeights(model);
    var state = new LinkedHashMap<String, Tensor>();
    optimizer.saveTo(OPTIMIZER, state);
    setting
        .checkpoints()
        .write(
            step,
            NAME,
            model,
            setting.metadata(step, NAME),
            state,
            meter.state(),
            Cards.ofCheckpoint(setting, NAME, step).toJson());
  }

  /** Logs the mean mel distance of held-out excerpts to what the codec makes of them. */
  private void measure(long step) {
    double sum = 0;
    for (int recording : setting.heldOut()) {
      int frames = setting.dataset().frames(recording);
      int length = Math.min(frames, MEASURED_SECONDS * codec.sampleRate());
      Pcm original = setting.dataset().read(recording, (frames - length) / 2, length);
      float[][] decoded = codec.decode(codec.encode(original.channels()));
      Pcm made = new Pcm(decoded, codec.sampleRate()).slice(0, length);
      sum += MelDistance.between(original.mono(), made.mono());
    }
    double mean = sum / setting.heldOut().size();
    setting.log().accept(new MetricLine(NAME, step, Map.of(MEL_DISTANCE, mean)));
    setting.progress().note("codec  %d steps: held-out mel distance %.2f dB".formatted(step, mean));
  }
}
