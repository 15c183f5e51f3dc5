package org.descant.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.evaluation.CodecEvaluation;
import org.descant.models.codec.ConvolutionalCodecConfig;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.codec.DacCodec;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.NativeRuntime;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class CodecPeerTrainingTest {
  private static final ConvolutionalCodecConfig MODEL =
      new ConvolutionalCodecConfig(4, List.of(4, 8), 16, 12, 2, 32, 4, 8_000);

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static CodecPeerTraining.Settings settings(long steps, double budget) {
    return new CodecPeerTraining.Settings(MODEL, steps, budget, 2, 40, 1e-3, 6, 1);
  }

  /** Three notes of a second, in two channels. */
  private static CodecPeerTraining.Sounds sounds() {
    List<Pcm> notes = new ArrayList<>();
    for (int n = 0; n < 3; n++) {
      float[][] channels = new float[2][8_000];
      for (int i = 0; i < 8_000; i++) {
        double t = 2 * Math.PI * (220 + 110 * n) * i / 8_000;
        channels[0][i] = (float) (0.4 * Math.sin(t));
        channels[1][i] = (float) (0.2 * Math.sin(2 * t));
      }
      notes.add(new Pcm(channels, 8_000));
    }
    return new CodecPeerTraining.Sounds(
        List.of("a", "b", "c"),
        notes.stream().map(Pcm::frames).toList(),
        (sound, from, length) -> notes.get(sound).slice(from, from + length));
  }

  @Test
  void aCutTrainingGoesOnToTheSameBits() throws IOException {
    Path whole = temporary.resolve("whole");
    List<String> lines = new ArrayList<>();
    CodecPeerTraining.Trained once =
        new CodecPeerTraining(settings(7, 0), sounds(), whole, lines::add).run(() -> false);
    assertThat(once.done()).isTrue();
    assertThat(once.step()).isEqualTo(7);
    assertThat(once.cpuSeconds()).isPositive();
    assertThat(lines.getLast()).contains("step 7 of 7").contains("× real time").contains("left");

    Path cut = temporary.resolve("cut");
    int[] steps = new int[1];
    CodecPeerTraining.Trained first =
        new CodecPeerTraining(settings(7, 0), sounds(), cut, line -> {}).run(() -> ++steps[0] == 3);
    assertThat(first.done()).isFalse();
    assertThat(first.step()).isEqualTo(3);
    CodecPeerTraining.Trained second =
        new CodecPeerTraining(settings(7, 0), sounds(), cut, line -> {}).run(() -> false);
    assertThat(second.done()).isTrue();
    assertThat(second.cpuSeconds()).isGreaterThan(first.cpuSeconds());
    assertThat(second.loss()).isEqualTo(once.loss());
    assertThat(Files.readAllBytes(second.folder().resolve("model.safetensors")))
        .isEqualTo(Files.readAllBytes(once.folder().resolve("model.safetensors")));

    // What is done stays done, and is a model that runs.
    CodecPeerTraining.Trained again =
        new CodecPeerTraining(settings(7, 0), sounds(), cut, line -> {}).run(() -> false);
    assertThat(again.loss()).isEqualTo(once.loss());
    try (PublishedWeights weights = PublishedWeights.open(again.folder());
        DacCodec codec = new DacCodec(Dac.load(weights, weights.config()))) {
      float[] note = sounds().reader().read(0, 0, 3200).mono().channel(0);
      assertThat(codec.decode(codec.encode(note))[0]).hasSize(3200);
    }

    assertThatThrownBy(
            () -> new CodecPeerTraining(settings(8, 0), sounds(), cut, line -> {}).run(() -> false))
        .hasMessageContaining("other settings");
  }

  @Test
  void theBudgetDecidesHowManyStepsAndTheTrialLeavesNoTrace() throws IOException {
    Path planned = temporary.resolve("planned");
    List<String> lines = new ArrayList<>();
    CodecPeerTraining.Trained trained =
        new CodecPeerTraining(settings(0, 0), sounds(), planned, lines::add).run(() -> false);
    // Nothing is left of a budget of nothing after the trial; one step is the least.
    assertThat(trained.steps()).isEqualTo(1);
    assertThat(lines.getFirst()).contains("1 steps in the budget of 0 s");
    CodecPeerTraining.Trained asked =
        new CodecPeerTraining(settings(1, 0), sounds(), temporary.resolve("asked"), line -> {})
            .run(() -> false);
    assertThat(Files.readAllBytes(trained.folder().resolve("model.safetensors")))
        .isEqualTo(Files.readAllBytes(asked.folder().resolve("model.safetensors")));
  }

  @Test
  void theDocumentNamesTheSettings() {
    String json =
        JsonMapper.shared()
            .writeValueAsString(
                new CodecPeerBench.Entry(
                    "peer",
                    5,
                    Map.of("settings", settings(7, 0)),
                    2,
                    List.of(new CodecEvaluation.Row("all", 1.72, 3, 2, -30, 16, List.of(3.0)))));
    assertThat(json)
        .contains("\"learningRate\":0.001")
        .contains("\"seed\":1")
        .contains("\"ratios\":[4,8]")
        .contains("\"decodeTimesRealTime\":16.0");
  }
}
