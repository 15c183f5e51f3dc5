package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.lab.Lab;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.Order;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A recording is withdrawn while a run trains on it. Checkpoints are at 7, 14, 20, 21, 28, 35. */
class WithdrawalTest {
  private static final Recipe RECIPE =
      RecipeText.withOverrides(Small.recipe(), List.of("logEvery=1", "lm.stopAfter=0"));

  @TempDir static Path shared;
  private static Path original;
  private static String heldOut;
  private static String trained;
  private static Seen never;

  @TempDir Path home;

  @BeforeAll
  static void trainOnceWithNothingWithdrawn() {
    original = Small.dataset(shared.resolve("dataset"));
    try (Dataset dataset = Dataset.open(original)) {
      int out = dataset.heldOut(1).getFirst();
      heldOut = dataset.isrc(out);
      trained = dataset.isrc(out == 0 ? 1 : 0);
      Trainer.run(RECIPE, dataset, shared.resolve("never"), Progress.NONE);
    }
    never = Seen.of(shared.resolve("never"));
  }

  /** Trains until a step's line, and ends there as a killed process does. */
  static final class Main {
    private Main() {}

    public static void main(String[] arguments) {
      Path run = Path.of(arguments[1]);
      long whole = Long.parseLong(arguments[2]);
      try (Dataset dataset = Dataset.open(Path.of(arguments[0]))) {
        Trainer.run(RECIPE, dataset, run, at(Long.parseLong(arguments[3]), () -> die(run, whole)));
      }
    }

    /** Once a checkpoint is whole, because it is written beside the steps. */
    private static void die(Path run, long whole) {
      while (!Files.isDirectory(run.resolve("checkpoints/%08d".formatted(whole)))) {
        Thread.onSpinWait();
      }
      Runtime.getRuntime().halt(137);
    }
  }

  /** Does something at the line of a step of the run. */
  private static Progress at(long runStep, Runnable what) {
    return new Progress() {
      @Override
      public void step(Line line) {
        if (!line.stage().equals("tokens")
            && line.step() + (line.stage().equals("lm") ? 20 : 0) == runStep) {
          what.run();
        }
      }

      @Override
      public void note(String sentence) {}
    };
  }

  private Path copied(String name) {
    Path copy = home.resolve(name);
    try (var files = Files.walk(original)) {
      // Without what the run before has coded.
      for (Path file : files.filter(f -> !original.relativize(f).startsWith("fields")).toList()) {
        Files.copy(file, copy.resolve(original.relativize(file).toString()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return copy;
  }

  private static void withdraw(Path dataset, String... isrcs) {
    for (String isrc : isrcs) {
      Dataset.withdraw(dataset, Small.refusal(isrc));
    }
  }

  /** A run that nothing breaks; another process withdraws while it makes a step. */
  private Path unbroken(long whileStep, String... isrcs) {
    Path data = copied("data.unbroken");
    Path run = home.resolve("unbroken");
    try (Dataset dataset = Dataset.open(data)) {
      RunRecord record =
          Trainer.run(RECIPE, dataset, run, at(whileStep, () -> withdraw(data, isrcs)));
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
    }
    return run;
  }

  /** A run that is killed after a checkpoint, and goes on after a withdrawal. */
  private Path killed(long checkpoint, long step, String... isrcs) throws Exception {
    Path data = copied("data.killed");
    Path run = home.resolve("killed");
    Process process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
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
                String.valueOf(checkpoint),
                String.valueOf(step))
            .redirectErrorStream(true)
            .redirectOutput(home.resolve("killed.log").toFile())
            .start();
    assertThat(process.waitFor()).as(() -> read(home.resolve("killed.log"))).isEqualTo(137);
    withdraw(data, isrcs);
    try (Dataset dataset = Dataset.open(data)) {
      assertThat(Trainer.run(RECIPE, dataset, run, Progress.NONE).status())
          .isEqualTo(RunStatus.FINISHED);
    }
    return run;
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static void assertSameBits(Path run, Path other) throws Exception {
    for (String file :
        List.of(
            "model/model.safetensors",
            "checkpoints/00000040/model.safetensors",
            "checkpoints/00000040/state.json",
            "order/codec.json",
            "order/lm.json")) {
      assertThat(run.resolve(file)).as(file).hasSameBinaryContentAs(other.resolve(file));
    }
    assertThat(TrainerTest.learned(run)).isEqualTo(TrainerTest.learned(other));
    for (String fact : List.of("orderSeen", "withdrawn", "sequencesSeen")) {
      assertThat(RunFolder.record(run).facts().get(fact))
          .as(fact)
          .isNotNull()
          .isEqualTo(RunFolder.record(other).facts().get(fact));
    }
    assertThat(ModelCard.read(run.resolve("model")).recordings())
        .isEqualTo(ModelCard.read(other.resolve("model")).recordings());
  }

  /** Up to a step all is as it was; from there on the others come in the order they had. */
  private static void assertOrderOfTheOthers(
      Seen seen, String withdrawn, long from, long first, long last) {
    var before = new ArrayList<String>();
    var after = new ArrayList<String>();
    for (long step = first; step <= last; step++) {
      if (step < from) {
        assertThat(seen.at(step)).isEqualTo(never.at(step));
      } else {
        before.addAll(never.at(step));
        after.addAll(seen.at(step));
      }
    }
    assertThat(before).contains(withdrawn);
    before.removeIf(withdrawn::equals);
    assertThat(after).doesNotContain(withdrawn).startsWith(before.toArray(String[]::new));
  }

  @Test
  void aWithdrawalDuringTheCodecsStageHoldsFromTheNextCheckpointOnKilledOrNot() throws Exception {
    Path unbroken = unbroken(12, trained);
    Path killed = killed(14, 17, trained);
    assertSameBits(killed, unbroken);
    Seen seen = Seen.of(unbroken);
    assertOrderOfTheOthers(seen, trained, 15, 1, 20);
    assertOrderOfTheOthers(seen, trained, 21, 21, 40);
    Seen.Withdrawn out = seen.withdrawn().get(trained);
    assertThat(out).isNotNull();
    assertThat(out.from()).isEqualTo(15);
    assertThat(out.lastSeen())
        .isBetween(1L, 14L)
        .isEqualTo(
            never.steps(trained).stream()
                .filter(step -> step < 15)
                .mapToLong(Long::longValue)
                .max()
                .orElseThrow());
    for (Path run : List.of(unbroken, killed)) {
      assertThat(RunFolder.record(run).facts()).containsEntry("withdrawn", Map.of(trained, 15));
      List<RunEvent> events =
          RunFolder.events(run).stream().filter(e -> e.event().equals("data.withdrawn")).toList();
      assertThat(events).hasSize(1);
      assertThat(events.getFirst().step()).isEqualTo(15);
      assertThat(events.getFirst().facts()).containsEntry("isrcs", List.of(trained));
    }
    try (Dataset dataset = Dataset.open(home.resolve("data.unbroken"))) {
      assertThat(Replay.withdrawnSince(RunFolder.record(unbroken), dataset))
          .singleElement()
          .asString()
          .contains(trained + " was withdrawn since it began");
    }
    // It was learned from, so the card names it, and says no more of how it sounds.
    ModelCard.TrainedOn named =
        ModelCard.read(unbroken.resolve("model")).recordings().stream()
            .filter(r -> r.isrc().equals(trained))
            .findFirst()
            .orElseThrow();
    assertThat(named.style()).isEmpty();
  }

  @Test
  void aWithdrawalDuringTheLanguageModelsStageIncludesWhatIsMeasured() throws Exception {
    Path unbroken = unbroken(27, trained, heldOut);
    Path killed = killed(28, 29, trained, heldOut);
    assertSameBits(killed, unbroken);
    assertOrderOfTheOthers(Seen.of(unbroken), trained, 29, 21, 40);
    assertThat(Lab.curves(unbroken).get("lm/heldOutLoss").steps())
        .as("measured while there was something to measure on")
        .isNotEmpty()
        .allMatch(step -> step <= 28);
    assertThat(Lab.curves(unbroken).get("lm/loss").steps()).hasSize(20);
  }

  @Test
  void whatWasWithdrawnBeforeARunBeganIsNeverReadAndThePlanSaysTheSame() throws Exception {
    Path data = copied("data");
    withdraw(data, trained);
    Path run = home.resolve("run");
    try (Dataset dataset = Dataset.open(data)) {
      Plan plan = Planning.of(RECIPE, dataset, home.resolve("planned"));
      assertThat(plan.problems()).isEmpty();
      assertThat(home.resolve("planned")).doesNotExist();
      Trainer.run(RECIPE, dataset, run, Progress.NONE);
      assertThat(plan.stages().getFirst().firstLoss())
          .isEqualTo(Lab.curves(run).get("codec/loss").values().getFirst());
    }
    Seen seen = Seen.of(run);
    assertThat(seen.steps(trained)).isEmpty();
    assertOrderOfTheOthers(seen, trained, 1, 1, 20);
    assertThat(seen.withdrawn()).containsEntry(trained, new Seen.Withdrawn(1, 0));
    try (var fields = Files.list(data.resolve("fields"))) {
      assertThat(fields)
          .hasSize(3)
          .allSatisfy(field ->
              assertThat(Files.readString(field, StandardCharsets.ISO_8859_1))
                  .contains("\"length\":0,\"isrc\":\"%s\"".formatted(trained)));
    }
    assertThat(ModelCard.read(run.resolve("model")).recordings())
        .extracting(ModelCard.TrainedOn::isrc)
        .hasSize(Small.RECORDINGS - 1)
        .doesNotContain(trained);
  }

  /** Orders of runs that were made before withdrawals were kept are read as they are. */
  @Test
  void anOrderWithoutWithdrawalsIsReadAsOneWithNone() throws Exception {
    Path run = home.resolve("run");
    Path file = shared.resolve("never/order/codec.json");
    String text = Files.readString(file);
    assertThat(text).contains(",\"withdrawn\":{}");
    Files.createDirectories(run.resolve("order"));
    Files.writeString(run.resolve("order/codec.json"), text.replace(",\"withdrawn\":{}", ""));
    assertThat(Order.read(run)).containsExactly(Order.read(shared.resolve("never")).getFirst());
  }

  @Test
  void aRunWithNothingLeftToLearnFromEndsWithASentence() {
    Path data = copied("data");
    for (int n = 1; n <= Small.RECORDINGS; n++) {
      if (!Small.isrc(n).value().equals(heldOut)) {
        withdraw(data, Small.isrc(n).value());
      }
    }
    Path run = home.resolve("run");
    try (Dataset dataset = Dataset.open(data)) {
      assertThatThrownBy(() -> Trainer.run(RECIPE, dataset, run, Progress.NONE))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("every recording that codec learns from is withdrawn");
    }
    assertThat(RunFolder.record(run).status()).isEqualTo(RunStatus.FAILED);
  }
}
