package org.descant.models.published.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.codec.Codec;
import org.descant.models.codec.ConvolutionalCodec;
import org.descant.models.codec.ConvolutionalCodecConfig;
import org.descant.models.published.Fixtures;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DacCodecTest {
  @TempDir Path folder;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  /** Frames of 16 samples, three codebooks of 32. */
  private Dac even() {
    ConvolutionalCodecConfig config =
        new ConvolutionalCodecConfig(4, List.of(2, 8), 16, 12, 3, 32, 4, 8_000);
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(config, 5)) {
      codec.save(folder);
    }
    try (PublishedWeights weights = PublishedWeights.open(folder)) {
      return Dac.load(weights, weights.config());
    }
  }

  private static int[][] codes(int books, int frames) {
    SplittableRandom random = new SplittableRandom(3);
    int[][] codes = new int[books][];
    for (int k = 0; k < books; k++) {
      codes[k] = random.ints(frames, 0, 32).toArray();
    }
    return codes;
  }

  private static float[] whole(Dac dac, int[][] codes) {
    try (Scope scope = Scope.open()) {
      long[] flat = Arrays.stream(codes).flatMapToInt(Arrays::stream).asLongStream().toArray();
      return dac.decode(Tensor.of(flat, 1, codes.length, codes[0].length)).contiguous().toFloats();
    }
  }

  @Test
  void piecesGiveTheSoundOfTheWhole() {
    try (Dac dac = even()) {
      int[][] codes = codes(3, 100);
      float[] truth = whole(dac, codes);
      double scale = 0;
      for (float value : truth) {
        scale = Math.max(scale, Math.abs(value));
      }
      for (int piece : new int[] {1, 7, 33, 1000}) {
        float[] pieces = new DacCodec(dac, piece).decode(codes)[0];
        assertThat(pieces).hasSize(1600);
        for (int i = 0; i < truth.length; i++) {
          assertThat(Math.abs(pieces[i] - truth[i]))
              .as("sample %d", i)
              .isLessThan((float) (1e-5 * scale));
        }
      }
    }
  }

  /** A frame outside the reach changes nothing, one at its edge is within what is computed. */
  @Test
  void theReachIsEnoughAndNotFarTooMuch() {
    try (Dac dac = even()) {
      int reach = dac.decoderReach();
      int[][] codes = codes(1, 4 * reach);
      float[] before = whole(dac, codes);
      codes[0][2 * reach] ^= 1;
      float[] after = whole(dac, codes);
      int first = -1;
      int last = -1;
      for (int i = 0; i < before.length; i++) {
        // Far away sums may round otherwise: they are made in other blocks.
        if (Math.abs(before[i] - after[i]) > 1e-6) {
          first = first < 0 ? i : first;
          last = i;
        }
      }
      assertThat(first / 16).isBetween(reach, reach + 4);
      assertThat(last / 16).isBetween(3 * reach - 4, 3 * reach);
    }
  }

  @Test
  void aStreamGivesTheSameBitsHoweverItIsCut() {
    try (Dac dac = even()) {
      DacCodec codec = new DacCodec(dac, 16);
      int[][] codes = codes(2, 75);
      float[] truth = codec.decode(codes)[0];
      for (int step : new int[] {1, 10, 75}) {
        float[] heard = new float[truth.length];
        int at = 0;
        int early = 0;
        try (Codec.StreamingDecoder stream = codec.stream()) {
          for (int from = 0; from < 75; from += step) {
            int[][] some = new int[2][];
            for (int k = 0; k < 2; k++) {
              some[k] = Arrays.copyOfRange(codes[k], from, Math.min(75, from + step));
            }
            float[] part = stream.push(some)[0];
            System.arraycopy(part, 0, heard, at, part.length);
            at += part.length;
          }
          early = at;
          float[] rest = stream.finish()[0];
          System.arraycopy(rest, 0, heard, at, rest.length);
          at += rest.length;
        }
        assertThat(at).isEqualTo(truth.length);
        assertThat(early).isPositive();
        assertThat(heard).containsExactly(truth);
      }
    }
  }

  @Test
  void twoChannelsAreMixedAndTheEndIsPadded() {
    try (DacCodec codec = new DacCodec(even())) {
      float[] left = new float[250];
      float[] right = new float[250];
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < 250; i++) {
        left[i] = (float) (random.nextDouble() - 0.5);
        right[i] = (float) (random.nextDouble() - 0.5);
      }
      float[] mono = new float[256];
      for (int i = 0; i < 250; i++) {
        mono[i] = left[i] / 2 + right[i] / 2;
      }
      int[][] codes = codec.encode(new float[][] {left, right});
      assertThat(codes).isDeepEqualTo(codec.encode(mono));
      assertThat(codes[0]).hasSize(16);
      assertThat(codec.decode(codes)[0]).hasSize(256);
      assertThat(codec.frameRate()).isEqualTo(500);
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    for (String fixture : List.of("dac-odd", "dac-normed")) {
      try (PublishedWeights weights = PublishedWeights.open(Fixtures.golden(fixture));
          Dac odd = Dac.load(weights, weights.config())) {
        assertThatThrownBy(() -> new DacCodec(odd))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("odd ratios");
      }
    }
    try (DacCodec codec = new DacCodec(even())) {
      assertThatThrownBy(() -> codec.encode(new float[3][8])).isInstanceOf(ModelException.class);
      assertThatThrownBy(() -> codec.encode(new float[0])).isInstanceOf(ModelException.class);
      assertThatThrownBy(() -> codec.decode(new int[][] {{1, 2}, {3}}))
          .hasMessageContaining("the same length");
      assertThatThrownBy(() -> codec.decode(new int[][] {{32}})).isInstanceOf(ModelException.class);
      try (Codec.StreamingDecoder stream = codec.stream()) {
        stream.push(codes(2, 3));
        assertThatThrownBy(() -> stream.push(codes(1, 3))).hasMessageContaining("number of");
      }
    }
  }
}
