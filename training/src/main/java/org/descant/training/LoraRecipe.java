package org.descant.training;

import java.util.List;
import org.descant.training.recipe.Recipe;

/**
 * All settings of a run that adapts a MusicGen-shaped model to a dataset (LoRA, Hu et al. 2021).
 *
 * @param name of the recipe
 * @param steps of the optimizer
 * @param seed of every draw of the run
 * @param batch excerpts in a step
 * @param precision {@code fp32}, {@code bf16}, or {@code auto} for what the machine is fast at
 * @param threads for tensors; 0 takes the machine's cores
 * @param heldOut recordings that are only measured on
 * @param logEvery steps between two lines of metrics
 * @param checkpoint when the run can be resumed from
 * @param base folder of the model to adapt, as the Hub serves it
 * @param adapter what is learned
 * @param learn how
 */
public record LoraRecipe(
    String name,
    long steps,
    long seed,
    int batch,
    String precision,
    int threads,
    int heldOut,
    int logEvery,
    Recipe.Checkpoint checkpoint,
    String base,
    Adapter adapter,
    Learn learn) {
  /** The name by which {@code descant train} knows it. */
  public static final String NAME = "musicgen-lora";

  private static final long STEPS_MAX = 10_000_000;
  private static final int BATCH_MAX = 1024;

  public LoraRecipe {
    require(steps >= 1 && steps <= STEPS_MAX, "steps", steps, "1 to " + STEPS_MAX);
    require(batch >= 1 && batch <= BATCH_MAX, "batch", batch, "1 to " + BATCH_MAX);
    require(
        List.of("auto", "fp32", "bf16").contains(precision),
        "precision",
        precision,
        "auto, fp32, bf16");
    require(threads >= 0 && threads <= 1024, "threads", threads, "0 to 1024");
    require(heldOut >= 0, "heldOut", heldOut, "0 or more");
    require(logEvery >= 1, "logEvery", logEvery, "at least 1");
  }

  /**
   * What is learned.
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
   */
  public record Learn(
      int frames,
      double learningRate,
      int warmup,
      double weightDecay,
      double clip,
      double dropText) {
    public Learn {
      require(frames >= 8 && frames <= 4096, "learn.frames", frames, "8 to 4096");
      require(
          learningRate > 0 && learningRate < 1,
          "learn.learningRate",
          learningRate,
          "more than 0 and less than 1");
      require(warmup >= 0, "learn.warmup", warmup, "0 or more");
      require(weightDecay >= 0 && weightDecay < 1, "learn.weightDecay", weightDecay, "0 to 1");
      require(clip > 0, "learn.clip", clip, "more than 0");
      require(dropText >= 0 && dropText <= 1, "learn.dropText", dropText, "0 to 1");
    }
  }

  /** The recipe that ships: {@code base} must be set. */
  public static LoraRecipe musicGen() {
    return new LoraRecipe(
        NAME,
        /* steps= */ 500,
        /* seed= */ 1,
        /* batch= */ 2,
        /* precision= */ "auto",
        /* threads= */ 0,
        /* heldOut= */ 1,
        /* logEvery= */ 10,
        new Recipe.Checkpoint(/* every= */ 100, /* keep= */ 2),
        /* base= */ "",
        new Adapter(
            /* rank= */ 16, /* alpha= */ 16, /* rankStabilised= */ false, "q_proj,v_proj,out_proj"),
        new Learn(
            /* frames= */ 500,
            /* learningRate= */ 3e-4,
            /* warmup= */ 20,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* dropText= */ 0.1));
  }

  /** The same recipe with what was {@code auto} resolved. */
  LoraRecipe resolved(String precision, int threads) {
    return new LoraRecipe(
        name,
        steps,
        seed,
        batch,
        precision,
        threads,
        heldOut,
        logEvery,
        checkpoint,
        base,
        adapter,
        learn);
  }

  private static void require(boolean holds, String key, Object value, String allowed) {
    if (!holds) {
      throw new TrainingException(
          "the recipe's '%s' is %s; allowed: %s".formatted(key, value, allowed));
    }
  }
}
