package org.descant.training.tune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelException;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenParameters;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.shards.Dataset;
import org.descant.tensor.DType;
import org.descant.tensor.Profiler;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.Plan;
import org.descant.training.Profile;
import org.descant.training.Progress;
import org.descant.training.Replay;
import org.descant.training.Seen;
import org.descant.training.Small;
import org.descant.training.TrainingException;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.Codes;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TunerTest {
  private static final Path MODELS = Path.of("../models/src/test/resources");
  private static final Path BASE = MODELS.resolve("published/musicgen-brief").toAbsolutePath();
  private static final int STEPS = 16;

  @TempDir static Path temporary;
  private static Path data;

  /** A process of its own that tunes into a folder, for the tests that kill it. */
  static final class Main {
    private Main() {}

    public static void main(String[] arguments) {
      TuneRecipe recipe =
          recipe(
              arguments[2], List.of(arguments).subList(3, arguments.length).toArray(new String[0]));
      try (Dataset dataset = Dataset.open(Path.of(arguments[0]))) {
        Tuner.run(recipe, dataset, Path.of(arguments[1]), Progress.to(System.out));
      }
    }
  }

  @BeforeAll
  static void dataset() {
    data = Small.dataset(temporary.resolve("small"));
  }

  private static TuneRecipe recipe(String name, String... more) {
    TuneRecipe small =
        RecipeText.withOverrides(
            TuneRecipe.named(name),
            List.of(
                "base=" + BASE,
                "steps=" + STEPS,
                "precision=fp32",
                "threads=1",
                "logEvery=4",
                "checkpoint.every=5",
                "tune.evaluateEvery=8",
                "tune.frames=40",
                "tune.learningRate=0.01",
                "tune.warmup=2",
                "adapter.rank=4",
                "adapter.targets=q_proj,v_proj,fc2,lm_heads.0,lm_heads.1,lm_heads.2,lm_heads.3"));
    return RecipeText.withOverrides(small, List.of(more));
  }

  private static RunRecord run(TuneRecipe recipe, Path run) {
    try (Dataset dataset = Dataset.open(data)) {
      return Tuner.run(recipe, dataset, run, Progress.NONE);
    }
  }

  private static double fact(RunRecord record, String name) {
    return ((Number) record.facts().get(name)).doubleValue();
  }

  private static Tensor logits(MusicGen model) {
    Tensor ids = Tensor.of(new long[] {3, 4, 5}, 1, 3);
    return model.logits(ids, null, Tensor.of(new long[] {1, 2, 3, 4, 5, 6, 7, 8}, 4, 2));
  }

  /** The metrics that are functions of the run. */
  private static List<MetricLine> learned(Path run) {
    var lines = new ArrayList<MetricLine>();
    for (MetricLine line : RunFolder.metrics(run)) {
      Map<String, Double> values = new LinkedHashMap<>(line.values());
      values
          .keySet()
          .retainAll(List.of("loss", "gradientNorm", "learningRate", TuneStage.HELD_OUT_LOSS));
      if (line.stage().equals(TuneStage.NAME)) {
        lines.add(new MetricLine(line.stage(), line.step(), values));
      }
    }
    return lines;
  }

  private static List<Double> losses(Path run) {
    return learned(run).stream()
        .filter(line -> line.values().containsKey("loss"))
        .map(line -> line.values().getOrDefault("loss", Double.NaN))
        .toList();
  }

  // ---------------------------------------------------------------- exact resume

  private static Process fork(Path run, String name, List<String> overrides) throws Exception {
    var command = new ArrayList<String>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-cp",
            System.getProperty("java.class.path"),
            Main.class.getName(),
            data.toString(),
            run.toString(),
            name));
    command.addAll(overrides);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(log(run).toFile())
        .start();
  }

  private static Path log(Path run) {
    return run.resolveSibling(run.getFileName() + ".log");
  }

  private static long opened(Path run) {
    return RunFolder.isRun(run)
        ? RunFolder.events(run).stream().filter(e -> e.event().equals("checkpoint.open")).count()
        : 0;
  }

  /**
   * Kills a run some times, each time a random moment after one more checkpoint was opened, so that
   * every process has done something; then lets it end.
   */
  @ParameterizedTest
  @CsvSource({TuneRecipe.LORA + ",3", TuneRecipe.FULL + ",1"})
  void aKilledRunGivesTheBitsOfAnUnbrokenOne(String name, int kills) throws Exception {
    List<String> overrides =
        List.of("tune.emaDecay=0.8", "accumulate=2", "checkpoint.every=3", "steps=15");
    Path whole = temporary.resolve("whole-" + name);
    run(recipe(name, overrides.toArray(new String[0])), whole);
    RunRecord record = RunFolder.record(whole);
    assertThat(record.status()).isEqualTo(RunStatus.FINISHED);

    Path broken = temporary.resolve("broken-" + name);
    var random = new SplittableRandom(7);
    int killed = 0;
    for (int process = 0; process < kills; process++) {
      Process running = fork(broken, name, overrides);
      long before = opened(broken);
      while (running.isAlive() && opened(broken) == before) {
        running.waitFor(1, TimeUnit.MILLISECONDS);
      }
      long until = System.nanoTime() + random.nextLong(2_000_000);
      while (System.nanoTime() < until) {
        Thread.onSpinWait();
      }
      killed += running.isAlive() ? 1 : 0;
      running.destroyForcibly().waitFor();
    }
    assertThat(killed).as(Files.readString(log(broken))).isEqualTo(kills);
    assertThat(fork(broken, name, overrides).waitFor()).as(Files.readString(log(broken))).isZero();

    TuneRecipe recipe = Tuner.recipe(record);
    assertThat(Tuner.weights(recipe, broken)).hasSameBinaryContentAs(Tuner.weights(recipe, whole));
    assertThat(learned(broken)).isEqualTo(learned(whole));
    for (String file : List.of("model.safetensors", "state.safetensors", "state.json")) {
      String at = "checkpoints/00000015/" + file;
      assertThat(broken.resolve(at)).hasSameBinaryContentAs(whole.resolve(at));
    }
    for (String fact : List.of("orderSeen", "order.tune", "model", "sequencesSeen")) {
      assertThat(RunFolder.record(broken).facts().get(fact))
          .isNotNull()
          .isEqualTo(record.facts().get(fact));
    }
    assertThat(Seen.of(broken).counts()).isEqualTo(Seen.of(whole).counts());
  }

  @Test
  void stopsSafelyAndRefusesAnotherRunsFolder() {
    Path run = temporary.resolve("stopped");
    var tuner = new Tuner[1];
    Progress stopping =
        new Progress() {
          @Override
          public void step(Line line) {
            if (line.stage().equals(TuneStage.NAME) && line.step() == 8) {
              tuner[0].stop();
            }
          }

          @Override
          public void note(String sentence) {}
        };
    try (Dataset dataset = Dataset.open(data)) {
      tuner[0] = new Tuner(recipe(TuneRecipe.LORA), dataset, run, stopping);
      RunRecord stopped = tuner[0].run();
      assertThat(stopped.status()).isEqualTo(RunStatus.STOPPED);
      assertThat(stopped.step()).isEqualTo(8);
    }
    assertThat(run(recipe(TuneRecipe.LORA), run).status()).isEqualTo(RunStatus.FINISHED);
    assertThatThrownBy(() -> run(recipe(TuneRecipe.LORA, "seed=2"), run))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("another --out");
  }

  // ---------------------------------------------------------------- what is learned

  @Test
  void anAdapterLearnsAndNamesItsParents() throws Exception {
    Path run = temporary.resolve("adapter");
    RunRecord record = run(recipe(TuneRecipe.LORA, "steps=24"), run);
    assertThat(fact(record, "heldOutLoss.end")).isLessThan(fact(record, "heldOutLoss.start") - 0.1);

    Path shipped = Tuner.shipped(recipe(TuneRecipe.LORA), run);
    TunedModel tuned = TunedModel.read(shipped);
    assertThat(tuned.kind()).isEqualTo(TunedModel.Kind.ADAPTER);
    assertThat(tuned.id()).isEqualTo(record.facts().get("model"));
    assertThat(tuned.isWhole(shipped)).isTrue();
    assertThat(tuned.base())
        .isEqualTo(new TunedModel.Base("musicgen-brief", TunedModel.contentHash(BASE), null, null));
    assertThat(tuned.datasetRoot()).isEqualTo(record.datasetRoot());
    assertThat(tuned.recipeHash()).isEqualTo(record.recipeHash());
    assertThat(tuned.run()).isEqualTo(record.id());
    assertThat(tuned.recordings()).hasSize(5).anyMatch(TunedModel.TunedOn::heldOut);
    assertThat(Files.readString(shipped.resolve("README.md")))
        .contains("has no rights manifest", record.datasetRoot(), "(held out)", "heldOutLoss.end");
    assertThat(Files.readString(run.resolve("checkpoints/00000024/card.json")))
        .contains("has no rights manifest");
    try (Scope scope = Scope.open();
        LoraAdapter adapter = LoraAdapter.load(shipped);
        MusicGen plain = MusicGen.load(BASE);
        MusicGen merged = MusicGen.load(BASE, Form.PACKED, adapter)) {
      assertThat(logits(merged).sub(logits(plain)).abs().amax().item()).isGreaterThan(1e-2);
    }
  }

  @Test
  void aTunedDecoderIsAFolderAsTheHubServesIt() throws Exception {
    Path run = temporary.resolve("decoder");
    Path told = told();
    RunRecord record =
        run(recipe(TuneRecipe.FULL, "base=" + told, "learns=decoder+text", "steps=24"), run);
    assertThat(fact(record, "heldOutLoss.end")).isLessThan(fact(record, "heldOutLoss.start") - 0.1);

    Path shipped = Tuner.shipped(recipe(TuneRecipe.FULL), run);
    MusicGenParameters parameters =
        MusicGenParameters.declare(PublishedConfig.read(BASE.resolve("config.json")), true);
    try (parameters;
        Scope scope = Scope.open();
        MusicGen learning = MusicGen.load(BASE, parameters);
        MusicGen plain = MusicGen.load(BASE);
        MusicGen loaded = MusicGen.load(shipped);
        Safetensors checkpoint =
            Safetensors.open(run.resolve("checkpoints/00000024/model.safetensors"));
        Safetensors before = Safetensors.open(BASE.resolve("model.safetensors"));
        Safetensors after = Safetensors.open(shipped.resolve("model.safetensors"))) {
      assertThat(parameters.published().keySet()).isEqualTo(checkpoint.names());
      parameters.readFrom(checkpoint);
      Tensor expected = logits(learning);
      assertThat(logits(loaded).sub(expected).abs().amax().item()).isLessThan(1e-5);
      assertThat(logits(plain).sub(expected).abs().amax().item()).isGreaterThan(1e-2);

      assertThat(after.names()).isEqualTo(before.names());
      assertThat(after.metadata()).containsEntry("format", "pt").containsKey("baseSha256");
      for (String name : after.names()) {
        assertThat(after.shape(name)).isEqualTo(before.shape(name));
        boolean learns = parameters.published().containsKey(name);
        boolean same =
            after.tensor(name, DType.F32).sub(before.tensor(name, DType.F32)).abs().amax().item()
                == 0;
        assertThat(same).as(name).isEqualTo(!learns);
      }
    }
    assertThat(shipped.resolve("generation_config.json"))
        .hasSameTextualContentAs(BASE.resolve("generation_config.json"));

    // A tuned model is a base again, and the thread goes on.
    RunRecord next =
        run(recipe(TuneRecipe.LORA, "base=" + shipped, "steps=2"), temporary.resolve("next"));
    TunedModel.Base base =
        TunedModel.read(Tuner.shipped(recipe(TuneRecipe.LORA), temporary.resolve("next"))).base();
    assertThat(next.status()).isEqualTo(RunStatus.FINISHED);
    assertThat(base.tuned()).isEqualTo(TunedModel.read(shipped).id());
    assertThat(base.contentHash()).isEqualTo(TunedModel.contentHash(shipped));
  }

  /** A base with a tokenizer, so that texts are told, and their projection has to learn. */
  private static Path told() throws IOException {
    Path folder = Files.createDirectories(temporary.resolve("told"));
    if (!Files.exists(folder.resolve("tokenizer.json"))) {
      for (String file : List.of("config.json", "generation_config.json", "model.safetensors")) {
        Files.copy(BASE.resolve(file), folder.resolve(file));
      }
      // Five pieces, all within the small encoder's vocabulary.
      Files.writeString(
          folder.resolve("tokenizer.json"),
          """
          {"model": {"type": "Unigram", "unk_id": 2, "vocab": [
            ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u2581tones", -2.0], ["\u2581few", -3.0]
          ]}}
          """);
    }
    return folder;
  }

  @ParameterizedTest
  @ValueSource(strings = {"learns=adapter", "learns=decoder+text"})
  void recomputingAndAccumulatingLearnTheSame(String learns) throws Exception {
    String[] base = {
      "base=" + told(),
      learns,
      "steps=3",
      "logEvery=1",
      "batch=4",
      "tune.dropText=0.3",
      "adapter.targets=q_proj,k_proj,enc_to_dec_proj,fc1,lm_heads.1"
    };
    TuneRecipe plain = recipe(TuneRecipe.FULL, base);
    Path expected = temporary.resolve("plain" + learns);
    run(plain, expected);
    assertThat(losses(expected)).hasSize(3);
    for (String other : List.of("tune.recompute=true", "accumulate=2")) {
      Path run = temporary.resolve(other + learns);
      run(RecipeText.withOverrides(plain, List.of(other)), run);
      List<Double> losses = losses(run);
      for (int i = 0; i < losses.size(); i++) {
        assertThat(losses.get(i)).as(other).isCloseTo(losses(expected).get(i), within(2e-5));
      }
    }
    // Without the text projection's gradient or the texts the losses would be others.
    Path untold = temporary.resolve("untold" + learns);
    run(RecipeText.withOverrides(plain, List.of("tune.dropText=1")), untold);
    assertThat(losses(untold)).isNotEqualTo(losses(expected));
  }

  @ParameterizedTest
  @ValueSource(strings = {TuneRecipe.LORA, TuneRecipe.FULL})
  void bf16LearnsWithMastersInFp32(String name) {
    Path run = temporary.resolve("bf16" + name);
    TuneRecipe recipe = recipe(name, "precision=bf16", "tune.recompute=true", "seed=3");
    RunRecord record = run(recipe, run);
    assertThat(fact(record, "heldOutLoss.end")).isLessThan(fact(record, "heldOutLoss.start"));
    try (Safetensors file = Safetensors.open(Tuner.weights(recipe, run))) {
      assertThat(file.names()).allMatch(tensor -> file.dtype(tensor) == DType.F32);
    }
  }

  // ---------------------------------------------------------------- tools

  @Test
  void replayPlanAndSeenWorkAsForHouseRuns() {
    TuneRecipe recipe = recipe(TuneRecipe.FULL, "tune.optimiser.name=muon", "guard.policy=skip");
    Path run = temporary.resolve("tools");
    RunRecord record = run(recipe, run);
    try (Dataset dataset = Dataset.open(data)) {
      Replay.Outcome outcome =
          Replay.run(run, dataset, temporary.resolve("replayed"), 0, Progress.NONE);
      assertThat(outcome.agrees()).isTrue();
      assertThat(outcome.sameModel()).isTrue();

      RunRecord moved = record.with(record.status(), null, 0, Map.of("baseSha256", "0"));
      assertThatThrownBy(() -> Tuner.requireSameBase(moved))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("musicgen-brief");

      Plan plan = TunePlan.of(recipe, dataset, temporary.resolve("planned"));
      assertThat(plan.problems()).isEmpty();
      assertThat(temporary.resolve("planned")).doesNotExist();
      assertThat(plan.stages())
          .singleElement()
          .satisfies(stage -> {
            assertThat(stage.name()).isEqualTo("tune");
            assertThat(stage.steps()).isEqualTo(STEPS);
            assertThat(stage.order()).isEqualTo(record.facts().get("order.tune"));
            assertThat(stage.flopsPerStep()).isPositive();
            assertThat(stage.tokensPerSecond()).isPositive();
          });
      assertThat(plan.runId()).isEqualTo(record.id());
    }
    Seen seen = Seen.of(run);
    assertThat(seen.at(1)).hasSize(2);
    assertThat(seen.counts("tune").values().stream().mapToLong(Long::longValue).sum())
        .isEqualTo(2L * STEPS);
    assertThat(RunFolder.metrics(run))
        .filteredOn(line -> line.values().containsKey("loss"))
        .hasSize(STEPS / 4)
        .allSatisfy(line ->
            assertThat(line.values())
                .containsKeys(
                    "audioSecondsPerSecond",
                    "tokensPerSecond",
                    "flopsPerSecond",
                    "mfu",
                    "dataWait",
                    "memoryBytes"));
  }

  @Test
  void stepsCanBeProfiled() {
    if (Profiler.unavailable().isPresent()) {
      return;
    }
    Path trace = temporary.resolve("trace.json");
    try (Dataset dataset = Dataset.open(data)) {
      Profile.Recorded recorded =
          Profile.record(recipe(TuneRecipe.LORA), dataset, 2, temporary.resolve("profiled"), trace);
      assertThat(recorded.steps()).isEqualTo(2);
    }
    assertThat(trace).isNotEmptyFile();
  }

  // ---------------------------------------------------------------- refusals

  @Test
  void refusesWhatCannotBeLearned() throws Exception {
    refuses(TuneRecipe.LORA, "base=", "base=FOLDER");
    refuses(TuneRecipe.LORA, "base=" + temporary.resolve("nowhere"), "nowhere");
    refuses(TuneRecipe.LORA, "adapter.targets=w_proj", "w_proj");
    try (Dataset dataset = Dataset.open(data)) {
      List<TuneCodes.Piece> brief =
          List.of(new TuneCodes.Piece(0, new Codes.Held(new int[4][39]), ""));
      assertThat(Tuner.longEnough(brief, recipe(TuneRecipe.FULL), true, dataset, Progress.NONE))
          .isEmpty();
      assertThatThrownBy(
              () -> Tuner.longEnough(brief, recipe(TuneRecipe.FULL), false, dataset, Progress.NONE))
          .hasMessageContaining("tune.frames");
    }
    assertThatThrownBy(() -> recipe(TuneRecipe.LORA, "tune.frames=4"))
        .hasMessageContaining("tune.frames");
    assertThatThrownBy(() -> recipe(TuneRecipe.LORA, "adapter.rnk=4"))
        .hasMessageContaining("adapter.rank");
    assertThatThrownBy(() -> recipe(TuneRecipe.FULL, "learns=codec"))
        .hasMessageContaining("decoder+text");
    assertThatThrownBy(() -> recipe(TuneRecipe.FULL, "accumulate=3"))
        .hasMessageContaining("accumulate");
    assertThatThrownBy(() -> TuneRecipe.named("musicgen-codec"))
        .hasMessageContaining("musicgen-lora");
    Path run = temporary.resolve("diverging");
    assertThatThrownBy(() ->
            run(
                recipe(
                    TuneRecipe.FULL,
                    "tune.learningRate=0.99",
                    "steps=200",
                    "tune.clip=1e30",
                    "tune.warmup=0",
                    "guard.zScore=3",
                    "guard.window=2",
                    "tune.optimiser.name=adamw"),
                run))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("Recordings in the batch")
        .hasMessageContaining("tune.learningRate");
    assertThat(RunFolder.record(run).status()).isEqualTo(RunStatus.FAILED);
  }

  private static void refuses(String name, String override, String message) {
    assertThatThrownBy(
            () -> run(recipe(name, override), temporary.resolve("refused" + override.hashCode())))
        .isInstanceOfAny(TrainingException.class, ModelException.class)
        .hasMessageContaining(message);
  }
}
