package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
  @TempDir static Path shared;
  private static Path dataset;
  private static Path unbroken;

  @TempDir Path home;

  /** A process of its own that trains into a folder, as the tests that kill need it. */
  static final class Main {
    private Main() {}

    public static void main(String[] arguments) {
      Recipe recipe =
          RecipeText.withOverrides(Small.recipe(), List.of(arguments).subList(2, arguments.length));
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

  private static Process fork(Path run, String... overrides) throws Exception {
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
            dataset.toString(),
            run.toString()));
    command.addAll(List.of(overrides));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(run.resolveSibling(run.getFileName() + ".log").toFile())
        .start();
  }

  /** Kills after a random number of new log lines and a random wait; the wait is not a deadline. */
  private static void killAtRandom(Process process, Path run, SplittableRandom random)
      throws Exception {
    Path log = run.resolveSibling(run.getFileName() + ".log");
    int lines = random.nextInt(1, 9);
    while (process.isAlive() && Files.readAllLines(log).size() < lines) {
      process.waitFor(2, TimeUnit.MILLISECONDS);
    }
    process.waitFor(random.nextInt(0, 120), TimeUnit.MILLISECONDS);
    process.destroyForcibly().waitFor();
  }

  private void resumesExactly(int kills, long seed, String... overrides) throws Exception {
    Path run = home.resolve("run");
    var random = new SplittableRandom(seed);
    for (int kill = 0; kill < kills; kill++) {
      killAtRandom(fork(run, overrides), run, random);
    }
    Process last = fork(run, overrides);
    assertThat(last.waitFor()).as(() -> read(run.resolveSibling("run.log"))).isZero();
    assertSameBits(run, unbroken);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (java.io.IOException e) {
      return e.toString();
    }
  }

  /** The weights that ship, the last checkpoint, and every loss and norm that was logged. */
  private static void assertSameBits(Path run, Path other) throws Exception {
    for (String file :
        List.of("model/model.safetensors", "checkpoints/00000040/model.safetensors")) {
      assertThat(run.resolve(file)).as(file).hasSameBinaryContentAs(other.resolve(file));
    }
    assertThat(learned(run)).isEqualTo(learned(other));
  }

  /** The metrics without those of the moment. */
  private static List<MetricLine> learned(Path run) {
    var lines = new ArrayList<MetricLine>();
    for (MetricLine line : RunFolder.metrics(run)) {
      if (line.stage().equals(TokenStage.NAME)) {
        continue;
      }
      Map<String, Double> values = new LinkedHashMap<>(line.values());
      values
          .keySet()
          .removeAll(
              List.of("audioSecondsPerSecond", "tokensPerSecond", "dataWait", "memoryBytes"));
      lines.add(new MetricLine(line.stage(), line.step(), values));
    }
    return lines;
  }

  @Test
  void aRunKilledAtRandomMomentsGivesTheBitsOfAnUnbrokenOne() throws Exception {
    resumesExactly(3, 1);
  }

  @Test
  @Tag("slow")
  void aRunKilledTwentyTimesGivesTheBitsOfAnUnbrokenOne() throws Exception {
    resumesExactly(20, 2);
  }

  @Test
  void aRunStoppedAfterAnyStepGoesOnToTheSameBits() throws Exception {
    Path run = home.resolve("run");
    try (Dataset opened = Dataset.open(dataset)) {
      RunStatus status = RunStatus.RUNNING;
      for (int stops = 0; status != RunStatus.FINISHED; stops++) {
        assertThat(stops).isLessThan(30);
        var lines = new AtomicInteger();
        var trainer = new Trainer[1];
        var progress =
            new Progress() {
              @Override
              public void step(Line line) {
                if (lines.incrementAndGet() == 2) {
                  trainer[0].stop();
                }
              }

              @Override
              public void note(String sentence) {}
            };
        trainer[0] = new Trainer(Small.recipe(), opened, run, progress);
        status = trainer[0].run().status();
        assertThat(RunFolder.record(run).status()).isEqualTo(status);
      }
    }
    assertSameBits(run, unbroken);
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
  void aLossThatIsNotFiniteIsStoppedBeforeTheOptimizerAndNamesTheRecordings() {
    try (Dataset opened = Dataset.open(dataset)) {
      Setting setting =
          Setting.of(
              Small.recipe(),
              "ab".repeat(32),
              opened,
              home.resolve("run"),
              line -> {},
              Progress.NONE,
              () -> false);
      assertThatThrownBy(() -> setting.guard("codec", 12, Double.NaN, 1, List.of(0, 2, 0)))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("step 12")
          .hasMessageContaining("QZTST2600001, QZTST2600003");
      assertThatThrownBy(() -> setting.guard("lm", 3, 1, Double.POSITIVE_INFINITY, List.of(1)))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("QZTST2600002");
      setting.guard("lm", 3, 1, 1, List.of(1));
    }
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
}
