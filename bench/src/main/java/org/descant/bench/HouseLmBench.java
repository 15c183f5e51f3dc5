package org.descant.bench;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Planner;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.AdamW;
import org.descant.tensor.Autocast;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Precision;
import org.descant.tensor.Scope;

/**
 * The house language model's own training step (four codebooks, conditions, rotary positions,
 * SwiGLU) on random codes, in both precisions. Arguments: {@code [THREADS] [SECONDS]}.
 */
public final class HouseLmBench {
  private static final int BATCH = 16;

  /** The shapes that the shipped recipes train, with the frames of their sequences. */
  private enum Model {
    TINY(TokenLmConfig.TINY, 128),
    DEMO(TokenLmConfig.DEMO, 320);

    private final TokenLmConfig config;
    private final int frames;

    Model(TokenLmConfig config, int frames) {
      this.config = config;
      this.frames = frames;
    }
  }

  private HouseLmBench() {}

  public static void main(String[] arguments) {
    int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 1;
    double seconds = arguments.length > 1 ? Double.parseDouble(arguments[1]) : 4;
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    NativeRuntime.init(threads);
    for (Model shape : Model.values()) {
      TokenLm.Batch batch = batch(shape);
      for (Precision precision : Precision.values()) {
        try (TokenLm model = TokenLm.create(shape.config, 1);
            AdamW optimizer = new AdamW(model.parameters(), AdamW.Options.DEFAULT)) {
          Best best = Best.of(() -> step(model, optimizer, batch, precision), seconds, 6);
          out.printf(
              Locale.ROOT,
              "%s %s: %,d parameters, batch %d × %d: %.1f ms wall, %.1f ms CPU, %,.0f tokens/s%n",
              shape.name().toLowerCase(Locale.ROOT),
              precision.name().toLowerCase(Locale.ROOT),
              model.parameters().count(),
              BATCH,
              shape.frames,
              best.wallNanos() / 1e6,
              best.cpuNanos() / 1e6,
              BATCH * shape.frames * shape.config.codebooks() / best.seconds(threads));
        }
      }
    }
  }

  private static void step(
      TokenLm model, AdamW optimizer, TokenLm.Batch batch, Precision precision) {
    try (Scope scope = Scope.open()) {
      model.parameters().zeroGradients();
      TokenLm.Loss loss;
      try (Autocast autocast = Autocast.open(precision)) {
        loss = model.loss(batch, TokenLm.Noise.DEFAULT, 1);
      }
      loss.total().backward();
      model.parameters().clipGradNorm(1);
      optimizer.step(1e-4);
    }
  }

  private static TokenLm.Batch batch(Model shape) {
    var random = new SplittableRandom(1);
    double frameRate = 43;
    FrameConditions frames =
        Planner.plan(frameRate, 120, 2, false, List.of("lofi"), shape.frames / frameRate + 0.01, 1);
    var conditions = new ArrayList<Conditioning>();
    int[][][] codes = new int[BATCH][shape.config.codebooks()][];
    for (int[][] example : codes) {
      for (int k = 0; k < example.length; k++) {
        example[k] = random.ints(shape.frames, 0, shape.config.codebookSize()).toArray();
      }
      conditions.add(
          new Conditioning(
              frames.slice(0, shape.frames),
              new GlobalConditions(
                  2, false, List.of("lofi"), "slow keys", new float[shape.config.styleSize()])));
    }
    return new TokenLm.Batch(codes, conditions);
  }
}
