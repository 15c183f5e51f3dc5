package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.descant.lab.Lab;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.CodecStage;
import org.descant.training.stage.LmStage;
import org.descant.training.stage.TokenStage;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
  @TempDir static Path shared;
  private static Path dataset;
  private static Path unbroken;

  @TempDir Path home;
  private String recipe = "small";

  /** A process of its own that trains into a folder, as the tests that kill need it. */
  static final class Main {
    private Main() {}

    public static void main(String[] arguments) {
      Recipe recipe =
          RecipeText.withOverrides(
              Small.named(arguments[2]), List.of(arguments).subList(3, arguments.length));
      try (Dataset dataset = Dataset.open(Path.of(arguments[0]))) {
        Trainer.run(recipe, dataset, Path.of(arguments[1]), Progress.to(System.out));
      }
    }
  }

  @BeforeAll
  static void trainOnceWithoutABreak() {
    dataset = Small.dataset(shared.resolve("dataset"));
    unbroken = shared.resolve("unbroken");
    try (Dataset opened = Dataset.open(dataset)) {
      RunRecord record = Trainer.run(Small.recipe(), opened, unbroken, Progress.NONE);
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
    }
  }

  private Process fork(Path run, List<String> jvm, List<String> overrides) throws Exception {
    var command = new ArrayList<String>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(jvm);
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-cp",
            System.getProperty("java.class.path"),
            Main.class.getName(),
            dataset.toString(),
            run.toString(),
            recipe));
    command.addAll(overrides);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(run.resolveSibling(run.getFileName() + ".log").toFile())
        .start();
  }

  private Process fork(Path run, List<String> overrides) throws Exception {
    return fork(run, List.of("-Xmx512m"), overrides);
  }

  /** Kills after a random number of new log lines and a random wait; the wait is not a deadline. */
  private static boolean killAtRandom(Process process, Path run, SplittableRandom random)
      throws Exception {
    Path log = run.resolveSibling(run.getFileName() + ".log");
    int lines = random.nextInt(1, 16);
    while (process.isAlive() && Files.readAllLines(log).size() < lines) {
      process.waitFor(2, TimeUnit.MILLISECONDS);
    }
    process.waitFor(random.nextInt(0, 80), TimeUnit.MILLISECONDS);
    return kill(process);
  }

  /** Kills as soon as a checkpoint's opening is in the log, and a random moment later. */
  private static boolean killWhileACheckpointIsWritten(
      Process process, Path run, SplittableRandom random) throws Exception {
    long before = opened(run).size();
    int which = random.nextInt(1, 3);
    while (process.isAlive() && opened(run).size() < before + which) {
      process.waitFor(1, TimeUnit.MILLISECONDS);
    }
    long until = System.nanoTime() + random.nextLong(1_000_000);
    while (System.nanoTime() < until) {
      Thread.onSpinWait();
    }
    return kill(process);
  }

  private static boolean kill(Process process) throws Exception {
    boolean alive = process.isAlive();
    process.destroyForcibly().waitFor();
    return alive && process.exitValue() != 0;
  }

  private static List<RunEvent> opened(Path run) {
    return RunFolder.events(run).stream()
        .filter(event -> event.event().equals("checkpoint.open"))
        .toList();
  }

  /**
   * Whether the last process died between a checkpoint's opening and its rename: the log has the
   * one and not the other, and the half-written folder is still there.
   */
  private static boolean wasWriting(Path run) {
    List<RunEvent> events =
        RunFolder.events(run).stream()
            .filter(event -> event.event().startsWith("checkpoint."))
            .toList();
    return !events.isEmpty()
        && events.getLast().event().equals("checkpoint.open")
        && Files.isDirectory(
            run.resolve("checkpoints").resolve("%08d.tmp".formatted(events.getLast().step())));
  }

  /**
   * Kills a run again and again, every second time while it writes a checkpoint; a run that reaches
   * its end between two kills is compared, and the next one begins.
   *
   * @return how many kills are proven to have met a checkpoint between opening and rename
   */
  private int resumesExactly(int kills, long seed, Path expected, List<String> overrides)
      throws Exception {
    var random = new SplittableRandom(seed);
    int number = 0;
    int proven = 0;
    Path run = home.resolve("run0");
    Small.forgetFields(dataset);
    for (int killed = 0; killed < kills; ) {
      Process process = fork(run, overrides);
      boolean met =
          killed % 2 == 1
              ? killWhileACheckpointIsWritten(process, run, random)
              : killAtRandom(process, run, random);
      if (met) {
        killed++;
        proven += wasWriting(run) ? 1 : 0;
      } else {
        assertThat(process.exitValue()).as(log(run)).isZero();
        assertSameBits(run, expected);
        number++;
        assertThat(number).as("runs that ended by themselves").isLessThan(kills + 5);
        run = home.resolve("run" + number);
        Small.forgetFields(dataset);
      }
    }
    Process last = fork(run, overrides);
    assertThat(last.waitFor()).as(log(run)).isZero();
    assertSameBits(run, expected);
    System.out.printf(
        "%d kills over %d runs, %d of them between a checkpoint's opening and its rename; every run"
            + " ended with the bits of the unbroken one%n",
        kills, number + 1, proven);
    return proven;
  }

  private static String log(Path run) {
    return read(run.resolveSibling(run.getFileName() + ".log"));
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (java.io.IOException e) {
      return e.toString();
    }
  }

  /**
   * The weights that ship, the last checkpoint with its hash of the order in which data was taken,
   * every loss and norm, and which recordings each step held.
   */
  private static void assertSameBits(Path run, Path other) throws Exception {
    long last = RunFolder.record(other).step();
    assertThat(RunFolder.record(run).step()).isEqualTo(last);
    String stage = RunFolder.record(other).effectiveRecipe().containsKey("flow") ? "flow" : "lm";
    String checkpoint = "checkpoints/%08d/".formatted(last);
    var files =
        new ArrayList<>(
            List.of(
                checkpoint + "model.safetensors",
                checkpoint + "state.safetensors",
                checkpoint + "state.json",
                "order/codec.json"));
    if (Trainer.hasModel(RunFolder.record(other))) {
      files.addAll(List.of("model/model.safetensors", "order/" + stage + ".json"));
    }
    for (String file : files) {
      assertThat(run.resolve(file)).as(file).hasSameBinaryContentAs(other.resolve(file));
    }
    assertThat(learned(run)).isEqualTo(learned(other));
    Seen seen = Seen.of(run);
    for (long step = 1; step <= last; step++) {
      assertThat(seen.at(step)).isNotEmpty().isEqualTo(Seen.of(other).at(step));
    }
    for (String fact : List.of("orderSeen", "order.codec", "order." + stage)) {
      assertThat(RunFolder.record(run).facts().get(fact))
          .as(fact)
          .isEqualTo(RunFolder.record(other).facts().get(fact));
    }
    assertThat(RunFolder.record(run).facts()).containsKeys("orderSeen", "order.codec");
  }

  /** The metrics without those of the moment. */
  static List<MetricLine> learned(Path run) {
    var lines = new ArrayList<MetricLine>();
    for (MetricLine line : RunFolder.metrics(run)) {
      if (line.stage().equals(TokenStage.NAME)) {
        continue;
      }
      Map<String, Double> values = new LinkedHashMap<>(line.values());
      values
          .keySet()
          .removeAll(
              List.of(
                  "audioSecondsPerSecond",
                  "tokensPerSecond",
                  "flopsPerSecond",
                  "mfu",
                  "dataWait",
                  "memoryBytes"));
      lines.add(new MetricLine(line.stage(), line.step(), values));
    }
    return lines;
  }

  @Test
  void aRunKilledAtRandomMomentsGivesTheBitsOfAnUnbrokenOne() throws Exception {
    resumesExactly(3, 1, unbroken, List.of());
  }

  /** A codec alone, against a discriminator from its seventh step on. */
  private static List<String> adversarial(String phases) {
    return List.of(
        "steps=20",
        "codec.share=1",
        "codec.model.phases=" + phases,
        "codec.adversarial.weight=0.2",
        "codec.adversarial.start=0.3",
        "codec.adversarial.frames=8",
        "codec.adversarial.periodChannels=1",
        "codec.adversarial.bandChannels=2");
  }

  @Test
  void aRunAgainstADiscriminatorKilledAtRandomMomentsGivesTheBitsOfAnUnbrokenOne()
      throws Exception {
    List<String> overrides = adversarial("NETWORK");
    Path whole = home.resolve("whole");
    Recipe recipe = RecipeText.withOverrides(Small.recipe(), overrides);
    try (Dataset opened = Dataset.open(dataset)) {
      RunRecord record = Trainer.run(recipe, opened, whole, Progress.NONE);
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
      assertThat(record.step()).isEqualTo(20);
      assertThat(Trainer.hasModel(record)).isFalse();
      assertThat(whole.resolve(String.valueOf(record.facts().get("codec")))).isRegularFile();
      for (String figure : List.of("MelDistance", "StftDistance", "SiSdr")) {
        assertThat(record.facts()).containsKey("heldOut" + figure + ".end");
      }
    }
    Map<String, Lab.Curve> curves = Lab.curves(whole);
    List<Double> own = curves.get("codec/lossOfDiscriminator").values();
    assertThat(own.subList(0, 6)).containsOnly(0.0);
    assertThat(own.subList(6, 20)).allMatch(value -> value > 0);
    resumesExactly(2, 3, whole, overrides);
  }

  @Test
  void aRunAgainstAJudgeOfSpectraStoppedAndGoneOnGivesTheBitsOfAnUnbrokenOne() throws Exception {
    var overrides = new ArrayList<>(adversarial("RECOVERED"));
    overrides.add("codec.accumulate=2");
    Recipe recipe = RecipeText.withOverrides(Small.recipe(), overrides);
    Path whole = home.resolve("whole");
    Path run = home.resolve("run");
    try (Dataset opened = Dataset.open(dataset)) {
      Trainer.run(recipe, opened, whole, Progress.NONE);
      assertThat(runUntilLine(recipe, opened, run, 9).status()).isEqualTo(RunStatus.STOPPED);
      assertThat(RunFolder.record(run).step()).isEqualTo(9);
      assertThat(runUntilLine(recipe, opened, run, 30).status()).isEqualTo(RunStatus.FINISHED);
      Replay.Outcome outcome = Replay.run(run, opened, home.resolve("replay"), 0, Progress.NONE);
      assertThat(outcome.agrees()).isTrue();
      Plan plan = Planning.of(recipe, opened, home.resolve("planned"));
      assertThat(plan.problems()).isEmpty();
      assertThat(plan.stages()).hasSize(1);
      RunRecord record = RunFolder.record(whole);
      assertThat(plan.stages().getFirst().order()).isEqualTo(record.facts().get("order.codec"));
      Recipe alone = RecipeText.withOverrides(recipe, List.of("codec.adversarial.weight=0"));
      assertThat(plan.stages().getFirst().flopsPerStep())
          .isGreaterThan(
              Planning.of(alone, opened, home.resolve("planned"))
                  .stages()
                  .getFirst()
                  .flopsPerStep());
      assertThat(Planning.lines(plan)).noneMatch(line -> line.startsWith("tokens"));
    }
    assertSameBits(run, whole);
  }

  /** A flow model's run: trained once, then killed, planned, replayed, loaded. */
  @Test
  void aFlowModelsRunIsARunLikeAnother() throws Exception {
    recipe = "small-flow";
    Path whole = home.resolve("whole");
    try (Dataset opened = Dataset.open(dataset)) {
      Recipe flow = Small.flowRecipe();
      RunRecord record = Trainer.run(flow, opened, whole, Progress.NONE);
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
      resumesExactly(2, 3, whole, List.of());

      Plan plan = Planning.of(flow, opened, home.resolve("planned"));
      assertThat(plan.problems()).isEmpty();
      assertThat(plan.runId()).isEqualTo(record.id());
      Plan.Stage stage = plan.stages().get(1);
      assertThat(stage.name()).isEqualTo("flow");
      assertThat(stage.order()).isEqualTo(record.facts().get("order.flow"));
      assertThat(stage.flopsPerStep()).isPositive();

      Replay.Outcome replay = Replay.run(whole, opened, home.resolve("replay"), 0, Progress.NONE);
      assertThat(replay.agrees()).isTrue();
      assertThat(replay.sameModel()).isTrue();

      assertThat(Seen.of(whole).counts("flow").values().stream().mapToLong(n -> n).sum())
          .isEqualTo(40);
      Lab.Curve heldOut = Lab.curves(whole).get("flow/heldOutLoss");
      assertThat(heldOut.values().getLast()).isLessThan(heldOut.values().getFirst());
      ModelCard shipped = ModelCard.read(Trainer.modelFolder(whole));
      assertThat(Trainer.snapshot(opened, whole, home.resolve("model")).id())
          .isEqualTo(shipped.id());
      try (HouseModel model = HouseModel.load(Trainer.modelFolder(whole))) {
        assertThat(model.isFlow()).isTrue();
        assertThat(model.card().kind()).isEqualTo("flow model");
        assertThat(model.card().evaluation()).containsKey("heldOutLoss.end");
      }
    }
  }

  @Test
  void partsOfAFlowModelsBatchTrainTheSame() {
    try (Dataset opened = Dataset.open(dataset)) {
      Path whole = home.resolve("whole");
      Path parts = home.resolve("parts");
      List<String> few = List.of("steps=24", "codec.share=0.9", "flow.optimiser.name=muon");
      Trainer.run(RecipeText.withOverrides(Small.flowRecipe(), few), opened, whole, Progress.NONE);
      var inParts = new ArrayList<>(few);
      inParts.add("accumulate=2");
      Trainer.run(
          RecipeText.withOverrides(Small.flowRecipe(), inParts), opened, parts, Progress.NONE);
      List<Double> losses = Lab.curves(whole).get("flow/loss").values();
      for (int i = 0; i < losses.size(); i++) {
        assertThat(Lab.curves(parts).get("flow/loss").values().get(i))
            .isCloseTo(losses.get(i), within(1e-4));
      }
    }
  }

  @Test
  @Tag("slow")
  void aRunOfAHundredStepsAStageKilledTwentyTimesGivesTheBitsOfAnUnbrokenOne() throws Exception {
    List<String> overrides = List.of("steps=200", "lm.stopAfter=0");
    Path longer = home.resolve("longer");
    assertThat(fork(longer, overrides).waitFor()).as(() -> log(longer)).isZero();
    assertThat(RunFolder.record(longer).step()).isEqualTo(200);
    int kills = Integer.getInteger("descant.kills", 20);
    int proven = resumesExactly(kills, 2, longer, overrides);
    assertThat(proven).isGreaterThanOrEqualTo(kills / 4);
  }

  /** Both stages, with checkpoints and measurements, in a process whose heap cannot grow. */
  @Test
  @Tag("slow")
  void nativeMemoryDoesNotGrowOverTenThousandSteps() throws Exception {
    Path run = home.resolve("run");
    Process process =
        fork(
            run,
            List.of("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch"),
            List.of(
                "steps=24000",
                "logEvery=100",
                "checkpoint.every=500",
                "lm.evaluateEvery=1000",
                "lm.stopAfter=0"));
    assertThat(process.waitFor()).as(() -> log(run)).isZero();
    for (String stage : List.of(CodecStage.NAME, LmStage.NAME)) {
      var memory = new TreeMap<Long, Double>();
      for (MetricLine line : RunFolder.metrics(run)) {
        Double bytes = line.values().get("memoryBytes");
        if (line.stage().equals(stage) && bytes != null) {
          memory.put(line.step(), bytes);
        }
      }
      double growth = (memory.lastEntry().getValue() - memory.get(memory.lastKey() - 10_000)) / 1e6;
      System.out.printf("%s: resident memory grew by %.1f MB over 10,000 steps%n", stage, growth);
      assertThat(growth).as(stage + ": MB over 10,000 steps").isLessThan(8);
    }
  }

  @Test
  void aRunStoppedAfterAnyStepGoesOnToTheSameBits() throws Exception {
    Path run = home.resolve("run");
    try (Dataset opened = Dataset.open(dataset)) {
      RunStatus status = RunStatus.RUNNING;
      for (int stops = 0; status != RunStatus.FINISHED; stops++) {
        assertThat(stops).isLessThan(30);
        status = runUntilLine(Small.recipe(), opened, run, 4).status();
        assertThat(RunFolder.record(run).status()).isEqualTo(status);
      }
    }
    assertSameBits(run, unbroken);
  }

  /** Starts a run, or goes on with it, and asks it to stop at its n-th logged line. */
  private static RunRecord runUntilLine(Recipe recipe, Dataset opened, Path run, int n) {
    var lines = new AtomicInteger();
    var trainer = new Trainer[1];
    var progress =
        new Progress() {
          @Override
          public void step(Line line) {
            if (lines.incrementAndGet() == n) {
              trainer[0].stop();
            }
          }

          @Override
          public void note(String sentence) {}
        };
    trainer[0] = new Trainer(recipe, opened, run, progress);
    return trainer[0].run();
  }

  @Test
  void aFinishedRunReturnsItsRecordAndAnotherRecipeOrDatasetIsRefused() {
    try (Dataset opened = Dataset.open(dataset)) {
      RunRecord record = Trainer.run(Small.recipe(), opened, unbroken, Progress.NONE);
      assertThat(record).isEqualTo(RunFolder.record(unbroken));
      assertThat(record.step()).isEqualTo(40);
      assertThat(record.datasetRoot()).isEqualTo(opened.manifest().root());
      assertThat(record.facts()).containsKeys("heldOutLoss.end", "heldOutMelDistance.end");
      Recipe other = RecipeText.withOverrides(Small.recipe(), List.of("seed=4"));
      assertThatThrownBy(() -> Trainer.run(other, opened, unbroken, Progress.NONE))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("another recipe");
    }
  }

  @Test
  void theModelLoadsAndItsCardNamesWhatItLearnedFrom() {
    Path folder = Trainer.modelFolder(unbroken);
    try (HouseModel model = HouseModel.load(folder);
        Dataset opened = Dataset.open(dataset)) {
      ModelCard card = model.card();
      assertThat(card.datasetRoot()).isEqualTo(opened.manifest().root());
      assertThat(card.recordings()).hasSize(Small.RECORDINGS);
      assertThat(card.recordings().stream().filter(ModelCard.TrainedOn::heldOut)).hasSize(1);
      assertThat(card.recordings().getFirst().style()).hasSize(16);
      assertThat(card.evaluation()).containsKey("heldOutLoss.end");
      @SuppressWarnings("unchecked")
      var seen = (Map<String, Number>) card.training().get("sequencesSeen");
      assertThat(seen.values().stream().mapToLong(Number::longValue).sum()).isEqualTo(40);
      String heldOut =
          card.recordings().stream()
              .filter(ModelCard.TrainedOn::heldOut)
              .findFirst()
              .orElseThrow()
              .isrc();
      assertThat(seen).doesNotContainKey(heldOut);
    }
  }

  @Test
  void aRunThatChangesTheLanguageModelAloneFindsTheCodesOfTheOneBefore() throws Exception {
    Small.forgetFields(dataset);
    Recipe slower = RecipeText.withOverrides(Small.recipe(), List.of("lm.learningRate=0.001"));
    Recipe more = RecipeText.withOverrides(Small.recipe(), List.of("augment.copies=3"));
    Path first = home.resolve("first");
    Path second = home.resolve("second");
    Path alone = home.resolve("alone");
    try (Dataset opened = Dataset.open(dataset)) {
      Trainer.run(Small.recipe(), opened, first, Progress.NONE);
      assertThat(coded(first)).isTrue();
      Trainer.run(slower, opened, second, Progress.NONE);
      assertThat(coded(second)).as("codes the same again").isFalse();
      assertThat(fields(second)).hasSize(2).isEqualTo(fields(first));

      Trainer.run(more, opened, home.resolve("more"), Progress.NONE);
      assertThat(coded(home.resolve("more"))).isTrue();
      assertThat(fields(home.resolve("more"))).doesNotContain(fields(first).getFirst());
      opened.verify();

      Small.forgetFields(dataset);
      Trainer.run(slower, opened, alone, Progress.NONE);
      assertThat(coded(alone)).isTrue();
    }
    assertSameBits(second, alone);
    assertSameBits(first, unbroken);
  }

  /** The half of a run after its codec, made alone, is the same to the last bit. */
  @Test
  void aRunThatTakesTheCodecOfAnotherLearnsTheSameLanguageModel() throws Exception {
    Recipe recipe =
        RecipeText.withOverrides(Small.recipe(), List.of("steps=20", "codec.from=" + unbroken));
    Path run = home.resolve("run");
    try (Dataset opened = Dataset.open(dataset)) {
      Plan plan = Planning.of(recipe, opened, home.resolve("planned"));
      assertThat(plan.stages()).singleElement().extracting(Plan.Stage::name).isEqualTo("lm");
      assertThat(runUntilLine(recipe, opened, run, 4).status()).isEqualTo(RunStatus.STOPPED);
      RunRecord record = runUntilLine(recipe, opened, run, 100);
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
      assertThat(record.step()).isEqualTo(20);
      assertThat(plan.recipeHash()).isEqualTo(record.recipeHash());
      assertThat(String.valueOf(record.effectiveRecipe())).doesNotContain(unbroken.toString());
      assertThat(fields(run)).isEqualTo(fields(unbroken));
      for (String curve : List.of("lm/loss", "lm/gradientNorm", "lm/heldOutLoss")) {
        assertThat(Lab.curves(run).get(curve).values())
            .as(curve)
            .isEqualTo(Lab.curves(unbroken).get(curve).values());
      }
      assertThat(Replay.run(run, opened, home.resolve("replay"), 0, Progress.NONE).sameModel())
          .isTrue();
      // From the model that ships, whose weights are rounded: another codec, another run.
      Path model = Trainer.modelFolder(unbroken);
      Path rounded = home.resolve("rounded");
      RunRecord other =
          Trainer.run(
              RecipeText.withOverrides(recipe, List.of("codec.from=" + model)),
              opened,
              rounded,
              Progress.NONE);
      assertThat(other.recipeHash()).isNotEqualTo(record.recipeHash());
      assertThat(fields(rounded)).doesNotContainAnyElementsOf(fields(run));
    }
  }

  @Test
  void aCodecThatDoesNotFitIsRefused() throws Exception {
    try (Dataset opened = Dataset.open(dataset)) {
      for (String[] wrong :
          new String[][] {
            {"heldOut=2", "heldOut=2 sets aside"},
            {"codec.model.width=24", "another shape"},
            {"codec.share=1", "codec.share"},
            {"codec.from=" + home, "card.json"}
          }) {
        assertThatThrownBy(() ->
                Trainer.run(
                    RecipeText.withOverrides(
                        Small.recipe(), List.of("codec.from=" + unbroken, wrong[0])),
                    opened,
                    home.resolve(wrong[1].replace(' ', '-')),
                    Progress.NONE))
            .as(wrong[0])
            .hasMessageContaining(wrong[1]);
      }
      Path early = home.resolve("early");
      assertThat(runUntilLine(Small.recipe(), opened, early, 5).status())
          .isEqualTo(RunStatus.STOPPED);
      assertThatThrownBy(() -> takeCodec(early, opened))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("let it run on");
    }
    String learned = Seen.of(unbroken).at(1).getFirst();
    Path data = Small.dataset(home.resolve("data"));
    Dataset.withdraw(data, Small.refusal(learned));
    try (Dataset opened = Dataset.open(data)) {
      assertThatThrownBy(() -> takeCodec(unbroken, opened))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining(learned + ", which was withdrawn since");
    }
  }

  private void takeCodec(Path from, Dataset opened) {
    Trainer.run(
        RecipeText.withOverrides(Small.recipe(), List.of("codec.from=" + from)),
        opened,
        home.resolve("taken"),
        Progress.NONE);
  }

  private static boolean coded(Path run) {
    return RunFolder.metrics(run).stream().anyMatch(line -> line.stage().equals(TokenStage.NAME));
  }

  private static List<String> fields(Path run) {
    return ((List<?>) RunFolder.record(run).facts().get(Trainer.FIELDS))
        .stream().map(String::valueOf).toList();
  }

  @Test
  void aSnapshotOfAFinishedRunIsItsModel() throws Exception {
    try (Dataset opened = Dataset.open(dataset)) {
      ModelCard card = Trainer.snapshot(opened, unbroken, home.resolve("model"));
      assertThat(card.id()).isEqualTo(ModelCard.read(Trainer.modelFolder(unbroken)).id());
      assertThatThrownBy(() -> Trainer.snapshot(opened, home, home.resolve("model")))
          .isInstanceOf(org.descant.lab.LabException.class);
    }
  }

  @Test
  void partsAndLayersThatRunTwiceTrainTheSame() {
    try (Dataset opened = Dataset.open(dataset)) {
      Recipe recipe =
          RecipeText.withOverrides(
              Small.recipe(), List.of("accumulate=2", "codec.accumulate=2", "lm.recompute=true"));
      Path run = home.resolve("run");
      Trainer.run(recipe, opened, run, Progress.NONE);
      Map<String, Lab.Curve> curves = Lab.curves(run);
      Map<String, Lab.Curve> others = Lab.curves(unbroken);
      // The first codec step differs by design: its codebook entries start on the first part.
      assertThat(curves.get("lm/loss").values()).hasSize(20);
      assertThat(curves.get("codec/loss").values().getLast())
          .isCloseTo(others.get("codec/loss").values().getLast(), within(0.2));
      assertThat(curves.get("lm/loss").values().getLast())
          .isCloseTo(others.get("lm/loss").values().getLast(), within(0.2));
    }
  }

  @Test
  void muonAndWsdResumeExactly() throws Exception {
    try (Dataset opened = Dataset.open(dataset)) {
      Recipe recipe =
          RecipeText.withOverrides(
              Small.recipe(),
              List.of(
                  "codec.optimiser.name=muon",
                  "lm.optimiser.name=muon",
                  "codec.schedule.name=wsd",
                  "lm.schedule.name=wsd"));
      Path whole = home.resolve("whole");
      Trainer.run(recipe, opened, whole, Progress.NONE);
      Path parts = home.resolve("parts");
      RunStatus status = RunStatus.RUNNING;
      for (int stops = 0; status != RunStatus.FINISHED; stops++) {
        assertThat(stops).isLessThan(10);
        status = runUntilLine(recipe, opened, parts, 17).status();
      }
      assertSameBits(parts, whole);
    }
  }

  @Test
  void spansAndMelodiesResumeExactlyAndTheirMiddlesAreMeasured() throws Exception {
    try (Dataset opened = Dataset.open(dataset)) {
      Recipe recipe =
          RecipeText.withOverrides(
              Small.recipe(),
              List.of("lm.spans=0.5", "lm.model.spans=true", "lm.model.melody=true"));
      Path whole = home.resolve("whole");
      Trainer.run(recipe, opened, whole, Progress.NONE);
      Path parts = home.resolve("parts");
      RunStatus status = RunStatus.RUNNING;
      for (int stops = 0; status != RunStatus.FINISHED; stops++) {
        assertThat(stops).isLessThan(10);
        status = runUntilLine(recipe, opened, parts, 17).status();
      }
      assertSameBits(parts, whole);
      Map<String, Lab.Curve> curves = Lab.curves(whole);
      int measured = curves.get("lm/heldOutLoss").values().size();
      assertThat(curves.get("lm/heldOutMiddleLoss").values()).hasSize(measured);
      assertThat(curves.get("lm/heldOutMiddleLossWithoutAfter").values()).hasSize(measured);
      assertThat(Lab.curves(unbroken)).doesNotContainKey("lm/heldOutMiddleLoss");
      try (HouseModel model = HouseModel.load(whole.resolve("model"))) {
        assertThat(model.languageModel().config().spans()).isTrue();
        assertThat(model.languageModel().config().melody()).isTrue();
      }
    }
  }

  @Test
  void theGuardNamesTheBatchAndTheSkippedStepIsInTheRecord() {
    List<String> strict = List.of("guard.zScore=0.5", "guard.window=2", "guard.limit=100");
    try (Dataset opened = Dataset.open(dataset)) {
      Path stopped = home.resolve("stopped");
      assertThatThrownBy(() ->
              Trainer.run(
                  RecipeText.withOverrides(Small.recipe(), strict), opened, stopped, Progress.NONE))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("deviations above");
      assertThat(RunFolder.record(stopped).status()).isEqualTo(RunStatus.FAILED);
      RunEvent refused =
          RunFolder.events(stopped).stream()
              .filter(e -> e.event().equals("guard.refused"))
              .findFirst()
              .orElseThrow();
      assertThat(refused.facts().get("isrcs"))
          .isEqualTo(
              Seen.upTo(unbroken, 40).at(refused.step()).stream().sorted().distinct().toList());

      Path skipped = home.resolve("skipped");
      var skips = new ArrayList<>(strict);
      skips.add("guard.policy=skip");
      Recipe recipe = RecipeText.withOverrides(Small.recipe(), skips);
      RunRecord record = Trainer.run(recipe, opened, skipped, Progress.NONE);
      Seen seen = Seen.of(skipped);
      assertThat(seen.skippedSteps()).contains(refused.step());
      assertThat(seen.at(refused.step())).isEmpty();
      assertThat((List<?>) record.facts().get("skippedSteps")).hasSameSizeAs(seen.skippedSteps());
    }
  }

  @Test
  void theFolderAloneTellsWhichRecordingsWereSeenInWhichSteps() {
    Seen seen = Seen.of(unbroken);
    assertThat(seen.lastStep()).isEqualTo(40);
    assertThat(seen.skippedSteps()).isEmpty();
    long excerpts = 0;
    for (long step = 1; step <= 40; step++) {
      assertThat(seen.at(step)).hasSize(2);
      for (String isrc : seen.at(step)) {
        assertThat(seen.steps(isrc)).contains(step);
        excerpts++;
      }
    }
    assertThat(
            seen.counts().values().stream()
                .flatMap(c -> c.values().stream())
                .mapToLong(Long::longValue)
                .sum())
        .isEqualTo(excerpts);
    assertThat(seen.at(0)).isEmpty();
    assertThat(seen.at(41)).isEmpty();
  }

  @Test
  void aPlanForeseesShapeAndOrderOfTheRunAndWritesNothing() {
    try (Dataset opened = Dataset.open(dataset)) {
      Path folder = home.resolve("planned");
      Plan plan = Planning.of(Small.recipe(), opened, folder);
      assertThat(folder).doesNotExist();
      assertThat(plan.problems()).isEmpty();
      RunRecord record = RunFolder.record(unbroken);
      assertThat(plan.recipeHash()).isEqualTo(record.recipeHash());
      assertThat(plan.runId()).isEqualTo(record.id());
      Plan.Stage codec = plan.stages().get(0);
      Plan.Stage lm = plan.stages().get(1);
      assertThat(codec.order()).isEqualTo(record.facts().get("order.codec"));
      assertThat(lm.order()).isEqualTo(record.facts().get("order.lm"));
      assertThat(codec.firstLoss())
          .isEqualTo(Lab.curves(unbroken).get("codec/loss").values().getFirst());
      assertThat(lm.steps()).isEqualTo(20);
      assertThat(lm.modelBytes()).isGreaterThanOrEqualTo(8 * lm.parameters());
      assertThat(lm.optimizerBytes()).isGreaterThanOrEqualTo(12 * lm.parameters());
      assertThat(lm.checkpointBytes()).isGreaterThan(lm.optimizerBytes() + 4 * lm.parameters());
      assertThat(lm.flopsPerStep()).isPositive();
      assertThat(plan.seconds()).isGreaterThan(lm.seconds() + codec.seconds());
      assertThat(Planning.lines(plan)).anyMatch(line -> line.startsWith("lm "));

      // Two billion checkpoints have no room anywhere near here.
      Recipe hoarding =
          RecipeText.withOverrides(Small.recipe(), List.of("checkpoint.keep=2000000000"));
      assertThat(Planning.of(hoarding, opened, folder).problems())
          .singleElement()
          .asString()
          .contains("disk")
          .contains("checkpoint.keep");
    }
  }
}
