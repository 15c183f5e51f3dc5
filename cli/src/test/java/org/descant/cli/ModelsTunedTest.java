package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.provenance.Artefact;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tuned models on the command line: listed, shown, checked, studied, and not played. */
class ModelsTunedTest {
  private static final Path BASE =
      Path.of("../models/src/test/resources/published/musicgen-brief").toAbsolutePath();

  @TempDir Path home;
  private Path adapter = Path.of("");

  private Answer descant(String... arguments) {
    var all = new ArrayList<>(List.of("--json", "--home", home.toString()));
    all.addAll(List.of(arguments));
    return Answer.to(all.toArray(String[]::new));
  }

  /** A run that shipped an adapter with random weights. */
  @BeforeEach
  void anAdapter() {
    adapter = home.resolve("runs/lora/adapter");
    var settings =
        new LoraAdapter.Settings(2, 2, false, List.of("q_proj", "fc1"), "musicgen-brief");
    try (MusicGen model = MusicGen.load(BASE, Form.PLAIN);
        ParameterStore store = new ParameterStore(3)) {
      List<MusicGenDecoder.Module> modules =
          model.decoder().modules().stream().filter(m -> settings.aimsAt(m.name())).toList();
      for (MusicGenDecoder.Module module : modules) {
        store.declare(
            LoraAdapter.downName(module.name()), Initializer.normal(1), 2, module.inputs());
        store.declare(
            LoraAdapter.upName(module.name()), Initializer.normal(1), module.outputs(), 2);
      }
      store.build();
      LoraAdapter.over(
              settings, modules.stream().map(MusicGenDecoder.Module::name).toList(), store::get)
          .save(adapter, Map.of());
    }
    new TunedModel(
            "",
            "lora",
            TunedModel.Kind.ADAPTER,
            TunedModel.Base.of(BASE),
            "lora",
            "musicgen-lora",
            "ab".repeat(32),
            "cd".repeat(32),
            List.of(new TunedModel.TunedOn("QZTST2600001", "Song", "Somebody", false)),
            new TreeMap<>(Map.of("heldOutLoss.end", 2.5)))
        .write(adapter);
  }

  @Test
  void areListedWithTheirParents() {
    assertThat(descant("models", "ls").json())
        .anySatisfy(line -> {
          assertThat(line.path("name").asString()).isEqualTo("lora");
          assertThat(line.path("kind").asString()).isEqualTo("adapter");
          assertThat(line.path("rights").asBoolean(true)).isFalse();
          assertThat(line.path("base").path("contentHash").asString())
              .isEqualTo(TunedModel.contentHash(BASE));
        });
  }

  @Test
  void areShownAndChecked() throws IOException {
    for (String name : List.of("lora", adapter.toString())) {
      JsonNode shown = descant("models", "show", name, "--check").json();
      assertThat(shown.path("tuned").path("datasetRoot").asString()).isEqualTo("cd".repeat(32));
      assertThat(shown.path("tuned").path("id").asString()).startsWith("sha256:");
      assertThat(shown.path("damaged").asBoolean(true)).isFalse();
    }
    Path weights = adapter.resolve("adapter_model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    assertThat(descant("models", "show", "lora").status()).isZero();
    assertThat(descant("models", "show", "lora", "--check").status()).isEqualTo(Exit.REFUSED);
  }

  /**
   * The thread knows the dataset, the base and the run behind a tuned model, and nobody hears it.
   */
  @Test
  void areTracedAndNotPlayed() {
    TunedModel tuned = TunedModel.read(adapter);
    String run = "run:lora@" + tuned.datasetRoot().substring(0, 12);
    String base = "base:" + TunedModel.contentHash(BASE);
    try (Platform platform = Platform.open(home)) {
      platform
          .lineage()
          .record(Artefact.of(Artefact.Kind.DATASET, tuned.datasetRoot(), Map.of()), List.of());
      Steps.recordTuned(platform, record(tuned), tuned);
      Steps.recordTuned(platform, record(tuned), tuned);
      assertThat(platform.lineage().trace(tuned.id()).ancestors())
          .extracting(step -> step.artefact().id())
          .containsExactlyInAnyOrder(run, tuned.datasetRoot(), base);
    }
    Path out = home.resolve("clip.wav");
    Answer played = descant("generate", "--model", "lora", "--out", out.toString());
    assertThat(played.status()).as(played.err()).isEqualTo(Exit.REFUSED);
    assertThat(played.out()).contains("tuned from musicgen-brief", "no rights manifest");
    assertThat(out).doesNotExist();
  }

  private static RunRecord record(TunedModel tuned) {
    return new RunRecord(
        RunRecord.VERSION,
        tuned.run(),
        tuned.recipe(),
        tuned.recipeHash(),
        Map.of(),
        "small",
        tuned.datasetRoot(),
        1,
        "ef".repeat(32),
        Map.of(),
        "some CPU",
        1,
        RunStatus.FINISHED,
        Instant.parse("2026-01-02T03:04:05Z"),
        null,
        3,
        3,
        Map.of());
  }

  @Test
  void areStudiedInAFileThatSaysSo() throws IOException {
    Path plain = home.resolve("plain.wav");
    Answer answer =
        descant("models", "play", BASE.toString(), "--seconds", "0.01", "--out", plain.toString());
    assertThat(answer.status()).as(answer.err()).isZero();
    assertThat(answer.err()).contains("study only: base has no rights manifest");
    assertThat(answer.json().path("study").asBoolean(false)).isTrue();
    assertThat(plain).doesNotExist();
    Path marked = home.resolve("plain.study.wav");
    assertThat(marked).isNotEmptyFile();
    assertThat(home.resolve("clips")).doesNotExist();

    Path other = home.resolve("adapted.study.wav");
    Answer adapted =
        descant(
            "models",
            "play",
            BASE.toString(),
            "--adapter",
            adapter.toString(),
            "--seconds",
            "0.01",
            "--out",
            other.toString());
    assertThat(adapted.status()).as(adapted.err()).isZero();
    assertThat(Files.mismatch(marked, other)).isNotNegative();
  }

  @Test
  void whatCannotBeStudiedIsSaid() {
    String out = home.resolve("x.wav").toString();
    assertThat(descant("models", "play", "lora", "--out", out).err()).contains("--adapter");
    assertThat(descant("models", "play", BASE.toString(), "--text", "a", "--out", out).err())
        .contains("tokenizer.json");
    assertThat(descant("models", "play", BASE.toString(), "--seconds", "0", "--out", out).status())
        .isEqualTo(2);
    assertThat(descant("models", "play", BASE.toString(), "--out", home + "/x.mp3").err())
        .contains(".wav");
  }

  @Test
  void plansKnowTheRecipes() {
    Answer nothing = descant("train", "musicgen", "--workers", "2");
    assertThat(nothing.status()).isEqualTo(2);
    assertThat(nothing.err()).contains("--workers");
    assertThat(descant("train", "plan", "musicgen-lora", "--set", "base=nowhere").err())
        .contains("nowhere");
  }
}
