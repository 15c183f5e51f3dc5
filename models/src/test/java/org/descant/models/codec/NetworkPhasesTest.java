package org.descant.models.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.phase.FrameSynthesis;
import org.descant.models.phase.GivenPhases;
import org.descant.models.phase.Signals;
import org.descant.models.phase.Stft;
import org.descant.tensor.AdamW;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore.Storage;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworkPhasesTest {
  private static final int BINS = CodecFeatures.BINS;
  private static final CodecConfig SMALL =
      new CodecConfig(32, 1, 2, 2, 16, 3, 32, 6, 4).with(CodecConfig.Phases.NETWORK);
  private static final float[] MID = Signals.chordAndChirp(3);
  private static final float[][] SOUND = {MID, delayed(MID, 90)};
  private static MagnitudeCodec codec;

  @TempDir Path home;

  private static float[] delayed(float[] signal, int samples) {
    float[] later = new float[signal.length];
    System.arraycopy(signal, 0, later, samples, signal.length - samples);
    return later;
  }

  @BeforeAll
  static void create() {
    codec = MagnitudeCodec.create(SMALL, 4);
    try (Scope scope = Scope.open();
        CodecLoss loss = new CodecLoss()) {
      Tensor features = features(codec);
      codec.startAt(features);
      for (int step = 0; step < 3; step++) {
        codec.train(features, loss, step); // moves the codebooks
      }
    }
  }

  @AfterAll
  static void close() {
    codec.close();
  }

  private static Tensor features(MagnitudeCodec codec) {
    float[] rows = codec.features(SOUND);
    return Tensor.of(rows, 1, rows.length / codec.featureSize(), codec.featureSize());
  }

  /** Scaled decibels and angles of a signal's frames, as the network would make them at best. */
  private static float[][] analysed(float[] signal, int frames) {
    Stft stft = new Stft(CodecFeatures.FFT, CodecFeatures.HOP);
    float[] re = new float[frames * BINS];
    float[] im = new float[frames * BINS];
    float[] scaled = new float[frames * BINS];
    float[] angles = new float[frames * BINS];
    for (int t = 0; t < frames; t++) {
      int start = t * CodecFeatures.HOP - CodecFeatures.FFT / 2;
      stft.frame(signal, start, re, im, t * BINS);
    }
    for (int i = 0; i < scaled.length; i++) {
      double db = 20 * Math.log10(Math.hypot(re[i], im[i]) / CodecFeatures.FULL_SCALE + 1e-12);
      scaled[i] = (float) ((db - CodecFeatures.CENTRE_DB) / CodecFeatures.SCALE_DB);
      angles[i] = (float) Math.atan2(im[i], re[i]);
    }
    return new float[][] {scaled, angles};
  }

  @Test
  void soundInTrainingIsTheInverseOfTheTransform() {
    int frames = 40;
    float[] truth = Arrays.copyOf(Signals.noise(1, 0.3, 5), frames * CodecFeatures.HOP);
    float[][] spectrum = analysed(truth, frames);
    try (Scope scope = Scope.open()) {
      float[] sound =
          CodecFeatures.sound(
                  Tensor.of(spectrum[0], 1, frames, BINS), Tensor.of(spectrum[1], 1, frames, BINS))
              .contiguous()
              .toFloats();
      assertThat(sound).hasSize(truth.length);
      for (int i = 0; i < truth.length; i++) {
        assertThat(sound[i]).as("sample %d", i).isCloseTo(truth[i], within(2e-4f));
      }
    }
  }

  @Test
  void soundInTrainingIsWhatOverlapAddMakesOfTheSameFramesHoweverTheyAreCut() {
    SplittableRandom random = new SplittableRandom(6);
    int frames = 23;
    float[] scaled = new float[frames * BINS];
    float[] angles = new float[frames * BINS];
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = (float) random.nextDouble(-2.2, 0.5); // some are silence
      angles[i] = (float) random.nextDouble(-40, 40);
    }
    float[] ln = scaled.clone();
    CodecFeatures.toLogMagnitudes(ln);
    float[] turns = angles.clone();
    for (int i = 0; i < turns.length; i++) {
      turns[i] /= (float) (2 * Math.PI);
    }
    float[] expected;
    try (Scope scope = Scope.open()) {
      expected =
          CodecFeatures.sound(
                  Tensor.of(scaled, 1, frames, BINS), Tensor.of(angles, 1, frames, BINS))
              .contiguous()
              .toFloats();
    }
    for (int cut : new int[] {1, 2, 5, 23}) {
      var synthesis = new GivenPhases(CodecFeatures.FFT, 23, CodecFeatures.LN_SILENCE);
      float[] sound = new float[expected.length];
      int at = 0;
      for (int from = 0; from < frames; from += cut) {
        int to = Math.min(frames, from + cut);
        FrameSynthesis.Finished finished =
            synthesis.append(
                Arrays.copyOfRange(ln, from * BINS, to * BINS),
                Arrays.copyOfRange(turns, from * BINS, to * BINS),
                to - from,
                to == frames);
        System.arraycopy(finished.samples(), 0, sound, at, finished.samples().length);
        at += finished.samples().length;
      }
      assertThat(at).isEqualTo(expected.length);
      for (int i = 0; i < sound.length; i++) {
        assertThat(sound[i]).as("cut %d, sample %d", cut, i).isCloseTo(expected[i], within(2e-4f));
      }
    }
  }

  @Test
  void decodingIsTheSoundOfTheWholeNetwork() {
    int[][] codes = slice(codec.encode(SOUND), 0, 50);
    float[] rows = codec.rows(codes);
    int size = CodecStream.rowSize(SMALL);
    int features = codec.featureSize();
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.of(rows, 1, rows.length / size, size);
      Tensor angles = all.narrow(2, features, size - features).reshape(1, -1, BINS);
      float[] mid =
          CodecFeatures.sound(MagnitudeCodec.spectrum(all), angles.mul(2 * Math.PI))
              .contiguous()
              .toFloats();
      float[][] decoded = codec.decode(codes);
      assertThat(decoded[0]).hasSize(50 * 1024);
      for (int i = 0; i < mid.length; i++) {
        assertThat((decoded[0][i] + decoded[1][i]) / 2)
            .as("%d", i)
            .isCloseTo(mid[i], within(1e-3f));
      }
    }
  }

  @Test
  void streamedDecodingIsTheWholeBitForBit() {
    int[][] all = codec.encode(SOUND);
    for (int frames : new int[] {1, 2, 15, 16, 17, 40, 100, all[0].length}) {
      int[][] codes = slice(all, 0, frames);
      float[][] whole = codec.decode(codes);
      float[][] streamed = new float[2][frames * 1024];
      int at = 0;
      try (Codec.StreamingDecoder stream = codec.stream()) {
        for (int from = 0; from < frames; ) {
          int to = Math.min(frames, from + 1 + from % 23);
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
  void savedAndLoadedIsTheSameBytesAndTheSameSound() {
    Path first = home.resolve("first.safetensors");
    Path second = home.resolve("second.safetensors");
    codec.parameters().saveTo(first, Storage.FP32, Map.of());
    int[][] codes = slice(codec.encode(SOUND), 0, 30);
    try (MagnitudeCodec loaded = MagnitudeCodec.frozen(SMALL)) {
      loaded.parameters().loadFrom(first);
      loaded.parameters().saveTo(second, Storage.FP32, Map.of());
      assertThat(second).hasSameBinaryContentAs(first);
      assertThat(loaded.decode(codes)[0]).isEqualTo(codec.decode(codes)[0]);
      loaded.pack();
      float[] packed = loaded.decode(codes)[0];
      assertThat(packed).isNotEqualTo(codec.decode(codes)[0]);
    }
    try (MagnitudeCodec plain = MagnitudeCodec.frozen(SMALL.with(CodecConfig.Phases.RECOVERED));
        Safetensors file = Safetensors.open(first)) {
      assertThatThrownBy(() -> plain.parameters().restoreFrom("", file))
          .hasMessageContaining("another configuration");
    }
  }

  @Test
  void theMagnitudesAreThoseOfACodecWithoutPhases() {
    try (MagnitudeCodec with = MagnitudeCodec.create(SMALL, 9);
        MagnitudeCodec without =
            MagnitudeCodec.create(SMALL.with(CodecConfig.Phases.RECOVERED), 9);
        CodecLoss loss = new CodecLoss();
        Scope scope = Scope.open()) {
      assertThat(with.train(features(with), loss, 1).total().item())
          .isEqualTo(without.train(features(without), loss, 1).total().item());
      assertThat(with.productsPerFrame()).isGreaterThan(without.productsPerFrame());
      assertThat(without.productsPerFrame()).isEqualTo(without.parameters().matrixCount());
      try (MagnitudeCodec.Step step = without.step(1, 1, 2)) {
        MagnitudeCodec.Made made = step.made(features(without), loss);
        assertThatThrownBy(made::soundBN).isInstanceOf(ModelException.class);
      }
    }
  }

  @Test
  void waveformLossesTeachTheNetwork() {
    try (MagnitudeCodec fresh = MagnitudeCodec.create(SMALL, 5);
        AdamW optimiser = new AdamW(fresh.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01));
        CodecLoss codes = new CodecLoss();
        SoundLoss sounds = new SoundLoss()) {
      double first = 0;
      double last = 0;
      for (int step = 0; step < 12; step++) {
        try (Scope scope = Scope.open()) {
          Tensor features = features(fresh).narrow(1, 0, 24).contiguous();
          if (step == 0) {
            fresh.startAt(features(fresh));
          }
          Tensor truth = Tensor.of(CodecFeatures.mid(SOUND), 1, MID.length).narrow(1, 0, 24 * 1024);
          fresh.parameters().zeroGradients();
          try (MagnitudeCodec.Step part = fresh.step(1, 1, step)) {
            MagnitudeCodec.Made made = part.made(features, codes);
            Tensor loss = sounds.of(made.soundBN(), truth).total();
            loss.backward();
            last = loss.item();
            first = step == 0 ? last : first;
          }
          assertThat(fresh.parameters().get("phase.out.weight").grad().norm().item()).isPositive();
          fresh.parameters().clipGradNorm(1);
          optimiser.step(5e-3);
        }
      }
      System.out.printf("waveform loss %.3f -> %.3f%n", first, last);
      assertThat(last).isLessThan(0.92 * first);
    }
  }

  @Test
  void equalSoundsHaveNoLossAndLevelCounts() {
    try (SoundLoss loss = new SoundLoss();
        NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor sound = Tensor.of(Arrays.copyOf(MID, 8192), 1, 8192);
      assertThat(loss.of(sound, sound).total().item()).isCloseTo(0, within(1e-4));
      SoundLoss.Terms half = loss.of(sound.mul(0.5), sound);
      assertThat(half.convergence().item()).isCloseTo(0.5, within(1e-3));
      assertThat(half.mel().item() * 25).isGreaterThan(1).isLessThan(6.03);
    }
  }

  @Test
  void aBatchHasTheMeanLossOfItsRowsAndSilenceAFiniteSlope() {
    try (SoundLoss loss = new SoundLoss();
        Scope scope = Scope.open()) {
      Tensor truth = Tensor.of(Signals.noise(1, 0.2, 8), 2, 22050).narrow(1, 0, 8192);
      Tensor made = Tensor.of(Signals.noise(1, 0.1, 9), 2, 22050).narrow(1, 0, 8192);
      double sum = 0;
      for (int row = 0; row < 2; row++) {
        sum += loss.of(made.narrow(0, row, 1), truth.narrow(0, row, 1)).total().item();
      }
      assertThat(loss.of(made, truth).total().item()).isCloseTo(sum / 2, within(1e-5));
      Tensor silent = Tensor.zeros(1, 8192).requiresGrad(true);
      loss.of(silent, Tensor.zeros(1, 8192)).total().backward();
      assertThat(silent.grad().allFinite()).isTrue();
    }
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
