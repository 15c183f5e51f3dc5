package org.descant.models.published;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.codec.EnCodec;
import org.descant.models.published.text.T5Encoder;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What must hold of the loaded models beyond the golden numbers. */
class PublishedModelsTest {
  private Scope scope;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @BeforeEach
  void open() {
    scope = Scope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static EnCodec enCodec(String fixture) {
    try (PublishedWeights weights = PublishedWeights.open(Fixtures.golden(fixture))) {
      return EnCodec.load(weights, weights.config());
    }
  }

  private static Dac dac(String fixture) {
    try (PublishedWeights weights = PublishedWeights.open(Fixtures.golden(fixture))) {
      return Dac.load(weights, weights.config());
    }
  }

  private static T5Encoder t5(String fixture) {
    try (PublishedWeights weights = PublishedWeights.open(Fixtures.golden(fixture))) {
      return T5Encoder.load(weights, weights.config());
    }
  }

  private static Tensor golden(String fixture, String name) {
    Path file = Fixtures.golden(fixture).resolve("parity.safetensors");
    try (Safetensors tensors = Safetensors.open(file)) {
      return tensors.tensor(name);
    }
  }

  private static Tensor noise(long seed, long... shape) {
    long count = 1;
    for (long length : shape) {
      count *= length;
    }
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.2 * random.nextGaussian());
    }
    return Tensor.of(values, shape);
  }

  @Test
  void enCodecCountsAsItsConfigurationSays() {
    try (EnCodec codec = enCodec("encodec-chunks")) {
      assertThat(codec.sampleRate()).isEqualTo(48000);
      assertThat(codec.channels()).isEqualTo(2);
      assertThat(codec.samplesPerFrame()).isEqualTo(40);
      assertThat(codec.frameRate()).isEqualTo(1200);
      assertThat(codec.codebooks()).isEqualTo(5);
      assertThat(codec.codebookSize()).isEqualTo(16);
      assertThat(codec.bandwidths()).containsExactly(4.8, 24.0);
    }
  }

  @Test
  void aChunkThatRunsOutBeforeTheLastHearsSilence() {
    try (EnCodec codec = enCodec("encodec-chunks")) {
      // The second chunk starts at 912 and would need 1872 samples; the third starts at 1824.
      Tensor audio = noise(1, 1, 2, 1830);
      EnCodec.Encoded encoded = codec.encode(audio, 24.0);
      EnCodec.Encoded followed = codec.encode(audio.pad(0, 42, 0.0), 24.0);
      assertThat(encoded.codes().shape()).containsExactly(3, 1, 5, 24);
      assertThat(encoded.codes().narrow(0, 0, 2).toLongs())
          .containsExactly(followed.codes().narrow(0, 0, 2).toLongs());
      assertThat(codec.decode(encoded.codes(), encoded.scales()).allFinite()).isTrue();
    }
  }

  @Test
  void leavingOutThePaddingShortensTheLastChunk() {
    try (EnCodec codec = enCodec("encodec-chunks")) {
      EnCodec.Encoded encoded = codec.encode(golden("encodec-chunks", "in.audio"), 24.0);
      assertThat(encoded.lastChunkPadding()).isEqualTo(7);
      Tensor all = codec.decode(encoded.codes(), encoded.scales());
      Tensor cut = codec.decode(encoded.codes(), encoded.scales(), 7);
      assertThat(all.size(2)).isEqualTo(2 * 912 + 24 * 40);
      assertThat(cut.size(2)).isEqualTo(2 * 912 + 17 * 40);
    }
  }

  @Test
  void dacCountsTheFramesThatCome() {
    try (Dac codec = dac("dac-odd")) {
      for (int samples = 1; samples < 70; samples++) {
        long frames = codec.frames(samples);
        if (frames == 0) {
          int few = samples;
          refused(() -> codec.encode(noise(2, 1, 1, few), 1), "one frame");
        } else {
          assertThat(codec.encode(noise(2, 1, 1, samples), 1).codes().shape())
              .containsExactly(1, 1, frames);
        }
      }
    }
  }

  @Test
  void fewerBitsAreTheLeadingCodebooks() {
    try (EnCodec codec = enCodec("encodec-both-sides")) {
      Tensor audio = golden("encodec-both-sides", "in.audio");
      Tensor few = codec.encode(audio, 3.3).codes();
      Tensor all = codec.encode(audio, 6.5).codes();
      assertThat(all.narrow(2, 0, 1).toLongs()).containsExactly(few.toLongs());
    }
    try (Dac codec = dac("dac-normed")) {
      Tensor audio = golden("dac-normed", "in.audio");
      Tensor few = codec.encode(audio, 2).codes();
      Tensor all = codec.encode(audio, 4).codes();
      assertThat(all.narrow(1, 0, 2).toLongs()).containsExactly(few.toLongs());
    }
  }

  @Test
  void rowsOfABatchDoNotKnowEachOther() {
    try (EnCodec codec = enCodec("encodec-both-sides");
        Dac dac = dac("dac-odd");
        T5Encoder text = t5("t5-gated")) {
      Tensor audio = golden("encodec-both-sides", "in.audio");
      assertThat(codec.encode(audio.narrow(0, 1, 1), 6.5).codes().toLongs())
          .containsExactly(codec.encode(audio, 6.5).codes().narrow(1, 1, 1).toLongs());
      Tensor mono = golden("dac-odd", "in.audio");
      assertThat(dac.encode(mono.narrow(0, 1, 1), 3).codes().toLongs())
          .containsExactly(dac.encode(mono, 3).codes().narrow(0, 1, 1).toLongs());
      Tensor ids = golden("t5-gated", "in.input_ids");
      Tensor mask = golden("t5-gated", "in.attention_mask");
      Tensor alone = text.encode(ids.narrow(0, 2, 1), mask.narrow(0, 2, 1));
      Tensor together = text.encode(ids, mask).narrow(0, 2, 1);
      assertThat(alone.sub(together).abs().amax().item()).isLessThan(1e-5);
    }
  }

  @Test
  void whatIsMaskedIsNotHeard() {
    try (T5Encoder text = t5("t5-plain")) {
      Tensor ids = Tensor.of(new long[] {5, 9, 20, 31}, 1, 4);
      Tensor other = Tensor.of(new long[] {5, 9, 77, 2}, 1, 4);
      Tensor mask = Tensor.of(new long[] {1, 1, 0, 0}, 1, 4);
      float[] first = text.encode(ids, mask).narrow(1, 0, 2).toFloats();
      assertThat(text.encode(other, mask).narrow(1, 0, 2).toFloats()).containsExactly(first);
      assertThat(text.encode(other, null).narrow(1, 0, 2).toFloats()).isNotEqualTo(first);
      float[] plain = text.encode(ids, null).toFloats();
      assertThat(text.encode(ids, Tensor.of(new long[] {1, 1, 1, 1}, 1, 4)).toFloats())
          .containsExactly(plain);
    }
  }

  @Test
  void callsFitTheModelOrAreRefused() {
    try (EnCodec codec = enCodec("encodec-chunks");
        Dac dac = dac("dac-odd");
        T5Encoder text = t5("t5-plain")) {
      refused(() -> codec.encode(noise(1, 1, 1, 960), 4.8), "[batch, 2,");
      refused(() -> codec.encode(noise(1, 1, 2, 960), 4.9), "no bandwidth of 4.9");
      refused(() -> codec.decode(Tensor.of(new long[] {16}, 1, 1, 1, 1), null), "Code 16");
      refused(() -> codec.decode(Tensor.of(new long[] {-1}, 1, 1, 1, 1), null), "Code -1");
      refused(() -> codec.decode(Tensor.of(new long[6], 1, 1, 6, 1), null), "1 to 5 codebooks");
      refused(
          () -> codec.decode(Tensor.of(new long[1], 1, 1, 1, 1), Tensor.ones(2)), "one for each");
      refused(() -> codec.decode(Tensor.of(new long[1], 1, 1, 1, 1), null, 1), "leave nothing");
      refused(() -> dac.encode(noise(1, 1, 1, 8), 1), "one frame (15)");
      refused(() -> dac.encode(noise(1, 1, 1, 30), 4), "1 to 3 codebooks");
      refused(() -> dac.decode(Tensor.of(new long[] {16}, 1, 1, 1)), "Code 16");
      refused(() -> dac.decodeLatent(Tensor.zeros(1, 13, 2)), "[batch, 14,");
      refused(() -> text.encode(Tensor.of(new long[] {90}, 1, 1), null), "Token id 90");
      refused(() -> text.encode(Tensor.ones(1, 2), null), "I64");
      refused(
          () -> text.encode(Tensor.of(new long[2], 1, 2), Tensor.of(new long[3], 1, 3)), "mask");
    }
  }

  private static void refused(Runnable call, String why) {
    assertThatThrownBy(call::run).isInstanceOf(ModelException.class).hasMessageContaining(why);
  }
}
