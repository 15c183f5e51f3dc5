package org.descant.training.tune;

import static org.descant.training.TrainingException.require;

import java.util.List;
import org.descant.training.TrainingException;
import org.descant.training.loop.Guard;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Schedule;
import org.descant.training.recipe.Recipe;

/**
 * All settings of a run that tunes a MusicGen-shaped model on a dataset. Complete: there are no
 * defaults elsewhere.
 *
 * @param name of the recipe
 * @param steps of the optimizer
 * @param seed of every random draw
 * @param batch excerpts in a step
 * @param accumulate parts that such a batch goes through the model in, one after the other: less
 *     memory, the same gradient
 * @param precision {@code fp32}, {@code bf16}, or {@code auto} for what the machine is fast at; the
 *     weights that learn are fp32 whatever it is
 * @param threads of libtorch; 0 is one a processor, resolved at the start and kept in the record
 * @param heldOut recordings that are only measured on
 * @param logEvery steps between two lines of metrics
 * @param checkpoint when the state is saved
 * @param guard which batches are refused, and what follows
 * @param base folder of the model to tune, as the Hub serves it
 * @param learns {@code adapter}, {@code decoder} (all of its weights), or {@code decoder+text} (and
 *     the projection of the texts)
 * @param adapter its shape, where it is what learns
 * @param tune how
 */
public record TuneRecipe(
    String name,
    long steps,
    long seed,
    int batch,
    int accumulate,
    String precision,
    int threads,
    int heldOut,
    int logEvery,
    Recipe.Checkpoint checkpoint,
    Guard.Options guard,
    String base,
    String learns,
    Adapter adapter,
    Tune tune) {
  /** An adapter. */
  public static final String LORA = "musicgen-lora";

  /** The decoder's own weights. */
  public static final String FULL = "musicgen";

  static final String ADAPTER = "adapter";
  static final String DECODER = "decoder";
  static final String DECODER_TEXT = "decoder+text";

  private static final List<String> LEARNS = List.of(ADAPTER, DECODER, DECODER_TEXT);
  private static final List<String> PRECISIONS = List.of("auto", "fp32", "bf16");
  private static final long STEPS_MAX = 10_000_000;
  private static final int BATCH_MAX = 1024;

  public TuneRecipe {
    require(steps >= 1 && steps <= STEPS_MAX, "steps", steps, "1 to " + STEPS_MAX);
    require(batch >= 1 && batch <= BATCH_MAX, "batch", batch, "1 to " + BATCH_MAX);
    require(
        accumulate >= 1 && batch % accumulate == 0,
        "accumulate",
        accumulate,
        "a number that divides batch, " + batch);
    require(PRECISIONS.contains(precision), "precision", precision, String.join(", ", PRECISIONS));
    require(threads >= 0 && threads <= 1024, "threads", threads, "0 to 1024");
    require(heldOut >= 0, "heldOut", heldOut, "0 or more");
    require(logEvery >= 1, "logEvery", logEvery, "at least 1");
    require(LEARNS.contains(learns), "learns", learns, String.join(", ", LEARNS));
  }

  /**
   * An adapter's shape.
   *
   * @param rank of the two matrices of each layer
   * @param alpha the scale is alpha / rank
   * @param rankStabilised the scale is alpha / √rank
   * @param targets ends of the layers' names, separated by commas
   */
  public record Adapter(int rank, double alpha, boolean rankStabilised, String targets) {
    public Adapter {
      require(rank >= 1 && rank <= 1024, "adapter.rank", rank, "1 to 1024");
      require(alpha > 0 && alpha <= 1e6, "adapter.alpha", alpha, "more than 0");
      require(!targets.isBlank(), "adapter.targets", targets, "names such as q_proj,v_proj");
    }

    List<String> targetList() {
      return List.of(targets.strip().split("\\s*,\\s*"));
    }
  }

  /**
   * How it is learned.
   *
   * @param frames codec frames of an excerpt
   * @param learningRate at its highest
   * @param warmup steps until it is reached
   * @param weightDecay of AdamW
   * @param clip largest gradient norm
   * @param dropText chance that an excerpt learns without its text, which guidance needs
   * @param emaDecay of the averaged weights that are measured and shipped; 0 ships the last ones
   * @param evaluateEvery steps between two measurements on held-out recordings
   * @param recompute whether layers keep only their inputs and run again in the backward pass: less
   *     memory, a third more time, the same gradient
   * @param schedule how the learning rate goes on after warm-up
   * @param optimiser which one, and its constants
   */
  public record Tune(
      int frames,
      double learningRate,
      int warmup,
      double weightDecay,
      double clip,
      double dropText,
      double emaDecay,
      int evaluateEvery,
      boolean recompute,
      Schedule.Options schedule,
      Optimisation.Options optimiser) {
    public Tune {
      require(frames >= 8 && frames <= 4096, "tune.frames", frames, "8 to 4096");
      require(
          learningRate > 0 && learningRate < 1,
          "tune.learningRate",
          learningRate,
          "more than 0 and less than 1");
      require(warmup >= 0, "tune.warmup", warmup, "0 or more");
      require(weightDecay >= 0 && weightDecay < 1, "tune.weightDecay", weightDecay, "0 to 1");
      require(clip > 0, "tune.clip", clip, "more than 0");
      require(dropText >= 0 && dropText <= 1, "tune.dropText", dropText, "0 to 1");
      require(emaDecay >= 0 && emaDecay < 1, "tune.emaDecay", emaDecay, "0 to less than 1");
      require(evaluateEvery >= 1, "tune.evaluateEvery", evaluateEvery, "at least 1");
    }
  }

  /** The names by which {@code descant train} knows these recipes. */
  public static List<String> names() {
    return List.of(LORA, FULL);
  }

  /**
   * A recipe that ships; its {@code base} must be set.
   *
   * @throws TrainingException when there is none of this name
   */
  public static TuneRecipe named(String name) {
    return switch (name) {
      case LORA -> of(LORA, 500, ADAPTER, 3e-4);
      // A tenth and less of what the published models were trained with keeps what they know.
      case FULL -> of(FULL, 500, DECODER, 1e-5);
      default ->
          throw new TrainingException(
              "there is no recipe %s that tunes a model; there are %s"
                  .formatted(name, String.join(", ", names())));
    };
  }

  private static TuneRecipe of(String name, long steps, String learns, double learningRate) {
    return new TuneRecipe(
        name,
        steps,
        /* seed= */ 1,
        /* batch= */ 2,
        /* accumulate= */ 1,
        /* precision= */ "auto",
        /* threads= */ 0,
        /* heldOut= */ 1,
        /* logEvery= */ 10,
        new Recipe.Checkpoint(/* every= */ 100, /* keep= */ 2),
        Guard.Options.DEFAULT,
        /* base= */ "",
        learns,
        new Adapter(
            /* rank= */ 16, /* alpha= */ 16, /* rankStabilised= */ false, "q_proj,v_proj,out_proj"),
        new Tune(
            /* frames= */ 500,
            learningRate,
            /* warmup= */ 20,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* dropText= */ 0.1,
            /* emaDecay= */ 0,
            /* evaluateEvery= */ 100,
            /* recompute= */ false,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(0.99)));
  }

  /** Whether an adapter learns, not the model's own weights. */
  boolean adapts() {
    return learns.equals(ADAPTER);
  }

  /** The same recipe with what was {@code auto} resolved. */
  TuneRecipe resolved(String precision, int threads) {
    return new TuneRecipe(
        name,
        steps,
        seed,
        batch,
        accumulate,
        precision,
        threads,
        heldOut,
        logEvery,
        checkpoint,
        guard,
        base,
        learns,
        adapter,
        tune);
  }

  /** Constants of the optimizer. */
  Optimisation.Rules rules() {
    return new Optimisation.Rules(
        tune.optimiser,
        new Schedule(tune.schedule, tune.learningRate, tune.warmup, steps),
        tune.weightDecay,
        tune.clip,
        tune.emaDecay,
        guard);
  }
}
