package org.descant.training.loop;

import static org.descant.training.TrainingException.require;

import java.util.List;

/**
 * The learning rate over the steps of a stage: linear warm-up, then one of
 *
 * <ul>
 *   <li>{@code cosine}: half a cosine down to the end (Loshchilov and Hutter 2017);
 *   <li>{@code wsd}: warm-up, stable, decay (Hu et al., "MiniCPM", 2024): at the peak until the
 *       last part, then down by one minus a square root, which did best among the shapes tried by
 *       Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations",
 *       2024. A run that is to go on longer can go on from the stable part.
 * </ul>
 *
 * @param options shape
 * @param peak the highest learning rate
 * @param warmup steps until it is reached
 * @param steps of the whole stage
 */
public record Schedule(Options options, double peak, int warmup, long steps) {
  private static final String COSINE = "cosine";
  private static final String WSD = "wsd";

  /** The shapes that a recipe may name. */
  private static final List<String> NAMES = List.of(COSINE, WSD);

  /**
   * What a recipe says of the shape.
   *
   * @param name {@code cosine} or {@code wsd}
   * @param decay share of the steps after warm-up in which {@code wsd} goes down
   * @param end share of the peak at the last step
   */
  public record Options(String name, double decay, double end) {
    /** Half a cosine to a twentieth. */
    public static final Options DEFAULT = new Options(COSINE, 0.2, 0.05);

    public Options {
      require(NAMES.contains(name), "schedule.name", name, String.join(", ", NAMES));
      require(decay > 0 && decay <= 1, "schedule.decay", decay, "more than 0, up to 1");
      require(end >= 0 && end <= 1, "schedule.end", end, "0 to 1");
    }
  }

  /** The learning rate of a step, counted from 1. */
  public double at(long step) {
    if (step <= warmup) {
      return peak * step / warmup;
    }
    double done = Math.min(1, (step - warmup) / (double) Math.max(1, steps - warmup));
    double end = options.end;
    if (options.name.equals(WSD)) {
      double down = (done - (1 - options.decay)) / options.decay;
      return down <= 0 ? peak : peak * (end + (1 - end) * (1 - Math.sqrt(down)));
    }
    return peak * (end + (1 - end) * 0.5 * (1 + StrictMath.cos(Math.PI * done)));
  }
}
