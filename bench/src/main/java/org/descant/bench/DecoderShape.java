package org.descant.bench;

/**
 * Shape of a {@link ReferenceDecoder} and of the batch it learns from, with the arithmetic that a
 * step of it means. Only matrix products count; a multiply-add is two operations.
 *
 * @param name to print
 * @param width model width d
 * @param layers transformer layers L
 * @param heads attention heads
 * @param vocabulary tokens
 * @param batch sequences a step
 * @param time tokens in a sequence T
 */
public record DecoderShape(
    String name, int width, int layers, int heads, int vocabulary, int batch, int time) {

  /** 5.26 million parameters. */
  public static final DecoderShape SMALL = new DecoderShape("5M", 256, 6, 4, 1024, 8, 512);

  /** 26 million parameters, of which 25 in the layers. */
  public static final DecoderShape LARGE = new DecoderShape("25M", 512, 8, 8, 1024, 4, 512);

  public DecoderShape {
    if (heads < 1 || width % heads != 0 || layers < 1 || vocabulary < 2 || batch < 1 || time < 1) {
      throw new IllegalArgumentException(
          "impossible decoder: width %d, layers %d, heads %d, vocabulary %d, batch %d × %d"
              .formatted(width, layers, heads, vocabulary, batch, time));
    }
  }

  /** One of the two by its name. */
  public static DecoderShape named(String name) {
    return switch (name) {
      case "5M" -> SMALL;
      case "25M" -> LARGE;
      default -> throw new IllegalArgumentException("no shape '" + name + "'; there are 5M, 25M");
    };
  }

  /** Tokens in a step. */
  public long tokens() {
    return (long) batch * time;
  }

  /** All numbers that training changes: embedding, layers with biases and norms, head. */
  public long parameters() {
    long d = width;
    long layer = 12 * d * d + 13 * d;
    return 2 * vocabulary * d + layers * layer + 2 * d;
  }

  /**
   * What a step is usually said to cost: 6 · parameters · tokens for forward and backward, and
   * attention as if no half of it were masked, 12 · L · d · T · tokens.
   */
  public double nominalFlops() {
    return 6.0 * parameters() * tokens() + 12.0 * layers * width * time * tokens();
  }

  /**
   * What the products of a step cost as they are run: no product for the embedding, and queries in
   * chunks that see only the keys up to their own end.
   *
   * @param chunk query rows at a time
   */
  public double executedFlops(int chunk) {
    double d = width;
    double linear = 12 * d * d * layers + vocabulary * d;
    double scores = 0;
    for (int from = 0; from < time; from += chunk) {
      int to = Math.min(time, from + chunk);
      scores += (double) (to - from) * to;
    }
    return 6 * linear * tokens() + 12.0 * layers * width * scores * batch;
  }
}
