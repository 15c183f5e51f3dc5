package org.descant.models.lm;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.descant.models.ModelException;

/**
 * How a token is drawn from logits: temperature, then the {@code topK} likeliest, then the smallest
 * set that holds {@code topP} of the probability (Holtzman et al. 2020).
 *
 * @param temperature 0 takes the likeliest token; at most 10
 * @param topK 0 keeps all
 * @param topP 1 keeps all
 */
public record Sampling(float temperature, int topK, float topP) {

  /** A start: warm, 250 candidates. */
  public static final Sampling DEFAULT = new Sampling(1f, 250, 1f);

  /** Always the likeliest token. */
  public static final Sampling GREEDY = new Sampling(0f, 0, 1f);

  public Sampling {
    if (!(temperature >= 0 && temperature <= 10)) {
      throw new ModelException("A temperature is from 0 to 10, was " + temperature);
    }
    if (topK < 0) {
      throw new ModelException("topK is 0 (all) or more, was " + topK);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new ModelException("topP is above 0 and at most 1, was " + topP);
    }
  }

  /** Draws from {@code count} logits from {@code offset} on. One random number per call. */
  public int draw(float[] logits, int offset, int count, SplittableRandom random) {
    double dice = random.nextDouble();
    int best = 0;
    for (int v = 1; v < count; v++) {
      if (logits[offset + v] > logits[offset + best]) {
        best = v;
      }
    }
    if (temperature == 0) {
      return best;
    }
    // Sorted upwards; ties at the edge of topK stay in.
    float[] sorted = Arrays.copyOfRange(logits, offset, offset + count);
    Arrays.sort(sorted);
    float edge = topK > 0 && topK < count ? sorted[count - topK] : Float.NEGATIVE_INFINITY;
    float top = logits[offset + best];
    if (topP < 1) {
      double total = 0;
      for (float logit : sorted) {
        total += logit >= edge ? Math.exp((logit - top) / temperature) : 0;
      }
      double held = 0;
      for (int i = count - 1; i >= 0 && sorted[i] >= edge; i--) {
        held += Math.exp((sorted[i] - top) / temperature);
        if (held >= topP * total) {
          edge = sorted[i];
          break;
        }
      }
    }
    double total = 0;
    for (int v = 0; v < count; v++) {
      if (logits[offset + v] >= edge) {
        total += Math.exp((logits[offset + v] - top) / temperature);
      }
    }
    double left = dice * total;
    for (int v = 0; v < count; v++) {
      if (logits[offset + v] >= edge) {
        left -= Math.exp((logits[offset + v] - top) / temperature);
        if (left < 0) {
          return v;
        }
      }
    }
    return best;
  }
}
