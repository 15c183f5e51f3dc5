package org.descant.models.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.AdamW;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConvolutionalCodecTest {
  private static final ConvolutionalCodecConfig SMALL =
      new ConvolutionalCodecConfig(6, List.of(2, 4, 4), 40, 24, 3, 64, 5, 16_000);

  @TempDir Path folder;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  /** Notes of a few partials; every seed has others. */
  private static float[] sound(int rows, int samples, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] out = new float[rows * samples];
    for (int row = 0; row < rows; row++) {
      double hz = 100 + 500 * random.nextDouble();
      for (int i = 0; i < samples; i++) {
        double t = 2 * Math.PI * hz * i / SMALL.sampleRate();
        out[row * samples + i] =
            (float)
                (0.3 * Math.sin(t)
                    + 0.15 * Math.sin(3 * t + 1)
                    + 0.02 * (random.nextDouble() - 0.5));
      }
    }
    return out;
  }

  private static double[] train(ConvolutionalCodec codec, int steps) {
    double[] totals = new double[steps];
    try (WaveformLoss loss = new WaveformLoss(SMALL.sampleRate());
        AdamW optimizer = new AdamW(codec.parameters(), new AdamW.Options(0.8, 0.99, 1e-8, 0.01))) {
      for (int step = 0; step < steps; step++) {
        try (Scope scope = Scope.open()) {
          codec.parameters().zeroGradients();
          Tensor audio = Tensor.of(sound(4, 2048, step % 4), 4, 1, 2048);
          ConvolutionalCodec.Terms terms = codec.train(audio, loss, step);
          terms.total().backward();
          codec.parameters().clipGradNorm(1000);
          optimizer.step(2e-3);
          totals[step] = terms.total().item();
        }
      }
    }
    return totals;
  }

  @Test
  void afterTwoStepsTheSavedFolderIsAPublishedModelWithTheSameCodesAndSound() {
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(SMALL, 7);
        Scope scope = Scope.open()) {
      train(codec, 2);
      codec.save(folder);
      try (PublishedWeights weights = PublishedWeights.open(folder);
          Dac dac = Dac.load(weights, weights.config())) {
        assertThat(dac.samplesPerFrame()).isEqualTo(32);
        assertThat(dac.sampleRate()).isEqualTo(16_000);
        Tensor audio = Tensor.of(sound(2, 4000, 99), 2, 1, 4000);
        for (int codebooks = 1; codebooks <= 3; codebooks++) {
          ConvolutionalCodec.Coded ours = codec.code(audio, codebooks);
          Dac.Encoded theirs = dac.encode(audio, codebooks);
          assertThat(ours.codes().shape()).containsExactly(2, codebooks, 125);
          assertThat(ours.codes().toLongs()).containsExactly(theirs.codes().toLongs());
          float[] a = ours.waveform().contiguous().toFloats();
          float[] b = dac.decode(theirs.codes()).contiguous().toFloats();
          assertThat(relative(a, b)).isLessThan(1e-4);
        }
        // Codes that never change would agree on nothing.
        assertThat(used(codec, audio)).isGreaterThan(3);
      }
    }
  }

  /** Entries of the first codebook that code a sound. */
  private static long used(ConvolutionalCodec codec, Tensor audio) {
    try (Scope scope = Scope.open()) {
      long[] codes = codec.code(audio, 1).codes().contiguous().toLongs();
      return Arrays.stream(codes).distinct().count();
    }
  }

  @Test
  void entriesThatNobodyChoosesArePutOnVectorsOfTheBatch() {
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(SMALL, 2);
        WaveformLoss loss = new WaveformLoss(SMALL.sampleRate());
        Scope scope = Scope.open()) {
      Tensor audio = Tensor.of(sound(4, 2048, 5), 4, 1, 2048);
      long before = used(codec, audio);
      codec.train(audio, loss, 1);
      assertThat(used(codec, audio)).isGreaterThan(2 * before);
    }
  }

  private static double relative(float[] a, float[] b) {
    assertThat(a).hasSameSizeAs(b);
    double largest = 0;
    double scale = 0;
    for (int i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(a[i] - b[i]));
      scale = Math.max(scale, Math.abs(b[i]));
    }
    return largest / scale;
  }

  @Test
  void itLearnsAndTheSameSeedsGiveTheSameBits() {
    double[] first = new double[0];
    for (int run = 0; run < 2; run++) {
      try (ConvolutionalCodec codec = ConvolutionalCodec.create(SMALL, 3)) {
        double[] totals = train(codec, 32);
        assertThat(mean(totals, 28)).isLessThan(0.85 * mean(totals, 0));
        if (run == 0) {
          first = totals;
        } else {
          assertThat(totals).containsExactly(first);
        }
      }
    }
  }

  private static double mean(double[] values, int from) {
    return (values[from] + values[from + 1] + values[from + 2] + values[from + 3]) / 4;
  }

  @Test
  void everyParameterIsReachedByGradients() {
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(SMALL, 4);
        WaveformLoss loss = new WaveformLoss(SMALL.sampleRate());
        Scope scope = Scope.open()) {
      Tensor audio = Tensor.of(sound(4, 2048, 1), 4, 1, 2048);
      codec.train(audio, loss, 1).total().backward();
      codec.parameters().parameters().stream()
          .filter(parameter -> !parameter.isState())
          .forEach(parameter ->
              assertThat(parameter.tensor().grad().abs().amax().item())
                  .as(parameter.name())
                  .isPositive()
                  .isFinite());
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    assertThatThrownBy(
            () -> new ConvolutionalCodecConfig(6, List.of(2, 5), 40, 24, 3, 64, 5, 16_000))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("ratios cannot be [2, 5]");
    assertThatThrownBy(
            () -> new ConvolutionalCodecConfig(6, List.of(2, 4), 40, 24, 3, 60, 5, 16_000))
        .hasMessageContaining("codebookSize cannot be 60; it is a power of two");
    assertThatThrownBy(
            () -> new ConvolutionalCodecConfig(6, List.of(2, 4), 3, 24, 3, 64, 5, 16_000))
        .hasMessageContaining("decoderWidth");
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(SMALL, 1);
        WaveformLoss loss = new WaveformLoss(SMALL.sampleRate());
        Scope scope = Scope.open()) {
      assertThatThrownBy(() -> codec.code(Tensor.zeros(1, 1, 33), 1))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("multiple of 32 samples");
      assertThatThrownBy(() -> codec.code(Tensor.zeros(1, 1, 64), 4))
          .hasMessageContaining("1 to 3 codebooks");
      assertThatThrownBy(() -> codec.train(Tensor.zeros(1, 1, 64), loss, 1))
          .hasMessageContaining("1025 samples or more");
    }
  }

  @Test
  void thePeerHasTheHouseCodecsSizeAndRate() {
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(ConvolutionalCodecConfig.PEER, 1);
        MagnitudeCodec house = MagnitudeCodec.create(CodecConfig.DEMO, 1)) {
      double ratio = (double) codec.parameters().count() / house.parameters().count();
      assertThat(ratio).isBetween(0.9, 1.1);
      assertThat(codec.config().samplesPerFrame()).isEqualTo(house.samplesPerFrame());
      assertThat(codec.config().codebooks()).isEqualTo(house.codebooks());
      assertThat(codec.config().codebookSize()).isEqualTo(house.codebookSize());
      assertThat(codec.config().sampleRate()).isEqualTo(house.sampleRate());
    }
  }
}
