package org.descant.models.lm;

import java.util.List;
import org.descant.tensor.Tensor;

/** Rotary positions: pairs (i, i + half) turn by position · base^(−i/half). */
public record Rotary(Tensor cosine, Tensor sine) {
  private static final double ROTARY_BASE = 10_000;

  /** Angles of {@code steps} positions from {@code from} on, each [steps, headSize / 2]. */
  public static Rotary at(long from, int steps, int headSize) {
    int half = headSize / 2;
    float[] cos = new float[steps * half];
    float[] sin = new float[steps * half];
    for (int s = 0; s < steps; s++) {
      for (int i = 0; i < half; i++) {
        double angle = (from + s) * StrictMath.pow(ROTARY_BASE, -(double) i / half);
        cos[s * half + i] = (float) StrictMath.cos(angle);
        sin[s * half + i] = (float) StrictMath.sin(angle);
      }
    }
    return new Rotary(Tensor.of(cos, steps, half), Tensor.of(sin, steps, half));
  }

  /** Queries or keys [batch, heads, steps, headSize], turned. */
  public Tensor turn(Tensor xBHSD) {
    List<Tensor> halves = xBHSD.chunk(2, 3);
    Tensor a = halves.get(0);
    Tensor b = halves.get(1);
    return Tensor.cat(List.of(a.mul(cosine).sub(b.mul(sine)), b.mul(cosine).add(a.mul(sine))), 3);
  }
}
