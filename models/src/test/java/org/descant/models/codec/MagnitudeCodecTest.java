package org.descant.models.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.descant.models.ModelException;
import org.descant.models.phase.Signals;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MagnitudeCodecTest {
  private static final CodecConfig SMALL = new CodecConfig(48, 1, 2, 2, 16, 4, 64, 12, 4);
  private static final float[][] SOUND = stereo();
  private static MagnitudeCodec trained;
  private static double firstLoss;
  private static double lastLoss;

  private static float[][] stereo() {
    float[] mid = Signals.chordAndChirp(6);
    float[] left = new float[mid.length];
    float[] right = new float[mid.length];
    for (int i = 0; i < mid.length; i++) {
      left[i] = 0.8f * mid[i];
      right[i] = 0.4f * mid[Math.max(0, i - 200)];
    }
    return new float[][] {left, right};
  }

  @BeforeAll
  static void train() {
    trained = MagnitudeCodec.create(SMALL, 1);
    double[] losses = trainSteps(trained, 120, true);
    firstLoss = losses[0];
    lastLoss = losses[losses.length - 1];
  }

  @AfterAll
  static void close() {
    trained.close();
  }

  private static double[] trainSteps(MagnitudeCodec codec, int steps, boolean start) {
    float[] rows = codec.features(SOUND);
    int size = codec.featureSize();
    int frames = 32;
    double[] losses = new double[steps];
    try (AdamW optimiser = new AdamW(codec.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01));
        CodecLoss loss = new CodecLoss()) {
      for (int step = 0; step < steps; step++) {
        try (Scope scope = Scope.open()) {
          float[] batch = new float[6 * frames * size];
          for (int b = 0; b < 6; b++) {
            int from = (b * 37 + step * 11) % (rows.length / size - frames);
            System.arraycopy(rows, from * size, batch, b * frames * size, frames * size);
          }
          Tensor features = Tensor.of(batch, 6, frames, size);
          if (step == 0 && start) {
            codec.startAt(features);
          }
          codec.parameters().zeroGradients();
          CodecLoss.Terms terms = codec.train(features, loss, step);
          terms.total().backward();
          codec.parameters().clipGradNorm(1);
          optimiser.step(2e-3);
          losses[step] = terms.total().item();
        }
      }
    }
    return losses;
  }

  @Test
  void trainingLowersTheLoss() {
    try (MagnitudeCodec fresh = MagnitudeCodec.create(SMALL, 2)) {
      double[] losses = trainSteps(fresh, 60, false);
      System.out.printf("codec loss %.3f -> %.3f without a start%n", losses[0], losses[59]);
      assertThat(losses[59]).isLessThan(0.4 * losses[0]);
    }
  }

  @Test
  void theLinearStartIsAlreadyACodec() {
    System.out.printf("codec loss %.3f -> %.3f from the linear start%n", firstLoss, lastLoss);
    assertThat(firstLoss).isLessThan(0.3);
    assertThat(lastLoss).isLessThan(0.3);
  }

  @Test
  void moreCodebooksLeaveLessError() {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        CodecLoss loss = new CodecLoss()) {
      float[] rows = trained.features(SOUND);
      Tensor features =
          Tensor.of(rows, 1, rows.length / trained.featureSize(), trained.featureSize());
      double before = Double.MAX_VALUE;
      for (int use = 1; use <= SMALL.codebooks(); use++) {
        double distance = trained.evaluate(features, loss, use).commitment().item();
        assertThat(distance).as("%d codebooks", use).isLessThan(before);
        before = distance;
      }
    }
  }

  @Test
  void sameSeedGivesSameCodebooks() {
    try (MagnitudeCodec a = MagnitudeCodec.create(SMALL, 7);
        MagnitudeCodec b = MagnitudeCodec.create(SMALL, 7)) {
      assertThat(trainSteps(a, 5, true)).isEqualTo(trainSteps(b, 5, true));
      try (Scope scope = Scope.open()) {
        assertThat(a.parameters().state().toFloats()).isEqualTo(b.parameters().state().toFloats());
      }
      assertThat(a.encode(SOUND)).isDeepEqualTo(b.encode(SOUND));
    }
  }

  @Test
  void streamedDecodingIsTheWholeBitForBit() {
    int[][] all = trained.encode(SOUND);
    for (int frames : new int[] {1, 2, 3, 14, 15, 16, 17, 63, 130, all[0].length}) {
      int[][] codes = slice(all, 0, frames);
      float[][] whole = trained.decode(codes);
      float[][] streamed = new float[2][frames * 1024];
      int at = 0;
      try (Codec.StreamingDecoder stream = trained.stream()) {
        for (int from = 0; from < frames; ) {
          int to = Math.min(frames, from + 1 + from % 29);
          at = copy(stream.push(slice(codes, from, from)), streamed, at);
          at = copy(stream.push(slice(codes, from, to)), streamed, at);
          from = to;
        }
        at = copy(stream.finish(), streamed, at);
      }
      assertThat(at).isEqualTo(frames * 1024);
      for (int c = 0; c < 2; c++) {
        assertThat(streamed[c]).as("%d frames", frames).isEqualTo(whole[c]);
      }
    }
  }

  @Test
  void unitsRenderWhatTheNetworkRendersAtOnce() {
    int[][] all = trained.encode(SOUND);
    int size = trained.featureSize();
    for (int frames : new int[] {1, 14, 16, 40, 100}) {
      int[][] codes = slice(all, 0, frames);
      float[] whole = trained.rows(codes);
      CodecStream.Renderer renderer = trained.renderer();
      float[] units = new float[0];
      for (int from = 0; units.length < frames * size; from += 16) {
        int to = Math.min(frames, from + 16);
        float[] rows = renderer.render(slice(codes, Math.min(from, to), to), 16);
        units = Arrays.copyOf(units, units.length + rows.length);
        System.arraycopy(rows, 0, units, units.length - rows.length, rows.length);
      }
      for (int i = 0; i < frames * size; i++) {
        assertThat(units[i]).as("%d frames, %d", frames, i).isCloseTo(whole[i], within(1e-4f));
      }
    }
  }

  @Test
  void codesOfLatentsAreThoseOfTheSound() {
    assertThat(trained.quantise(trained.encodeLatents(SOUND))).isDeepEqualTo(trained.encode(SOUND));
    assertThatThrownBy(() -> trained.quantise(new float[3])).hasMessageContaining("got 3");
  }

  @Test
  void packedDecodingIsNearlyTheSame() {
    int[][] codes = slice(trained.encode(SOUND), 0, 60);
    int size = trained.featureSize();
    float[] plain = trained.rows(codes);
    MagnitudeCodec copy = MagnitudeCodec.frozen(SMALL);
    try (copy) {
      try (Scope scope = Scope.open();
          NoGrad noGrad = NoGrad.open()) {
        copy.parameters().values().copyFrom(trained.parameters().values());
        copy.parameters().state().copyFrom(trained.parameters().state());
      }
      copy.pack();
      float[] packed = copy.rows(codes);
      double sum = 0;
      for (int i = 0; i < 60 * size; i++) {
        sum += Math.abs(packed[i] - plain[i]);
      }
      // A row's unit is 25 dB.
      assertThat(sum / (60 * size)).isPositive().isLessThan(0.04);
    }
  }

  @Test
  void fewerCodebooksDecodeToo() {
    int[][] codes = trained.encode(SOUND);
    for (int books = 1; books <= SMALL.codebooks(); books++) {
      float[][] sound = trained.decode(Arrays.copyOf(codes, books));
      assertThat(sound[0]).hasSize(codes[0].length * 1024);
      assertThat(level(sound[0])).isCloseTo(level(SOUND[0]), within(8.0));
    }
  }

  @Test
  void decodedSoundHasTheLevelAndTheSideOfTheOriginal() {
    float[][] decoded = trained.decode(trained.encode(SOUND));
    double left = level(decoded[0]);
    double right = level(decoded[1]);
    System.out.printf(
        "levels: left %.2f dB of %.2f, right %.2f dB of %.2f%n",
        left, level(SOUND[0]), right, level(SOUND[1]));
    assertThat(left).isCloseTo(level(SOUND[0]), within(6.0));
    assertThat(left - right).isGreaterThan(2);
  }

  @Test
  void encodingDoesNotDependOnWhatFollows() {
    int[][] whole = trained.encode(SOUND);
    float[][] head = {Arrays.copyOf(SOUND[0], 100 * 1024), Arrays.copyOf(SOUND[1], 100 * 1024)};
    int[][] part = trained.encode(head);
    for (int k = 0; k < part.length; k++) {
      assertThat(Arrays.copyOf(part[k], 90)).isEqualTo(Arrays.copyOf(whole[k], 90));
    }
  }

  @Test
  void wrongInputIsRefusedInOneSentence() {
    assertThatThrownBy(() -> trained.encode(new float[3][100]))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("1 or 2 channels, got 3");
    assertThatThrownBy(() -> trained.decode(new int[][] {{0, 64}}))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("0 to 63, got 64");
    assertThatThrownBy(() -> new CodecConfig(0, 1, 1, 1, 4, 1, 4, 0, 0))
        .hasMessageContaining("width");
  }

  private static double level(float[] signal) {
    double sum = 1e-12;
    for (float x : signal) {
      sum += x * x;
    }
    return 10 * Math.log10(sum / signal.length);
  }

  private static int[][] slice(int[][] codes, int from, int to) {
    int[][] part = new int[codes.length][];
    for (int k = 0; k < codes.length; k++) {
      part[k] = Arrays.copyOfRange(codes[k], from, to);
    }
    return part;
  }

  private static int copy(float[][] part, float[][] into, int at) {
    for (int c = 0; c < into.length; c++) {
      System.arraycopy(part[c], 0, into[c], at, part[c].length);
    }
    return at + part[0].length;
  }
}
