package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MatrixPeakTest {
  @Test
  void thePeakIsOfOneOfTheSizesAndTheBetterOfTwoStays() {
    NativeRuntime.init(1);
    MatrixPeak peak = MatrixPeak.measure(Precision.FP32, 0);
    assertThat(peak.size()).isIn(256, 512, 1024, 2048);
    // Slower than this would be a scalar loop; faster than this no processor is.
    assertThat(peak.flops()).isBetween(1e8, 1e15);
    assertThat(peak.or(new MatrixPeak(0, 0))).isEqualTo(peak);
    assertThat(new MatrixPeak(0, 0).or(peak)).isEqualTo(peak);
  }
}
