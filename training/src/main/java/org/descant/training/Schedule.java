package org.descant.training;

/**
 * Linear warm-up, then half a cosine down to a twentieth of the peak (Loshchilov and Hutter 2017).
 *
 * @param peak the highest learning rate
 * @param warmup steps until it is reached
 * @param steps of the whole stage
 */
record Schedule(double peak, int warmup, long steps) {
  private static final double END = 0.05;

  /** The learning rate of a step, counted from 1. */
  double at(long step) {
    if (step <= warmup) {
      return peak * step / warmup;
    }
    double done = Math.min(1, (step - warmup) / (double) Math.max(1, steps - warmup));
    return peak * (END + (1 - END) * 0.5 * (1 + StrictMath.cos(Math.PI * done)));
  }
}
