package org.descant.models.lm;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.tensor.SelfAttention;
import org.descant.tensor.Tensor;

/** Rotary positions: pairs (i, i + half) turn by position · base^(−i/half). */
public record Rotary(Tensor cosine, Tensor sine) {
  private static final double ROTARY_BASE = 10_000;

  /** Angles of {@code steps} positions from {@code from} on, each [steps, headSize / 2]. */
  public static Rotary at(long from, int steps, int headSize) {
    long[] positions = new long[steps];
    Arrays.setAll(positions, s -> from + s);
    return at(positions, headSize);
  }

  private static Rotary at(long[] positions, int headSize) {
    int steps = positions.length;
    int half = headSize / 2;
    float[] cos = new float[steps * half];
    float[] sin = new float[steps * half];
    for (int s = 0; s < steps; s++) {
      for (int i = 0; i < half; i++) {
        double angle = positions[s] * StrictMath.pow(ROTARY_BASE, -(double) i / half);
        cos[s * half + i] = (float) StrictMath.cos(angle);
        sin[s * half + i] = (float) StrictMath.sin(angle);
      }
    }
    return new Rotary(Tensor.of(cos, steps, half), Tensor.of(sin, steps, half));
  }

  /** Angles of each row's own positions [row][step]; each [rows, 1, steps, headSize / 2]. */
  static Rotary at(int[][] positions, int headSize) {
    List<Tensor> cosines = new ArrayList<>();
    List<Tensor> sines = new ArrayList<>();
    for (int[] row : positions) {
      Rotary angles = at(Arrays.stream(row).asLongStream().toArray(), headSize);
      cosines.add(angles.cosine.unsqueeze(0));
      sines.add(angles.sine.unsqueeze(0));
    }
    return new Rotary(Tensor.stack(cosines, 0), Tensor.stack(sines, 0));
  }

  /** The same for {@link SelfAttention}. */
  SelfAttention.Rotation rotation() {
    return cosine.dim() == 2
        ? new SelfAttention.Rotation(cosine, sine)
        : new SelfAttention.Rotation(cosine.squeeze(1), sine.squeeze(1));
  }

  /** Queries or keys [batch, heads, steps, headSize], turned. */
  public Tensor turn(Tensor xBHSD) {
    List<Tensor> halves = xBHSD.chunk(2, 3);
    Tensor a = halves.get(0);
    Tensor b = halves.get(1);
    return Tensor.cat(List.of(a.mul(cosine).sub(b.mul(sine)), b.mul(cosine).add(a.mul(sine))), 3);
  }
}
