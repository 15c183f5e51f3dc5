package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.lab.RunStatus;
import org.descant.shards.Dataset;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.PeerLostException;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Tensor;
import org.descant.training.parallel.HangReport;
import org.descant.training.parallel.Launcher;
import org.descant.training.parallel.Replicas;
import org.descant.training.parallel.Team;
import org.descant.training.parallel.World;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.TokenStage;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Workers are processes of their own, started and watched by the real launcher. */
class DataParallelTest {
  /** Long enough that only a rank that is gone, or asleep for good, is missed on a busy machine. */
  private static final Duration PATIENT = Duration.ofMinutes(2);

  private static final List<String> ALL_LINES = List.of("logEvery=1", "batch=4", "codec.batch=4");
  private static final Pattern STEP = Pattern.compile("^(codec|lm|flow) +([0-9]+)/([0-9]+) ");
  private static final Pattern GOES_ON = Pattern.compile("goes on after step ([0-9]+)");

  @TempDir static Path shared;
  private static Path dataset;

  @TempDir Path home;

  @BeforeAll
  static void prepare() {
    dataset = Small.dataset(shared.resolve("dataset"));
  }

  /** The word {@code flow} among the overrides stands for the recipe with a flow model. */
  private static Recipe recipe(List<String> overrides) {
    var all = new ArrayList<>(ALL_LINES);
    all.addAll(overrides);
    Recipe small = all.remove("flow") ? Small.flowRecipe() : Small.recipe();
    return RecipeText.withOverrides(small, all);
  }

  /** A worker, as its launcher starts it. */
  static final class Worker {
    private Worker() {}

    /** dataset, run, what to do beside training, timeout in seconds, overrides of the recipe. */
    public static void main(String[] arguments) {
      Path run = Path.of(arguments[1]);
      String beside = arguments[2];
      Recipe recipe = recipe(List.of(arguments).subList(4, arguments.length));
      var options =
          Team.Options.DEFAULT
              .withTimeout(Duration.ofSeconds(Long.parseLong(arguments[3])))
              .withShardOptimizer(beside.startsWith("shard"));
      int status = 0;
      var ended = new CountDownLatch(1);
      try (Replicas replicas = Team.join(World.of(System.getenv()).orElseThrow(), options, run);
          Dataset opened = Dataset.open(Path.of(arguments[0]))) {
        var trainer = new Trainer[1];
        trainer[0] =
            new Trainer(
                recipe,
                opened,
                run,
                beside(beside, trainer, opened),
                disturbed(replicas, beside, run));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(trainer[0], ended)));
        RunStatus end = trainer[0].run().status();
        status = end == RunStatus.STOPPED && replicas.leads() ? 130 : 0;
      } catch (PeerLostException e) {
        System.err.println("lost: " + e.getMessage());
        status = Team.LOST_STATUS;
      } finally {
        ended.countDown();
      }
      System.exit(status);
    }

    /** As the command does: a signal ends the process after its step is safe. */
    private static void stop(Trainer trainer, CountDownLatch ended) {
      trainer.stop();
      try {
        ended.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private static Progress beside(String beside, Trainer[] trainer, Dataset dataset) {
      Progress printed = Progress.to(System.out);
      return new Progress() {
        @Override
        public void step(Line line) {
          printed.step(line);
          if (beside.endsWith("stop " + line.stage() + " " + line.step())) {
            trainer[0].stop();
          }
          if (beside.equals("withdrawal " + line.stage() + " " + line.step())) {
            while (dataset.withdrawals() == 0) {
              LockSupport.parkNanos(1_000_000); // another process writes it
            }
          }
        }

        @Override
        public void note(String sentence) {
          printed.note(sentence);
        }
      };
    }

    /** The same replicas, but with something that happens at one of their calls. */
    private static Replicas disturbed(Replicas replicas, String beside, Path run) {
      return (Replicas)
          Proxy.newProxyInstance(
              Replicas.class.getClassLoader(),
              new Class<?>[] {Replicas.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("step")
                    && beside.equals("sleep " + arguments[0])
                    && replicas.rank() == 1) {
                  Thread.sleep(PATIENT.toMillis());
                }
                Object result;
                try {
                  result = method.invoke(replicas, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
                if (method.getName().equals("average") && beside.equals("gradients")) {
                  keepFirst((ParameterStore) arguments[0], run, replicas.rank());
                }
                return result;
              });
    }

    /** The first gradients of each stage: the stages' stores differ in size. */
    private static void keepFirst(ParameterStore store, Path run, int rank) {
      Tensor gradients = store.gradients();
      Path file = run.resolve("gradients." + store.count() + "." + rank + ".safetensors");
      if (!Files.exists(file)) {
        SafetensorsWriter.write(file, Map.of("gradients", gradients), Map.of());
      }
    }
  }

  private static List<String> command(
      Path run, String beside, Duration timeout, List<String> overrides) {
    Small.forgetFields(dataset); // so that the workers code
    return command(dataset, run, beside, timeout, overrides);
  }

  private static List<String> command(
      Path dataset, Path run, String beside, Duration timeout, List<String> overrides) {
    var command = new ArrayList<String>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(
        List.of(
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-cp",
            System.getProperty("java.class.path"),
            Worker.class.getName(),
            dataset.toString(),
            run.toString(),
            beside,
            String.valueOf(timeout.toSeconds())));
    command.addAll(overrides);
    return command;
  }

  /** Hears the workers' output line by line. */
  private static final class Heard extends OutputStream {
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final List<String> all = new ArrayList<>();
    private final BlockingQueue<String> fresh = new LinkedBlockingQueue<>();

    @Override
    public synchronized void write(int b) {
      if (b == '\n') {
        String text = line.toString(StandardCharsets.UTF_8);
        line.reset();
        all.add(text);
        fresh.add(text);
      } else {
        line.write(b);
      }
    }

    synchronized List<String> lines() {
      return List.copyOf(all);
    }

    PrintStream stream() {
      return new PrintStream(this, true, StandardCharsets.UTF_8);
    }

    /** The end of what was heard. */
    @Override
    public String toString() {
      List<String> lines = lines();
      return String.join("\n", lines.subList(Math.max(0, lines.size() - 60), lines.size()));
    }
  }

  /** A launcher on a thread of its own. */
  private static final class Launched {
    private final Heard heard = new Heard();
    private final Launcher launcher;
    private final Thread thread;
    private int status = -1;

    Launched(int workers, List<String> command) {
      PrintStream out = heard.stream();
      launcher =
          new Launcher(
              command,
              Map.of("TORCH_CPP_LOG_LEVEL", "ERROR"),
              new Launcher.Plan(workers, 2, Duration.ofSeconds(20)),
              out,
              out);
      thread = Thread.ofPlatform().start(this::run);
    }

    private void run() {
      try {
        status = launcher.run();
      } catch (InterruptedException e) {
        status = -2;
      }
    }

    /** Waits for a line that begins like this; there is no deadline but the run's end. */
    void awaitLine(String pattern) throws InterruptedException {
      while (true) {
        String line = heard.fresh.poll(100, TimeUnit.MILLISECONDS);
        if (line != null
            && Pattern.compile(pattern).matcher(line.replaceAll(" +", " ")).lookingAt()) {
          return;
        }
        assertThat(line == null && !thread.isAlive()).as(heard::toString).isFalse();
      }
    }

    void kill(int rank) {
      launcher.processes().get(rank).destroyForcibly();
    }

    int status() throws InterruptedException {
      thread.join();
      return status;
    }
  }

  private static void trained(int workers, Path run, String beside, String... overrides)
      throws Exception {
    var launched = new Launched(workers, command(run, beside, PATIENT, List.of(overrides)));
    assertThat(launched.status()).as(launched.heard::toString).isZero();
  }

  /** One process without a launcher: this one. */
  private static void trainedAlone(Path run, String beside, String... overrides) {
    Small.forgetFields(dataset);
    try (Dataset opened = Dataset.open(dataset)) {
      var trainer =
          new Trainer(
              recipe(List.of(overrides)),
              opened,
              run,
              Progress.NONE,
              Worker.disturbed(Replicas.ALONE, beside, run));
      assertThat(trainer.run().status()).isEqualTo(RunStatus.FINISHED);
    }
  }

  // ---------------------------------------------------------------- equality

  private void assertEqualGradients(int workers, String... overrides) throws Exception {
    Path alone = home.resolve("alone");
    Path together = home.resolve("together" + workers);
    trainedAlone(alone, "gradients", overrides);
    trained(workers, together, "gradients", overrides);
    List<Path> files;
    try (var all = Files.list(alone)) {
      files = all.filter(file -> file.toString().contains("gradients.")).sorted().toList();
    }
    assertThat(files).as("one file for the codec, one for the last stage").hasSize(2);
    for (Path file : files) {
      float[] expected = gradients(file);
      float largest = 0;
      for (float value : expected) {
        largest = Math.max(largest, Math.abs(value));
      }
      assertThat(largest).isPositive();
      float[] first = gradients(together.resolve(file.getFileName()));
      double worst = 0;
      for (int i = 0; i < expected.length; i++) {
        worst = Math.max(worst, Math.abs(first[i] - expected[i]) / largest);
      }
      assertThat(worst).as(file + " with " + workers + " workers").isLessThan(1e-6);
      for (int rank = 1; rank < workers; rank++) {
        String name = file.getFileName().toString().replace(".0.s", "." + rank + ".s");
        assertThat(gradients(together.resolve(name))).as("rank " + rank).isEqualTo(first);
      }
    }
  }

  private static float[] gradients(Path file) {
    try (Safetensors opened = Safetensors.open(file);
        var scope = org.descant.tensor.Scope.open()) {
      return opened.tensor("gradients").toFloats();
    }
  }

  @Test
  void theFirstGradientsOfTwoWorkersAreThoseOfOneProcess() throws Exception {
    assertEqualGradients(2, "steps=4");
  }

  @Test
  void soTheyAreOfAFlowModel() throws Exception {
    assertEqualGradients(2, "flow", "steps=4");
  }

  @Test
  @Tag("slow")
  void soTheyAreInPartsWithRecomputation() throws Exception {
    assertEqualGradients(2, "steps=4", "accumulate=2", "codec.accumulate=2", "lm.recompute=true");
  }

  @Test
  @Tag("slow")
  void theFirstGradientsOfFourWorkersAreThoseOfOneProcess() throws Exception {
    assertEqualGradients(4, "steps=4");
  }

  @Test
  @Tag("slow")
  void aRunOfTwoWorkersIsAlmostThatOfOneAndShardedOptimiserStateChangesNoBit() throws Exception {
    Path alone = home.resolve("alone");
    Path together = home.resolve("together");
    Path sharded = home.resolve("sharded");
    trainedAlone(alone, "", "steps=12");
    trained(2, together, "", "steps=12");
    trained(2, sharded, "shard", "steps=12");
    assertThat(RunFolder.record(together).status()).isEqualTo(RunStatus.FINISHED);
    assertThat(RunFolder.record(together).facts()).containsEntry("workers", 2);
    List<MetricLine> one = learned(alone);
    List<MetricLine> two = learned(together);
    assertThat(two).hasSameSizeAs(one);
    for (int i = 0; i < one.size(); i++) {
      assertThat(two.get(i).step()).isEqualTo(one.get(i).step());
      for (String name : one.get(i).values().keySet()) {
        double expected = one.get(i).values().get(name);
        assertThat(two.get(i).values().get(name))
            .as("%s of step %d", name, one.get(i).step())
            .isCloseTo(
                expected, org.assertj.core.data.Offset.offset(2e-3 * Math.abs(expected) + 1e-6));
      }
    }
    assertSameBits(sharded, together, 12);
  }

  @Test
  @Tag("slow")
  void aDiscriminatorLearnsFromAllWorkersRows() throws Exception {
    String[] overrides = {
      "steps=4",
      "codec.share=1",
      "codec.model.phases=NETWORK",
      "codec.adversarial.weight=0.2",
      "codec.adversarial.start=0",
      "codec.adversarial.frames=8",
      "codec.adversarial.periodChannels=1",
      "codec.adversarial.bandChannels=2"
    };
    Path alone = home.resolve("alone");
    Path together = home.resolve("together");
    trainedAlone(alone, "", overrides);
    trained(2, together, "", overrides);
    for (MetricLine line : learned(alone)) {
      if (!line.values().containsKey("loss")) {
        continue;
      }
      MetricLine other =
          learned(together).stream()
              .filter(l -> l.step() == line.step() && l.values().containsKey("loss"))
              .findFirst()
              .orElseThrow();
      for (String name : List.of("loss", "lossOfDiscriminator", "gradientNormOfDiscriminator")) {
        double expected = line.values().get(name);
        assertThat(expected).isPositive();
        assertThat(other.values().get(name))
            .as("%s of step %d", name, line.step())
            .isCloseTo(expected, org.assertj.core.data.Offset.offset(5e-3 * expected));
      }
    }
  }

  /** Sharded moments are whole in a checkpoint, so any number of processes goes on from it. */
  @Test
  @Tag("slow")
  void aRunWithShardedStateIsResumedByOtherNumbersOfWorkers() throws Exception {
    List<String> twelve = List.of("steps=12", "lm.stopAfter=0");
    Path two = home.resolve("two");
    var sharded = new Launched(2, command(two, "shard stop lm 3", PATIENT, twelve));
    assertThat(sharded.status()).as(sharded.heard::toString).isEqualTo(130);
    Path whole = home.resolve("whole");
    var unsharded = new Launched(2, command(whole, "stop lm 3", PATIENT, twelve));
    assertThat(unsharded.status()).as(unsharded.heard::toString).isEqualTo(130);
    for (String file : List.of("model.safetensors", "state.safetensors")) {
      String checkpoint = "checkpoints/00000009/" + file;
      assertThat(two.resolve(checkpoint))
          .as("moments that two workers held a half of each")
          .hasSameBinaryContentAs(whole.resolve(checkpoint));
    }
    Path twoThenOne = copy(two, "two-one");
    trainedAlone(twoThenOne, "", "steps=12", "lm.stopAfter=0");
    trained(2, two, "shard", "steps=12", "lm.stopAfter=0");
    assertClose(learned(twoThenOne), learned(two), 9);

    Path one = home.resolve("one");
    Recipe recipe = recipe(twelve);
    try (Dataset opened = Dataset.open(dataset)) {
      var trainer = new Trainer[1];
      trainer[0] =
          new Trainer(
              recipe, opened, one, Worker.beside("stop lm 3", trainer, opened), Replicas.ALONE);
      assertThat(trainer[0].run().status()).isEqualTo(RunStatus.STOPPED);
      Path oneThenTwo = copy(one, "one-two");
      trained(2, oneThenTwo, "shard", "steps=12", "lm.stopAfter=0");
      Trainer.run(recipe, opened, one, Progress.NONE);
      assertClose(learned(oneThenTwo), learned(one), 9);
    }
  }

  private Path copy(Path run, String name) throws IOException {
    Path copy = home.resolve(name);
    try (var files = Files.walk(run)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(run.relativize(file).toString()));
      }
    }
    return copy;
  }

  /** The same up to a step; the next one's loss to rounding; and then as two runs may differ. */
  private static void assertClose(List<MetricLine> lines, List<MetricLine> others, long shared) {
    assertThat(lines).hasSameSizeAs(others);
    double worst = 0;
    for (int i = 0; i < lines.size(); i++) {
      MetricLine line = lines.get(i);
      MetricLine other = others.get(i);
      assertThat(line.step()).isEqualTo(other.step());
      assertThat(line.values().keySet()).isEqualTo(other.values().keySet());
      for (String name : line.values().keySet()) {
        double expected = other.values().get(name);
        double off = Math.abs(line.values().get(name) - expected);
        boolean next = line.step() == shared + 1 && name.equals("loss");
        double allowed =
            line.step() <= shared ? 0 : next ? 1e-6 * expected : 2e-3 * Math.abs(expected) + 1e-6;
        assertThat(off).as("%s of step %d", name, line.step()).isLessThanOrEqualTo(allowed);
        worst = Math.max(worst, off / Math.max(1e-6, Math.abs(expected)));
      }
    }
    System.out.printf("resumed by another number of workers: worst difference %.1e%n", worst);
  }

  // ---------------------------------------------------------------- withdrawals

  /** It is written while a step is told; all workers learn of it at the same checkpoint. */
  @Test
  void allWorkersDoWithoutAWithdrawnRecordingFromTheSameStepOn() throws Exception {
    List<String> overrides = List.of("steps=24", "checkpoint.every=3", "lm.stopAfter=0");
    Path data = copy(dataset, "data");
    String isrc;
    try (Dataset opened = Dataset.open(data)) {
      isrc = opened.isrc(opened.heldOut(1).getFirst() == 0 ? 1 : 0);
    }
    Path together = home.resolve("together");
    var launched =
        new Launched(2, command(data, together, "withdrawal codec 4", PATIENT, overrides));
    launched.awaitLine("codec 4/12 ");
    Dataset.withdraw(data, Small.refusal(isrc));
    assertThat(launched.status()).as(launched.heard::toString).isZero();
    assertThat(launched.heard.toString())
        .contains(isrc + " is withdrawn from the dataset: left out from step 7 on");

    Path alone = home.resolve("alone");
    Path again = copy(dataset, "again");
    try (Dataset opened = Dataset.open(again)) {
      Progress withdrawing =
          new Progress() {
            @Override
            public void step(Line line) {
              if (line.stage().equals("codec") && line.step() == 4) {
                Dataset.withdraw(again, Small.refusal(isrc));
              }
            }

            @Override
            public void note(String sentence) {}
          };
      Trainer.run(recipe(overrides), opened, alone, withdrawing);
    }
    Seen seen = Seen.of(together);
    assertThat(seen.withdrawn().get(isrc)).isNotNull().extracting(w -> w.from()).isEqualTo(7L);
    assertThat(seen.steps(isrc)).isNotEmpty().allMatch(step -> step < 7);
    for (String fact : List.of("orderSeen", "sequencesSeen", "withdrawn")) {
      assertThat(RunFolder.record(together).facts().get(fact))
          .as(fact)
          .isNotNull()
          .isEqualTo(RunFolder.record(alone).facts().get(fact));
    }
  }

  // ---------------------------------------------------------------- kills

  @Test
  void twoKilledWorkersCostAtMostAStepEachAndNoBit() throws Exception {
    Path unbroken = home.resolve("unbroken");
    List<String> sixty = List.of("steps=60", "checkpoint.every=25");
    trained(2, unbroken, "", sixty.toArray(String[]::new));
    Path run = home.resolve("run");
    var launched = new Launched(2, command(run, "", PATIENT, sixty));
    launched.awaitLine("codec 11/30");
    launched.kill(1);
    launched.awaitLine("lm 12/30");
    launched.kill(0);
    assertThat(launched.status()).as(launched.heard::toString).isZero();
    assertThat(launched.heard.lines().stream().filter(l -> l.contains("starts all 2")))
        .as(launched.heard::toString)
        .hasSize(2);
    assertThat(stepsLost(launched.heard.lines(), 30))
        .as(String.join("\n", launched.heard.lines()))
        .hasSize(2)
        .allMatch(steps -> steps <= 1);
    assertSameBits(run, unbroken, 60);
  }

  /** Steps that were told and had to be done again, for each time that a run went on. */
  private static List<Long> stepsLost(List<String> lines, long codecSteps) {
    long last = 0;
    var lost = new ArrayList<Long>();
    for (String line : lines) {
      Matcher step = STEP.matcher(line);
      Matcher on = GOES_ON.matcher(line);
      if (step.find()) {
        last = Long.parseLong(step.group(2)) + (step.group(1).equals("lm") ? codecSteps : 0);
      } else if (on.find()) {
        long after = Long.parseLong(on.group(1));
        // A step may be safe that was cut off before its line.
        assertThat(after).as(String.join("\n", lines)).isLessThanOrEqualTo(last + 1);
        lost.add(Math.max(0, last - after));
      }
    }
    return lost;
  }

  @Test
  @Tag("slow")
  void killsEveryHalfMinuteForFiveMinutesLeaveTheRunWhole() throws Exception {
    long seconds = Long.getLong("descant.kill.seconds", 300);
    long interval = Long.getLong("descant.kill.interval", 30);
    List<String> endless =
        List.of("steps=1000000", "codec.share=0.00001", "lm.stopAfter=0", "checkpoint.every=5000");
    Path run = home.resolve("run");
    var launched = new Launched(2, command(run, "", PATIENT, endless));
    var random = new SplittableRandom(5);
    var secondsToRestart = new ArrayList<Double>();
    long begin = System.nanoTime();
    launched.awaitLine("lm \\d+/");
    for (long time = interval; time <= seconds; time += interval) {
      long left = time * 1_000_000_000 - (System.nanoTime() - begin);
      launched.thread.join(Duration.ofNanos(Math.max(1, left)));
      assertThat(launched.thread.isAlive()).as(launched.heard::toString).isTrue();
      launched.heard.fresh.clear();
      launched.awaitLine("lm \\d+/");
      long killed = System.nanoTime();
      launched.kill(random.nextInt(2));
      launched.awaitLine("launcher: starts all 2 workers again");
      launched.awaitLine("lm \\d+/");
      secondsToRestart.add((System.nanoTime() - killed) / 1e9);
    }
    int kills = secondsToRestart.size();
    launched.launcher.stop();
    assertThat(launched.status()).as(launched.heard::toString).isEqualTo(130);
    List<String> lines = launched.heard.lines();
    List<Long> lost = stepsLost(lines, 10);
    assertThat(lost)
        .as("one resumption for each kill")
        .hasSize(kills)
        .allMatch(steps -> steps <= 1);
    long restarts = lines.stream().filter(l -> l.contains("starts all 2")).count();
    assertThat(restarts).isEqualTo(kills);
    long end = RunFolder.record(run).step();
    List<MetricLine> learned = learned(run);
    List<Long> steps =
        learned.stream().filter(l -> l.values().containsKey("loss")).map(MetricLine::step).toList();
    long skipped = end - steps.stream().distinct().count();
    long repeated = steps.size() - steps.stream().distinct().count();

    Path unbroken = home.resolve("unbroken");
    var again = new Launched(2, command(unbroken, "stop lm " + (end - 10), PATIENT, endless));
    assertThat(again.status()).as(again.heard::toString).isEqualTo(130);
    System.out.printf(
        "%d kills in %d s: %d restarts; %d steps done, %d of them done again (at most %d a kill);"
            + " samples skipped %d, repeated %d; seconds from a kill to the next step: %.1f in the"
            + " middle, %.1f at most%n",
        kills,
        seconds,
        restarts,
        end,
        lost.stream().mapToLong(Long::longValue).sum(),
        lost.stream().mapToLong(Long::longValue).max().orElse(0),
        4 * skipped,
        4 * repeated,
        secondsToRestart.stream().sorted().toList().get(kills / 2),
        secondsToRestart.stream().mapToDouble(Double::doubleValue).max().orElse(0));
    assertThat(skipped).isZero();
    assertThat(repeated).isZero();
    // Losses, weights and moments, and the hash of all excerpts in the order they were taken.
    assertThat(learned(unbroken)).isEqualTo(learned);
    for (String file : List.of("model.safetensors", "state.safetensors", "state.json")) {
      String checkpoint = "checkpoints/%08d/%s".formatted(end, file);
      assertThat(run.resolve(checkpoint)).hasSameBinaryContentAs(unbroken.resolve(checkpoint));
    }
  }

  /** The weights that ship, and every loss and norm that was logged. */
  private static void assertSameBits(Path run, Path other, long steps) {
    String checkpoint = "checkpoints/%08d/model.safetensors".formatted(steps);
    for (String file : List.of("model/model.safetensors", checkpoint)) {
      assertThat(run.resolve(file)).as(file).hasSameBinaryContentAs(other.resolve(file));
    }
    assertThat(learned(run)).isEqualTo(learned(other));
  }

  /** The metrics without those of the moment. */
  private static List<MetricLine> learned(Path run) {
    var lines = new ArrayList<MetricLine>();
    for (MetricLine line : RunFolder.metrics(run)) {
      if (!line.stage().equals(TokenStage.NAME)) {
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
    }
    return lines;
  }

  // ---------------------------------------------------------------- guard

  @Test
  void allWorkersLeaveOutTheSameBatchesAsOneProcess() throws Exception {
    var overrides = new ArrayList<>(List.of("steps=24", "checkpoint.every=3"));
    overrides.addAll(
        List.of(
            "guard.policy=rewind",
            "guard.zScore=1.5",
            "guard.window=3",
            "guard.before=1",
            "guard.limit=100"));
    Path together = home.resolve("together");
    trained(2, together, "", overrides.toArray(String[]::new));
    Path alone = home.resolve("alone");
    try (Dataset opened = Dataset.open(dataset)) {
      Trainer.run(recipe(overrides), opened, alone, Progress.NONE);
    }
    Seen seen = Seen.of(together);
    assertThat(seen.skippedSteps()).isNotEmpty().isEqualTo(Seen.of(alone).skippedSteps());
    assertThat(RunFolder.events(together))
        .extracting(RunEvent::event)
        .contains("guard.refused", "guard.rewound");
    for (String fact : List.of("orderSeen", "sequencesSeen")) {
      assertThat(RunFolder.record(together).facts().get(fact))
          .as(fact)
          .isEqualTo(RunFolder.record(alone).facts().get(fact));
    }
  }

  @Test
  void aMuonRunWithShardedStateIsRefused() throws Exception {
    var launched =
        new Launched(
            2, command(home.resolve("run"), "shard", PATIENT, List.of("lm.optimiser.name=muon")));
    assertThat(launched.status()).isEqualTo(1);
    assertThat(launched.heard.toString()).contains("--shard-optimizer spreads AdamW's state only");
  }

  // ---------------------------------------------------------------- hangs and stops

  @Test
  @Tag("slow")
  void aSleepingWorkerIsNamedWithTheOperationThatTheOthersWaitIn() throws Exception {
    Path run = home.resolve("run");
    var launched =
        new Launched(3, command(run, "sleep 3", Duration.ofSeconds(6), sixRows("steps=12")));
    launched.awaitLine("launcher: starts all 3 workers again");
    launched.launcher.stop();
    launched.status();
    HangReport report = HangReport.of(run);
    assertThat(report.found()).as(launched.heard::toString).isTrue();
    assertThat(report.missing()).containsExactly(1);
    assertThat(report.waiting()).containsExactly(0, 2);
    assertThat(report.operation()).isEqualTo("allReduce");
    assertThat(report.sentences().getFirst())
        .matches(
            "rank 1 never entered allReduce #\\d+ \\(.*, step 3\\); ranks 0, 2 wait since"
                + " \\d\\d:\\d\\d:\\d\\d\\.");
    assertThat(String.join("\n", report.sentences()))
        .contains("rank 1 (", "step 2", "ended", "Thread.sleep");
  }

  private static List<String> sixRows(String... more) {
    var overrides = new ArrayList<>(List.of("batch=6", "codec.batch=6"));
    overrides.addAll(List.of(more));
    return overrides;
  }

  @Test
  void workersStopTogetherWithEverythingSafeAndOneProcessGoesOn() throws Exception {
    Path run = home.resolve("run");
    var stopped = new Launched(2, command(run, "stop lm 3", PATIENT, List.of("steps=12")));
    assertThat(stopped.status()).as(stopped.heard::toString).isEqualTo(130);
    assertThat(RunFolder.record(run).step()).isEqualTo(9);
    trainedAlone(run, "", "steps=12");
    assertThat(RunFolder.record(run).status()).isEqualTo(RunStatus.FINISHED);
    assertThat(RunFolder.record(run).facts()).containsEntry("workers", 1);
  }

  @Test
  void aBatchThatCannotBeSplitIsRefused() throws Exception {
    var launched = new Launched(2, command(home.resolve("run"), "", PATIENT, List.of("batch=3")));
    assertThat(launched.status()).isEqualTo(1);
    assertThat(launched.heard.toString()).contains("a batch of 3 cannot be split over 2 workers");
  }
}
