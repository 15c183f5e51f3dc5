package org.descant.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Precision;
import org.junit.jupiter.api.Test;

class DecoderShapeTest {
  private static final DecoderShape TINY = new DecoderShape("tiny", 8, 2, 2, 16, 2, 6);

  @Test
  void theSmallOneIsTheDecoderOfTheFigures() {
    assertThat(DecoderShape.SMALL.parameters()).isEqualTo(5_263_360);
    assertThat(DecoderShape.SMALL.nominalFlops())
        .isEqualTo(6.0 * 5_263_360 * 4096 + 12.0 * 6 * 256 * 512 * 4096);
    assertThat(DecoderShape.LARGE.parameters()).isBetween(25_000_000L, 27_000_000L);
    assertThat(DecoderShape.named("25M")).isEqualTo(DecoderShape.LARGE);
    assertThatThrownBy(() -> DecoderShape.named("7M")).hasMessageContaining("5M, 25M");
    assertThatThrownBy(() -> new DecoderShape("odd", 10, 1, 3, 4, 1, 1))
        .hasMessageContaining("impossible decoder");
  }

  @Test
  void executedArithmeticIsTheSumOverTheProductsThatRun() {
    // Chunks of 4 rows of 6: rows 0–3 see 4 keys, rows 4–5 see 6.
    double scores = 4 * 4 + 2 * 6;
    double attention = 2 * 3 * 2.0 * scores * 8 * 2; // two products, three passes, per layer, batch
    double linear = 2 * 3 * 12.0 * (3 * 64 + 64 + 8 * 64);
    double head = 2 * 3 * 12.0 * 16 * 8;
    assertThat(TINY.executedFlops(4)).isEqualTo(2 * (linear + attention) + head);
    assertThat(TINY.executedFlops(6)).isGreaterThan(TINY.executedFlops(1));
    // Without chunks only the embedding, the biases and the norms are not products.
    double unmasked = TINY.nominalFlops() - 6.0 * 12 * (16 * 8 + 2 * 13 * 8 + 2 * 8);
    assertThat(TINY.executedFlops(6)).isEqualTo(unmasked);
  }

  @Test
  void theModelHasThatManyParametersAndLearnsItsBatch() {
    NativeRuntime.init(1);
    for (Precision precision : Precision.values()) {
      try (ReferenceDecoder decoder = new ReferenceDecoder(TINY)) {
        assertThat(decoder.parameters()).isEqualTo(TINY.parameters());
        double first = decoder.step(precision);
        assertThat(first).isBetween(2.7, 2.9); // ln 16 = 2.77
        double last = first;
        for (int step = 0; step < 30; step++) {
          last = decoder.step(precision);
        }
        assertThat(last).isLessThan(first - 0.001);
      }
    }
  }
}
