package org.descant.training.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.descant.lab.RunEvent;
import org.descant.lab.RunFolder;
import org.descant.tensor.AdamW;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.training.Progress;
import org.descant.training.TrainingException;
import org.descant.training.parallel.Replicas;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoopTest {
  private static final BooleanSupplier ON = () -> false;
  private static final long LAST = 100 + LineLearner.STEPS;

  @TempDir Path home;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static Optimisation.Rules rules(String optimiser, double emaDecay, Guard.Options guard) {
    return new Optimisation.Rules(
        new Optimisation.Options(optimiser, 0.9, 0.95, 0.95, 5, 1),
        new Schedule(Schedule.Options.DEFAULT, 0.02, 3, LineLearner.STEPS),
        0.01,
        1,
        emaDecay,
        guard);
  }

  private static Guard.Options guard(String policy, double zScore, int before, int limit) {
    return new Guard.Options(policy, zScore, 10, before, limit);
  }

  private long run(Path path, LineLearner learner, Optimisation.Rules rules, BooleanSupplier stop) {
    return run(path, 5, learner, rules, stop);
  }

  private static long run(
      Path path, int every, LineLearner learner, Optimisation.Rules rules, BooleanSupplier stop) {
    var checkpoints = new Checkpoints(path, every, 2);
    try (RunFolder folder = RunFolder.openForWriting(path);
        var writer = new CheckpointWriter(checkpoints, folder::event)) {
      var around =
          new Loop.Surroundings(
              1,
              1e9,
              folder::log,
              folder::event,
              Progress.NONE,
              stop,
              checkpoints,
              writer,
              Replicas.ALONE);
      return new Loop<>(around, learner, rules, new Fingerprint())
          .run(checkpoints.latest().orElse(null));
    }
  }

  /** The weights that plain steps without loop and guard arrive at, leaving some steps out. */
  private static float[] byHand(Set<Long> leftOut) {
    try (var learner = new LineLearner(1, Map.of(), Set.of());
        var adamW = new AdamW(learner.store, new AdamW.Options(0.9, 0.95, 1e-8, 0.01))) {
      var schedule = new Schedule(Schedule.Options.DEFAULT, 0.02, 3, LineLearner.STEPS);
      for (long step = 1; step <= LineLearner.STEPS; step++) {
        if (leftOut.contains(step)) {
          continue;
        }
        try (Scope scope = Scope.open()) {
          learner.store.zeroGradients();
          learner.learn(learner.batch(step), step, 0);
          learner.store.clipGradNorm(1);
          adamW.step(schedule.at(step));
        }
      }
      return all(learner.store);
    }
  }

  @Test
  void anyLossThatIsNotFiniteIsRefusedAndNothingElseMovesEither() {
    try (var learner = new LineLearner(1, Map.of(), Set.of())) {
      learner.beside.put(7L, Double.NaN);
      learner.beside.put(20L, Double.POSITIVE_INFINITY);
      assertThat(run(home.resolve("skip"), learner, rules("adamw", 0, guard("skip", 0, 0, 5)), ON))
          .isEqualTo(LineLearner.STEPS);
      assertThat(learner.accepted).hasSize(LineLearner.STEPS - 2).doesNotContain(7L, 20L);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of(7L, 20L)));
    }
    try (var learner = new LineLearner(1, Map.of(), Set.of())) {
      learner.beside.put(7L, Double.NaN);
      var rules = rules("adamw", 0, guard("stop", 0, 0, 5));
      assertThatThrownBy(() -> run(home.resolve("stop"), learner, rules, ON))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("step 107");
      assertThat(learner.accepted).endsWith(6L);
    }
  }

  /** Weights and state. */
  private static float[] all(ParameterStore store) {
    float[] values = store.values().toFloats();
    float[] state = store.state().toFloats();
    float[] all = java.util.Arrays.copyOf(values, values.length + state.length);
    System.arraycopy(state, 0, all, values.length, state.length);
    return all;
  }

  private static List<RunEvent> events(Path path, String prefix) {
    return RunFolder.events(path).stream().filter(e -> e.event().startsWith(prefix)).toList();
  }

  private static void assertEveryCheckpointIsFinite(Path path) throws Exception {
    try (var folders = Files.list(path.resolve("checkpoints"))) {
      for (Path folder : folders.toList()) {
        for (String file : List.of(Checkpoints.MODEL, Checkpoints.STATE)) {
          try (Safetensors saved = Safetensors.open(folder.resolve(file));
              Scope scope = Scope.open()) {
            for (String name : saved.names()) {
              assertThat(saved.tensor(name).allFinite()).as(folder + " " + name).isTrue();
            }
          }
        }
      }
    }
  }

  @Test
  void withoutRefusalsTheLoopIsPlainSteps() {
    try (var learner = new LineLearner(1, Map.of(), Set.of())) {
      assertThat(run(home, learner, rules("adamw", 0, guard("stop", 0, 0, 1)), ON))
          .isEqualTo(LineLearner.STEPS);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of()));
    }
    assertThat(events(home, "guard")).isEmpty();
    assertThat(RunFolder.metrics(home)).hasSize(LineLearner.STEPS);
    assertThat(RunFolder.metrics(home).getFirst().values())
        .containsKeys("loss", "gradientNorm", "flopsPerSecond", "mfu");
  }

  @Test
  void stopEndsTheRunBeforeTheOptimizerAndNamesTheRecordings() throws Exception {
    try (var learner = new LineLearner(1, Map.of(12L, Float.NaN), Set.of())) {
      var rules = rules("adamw", 0.9, guard("stop", 0, 0, 1));
      assertThatThrownBy(() -> run(home, learner, rules, ON))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("step 112 (line)")
          .hasMessageContaining("the loss is NaN")
          .hasMessageContaining("QZTST2600005, QZTST2600009");
      assertThat(learner.store.values().allFinite()).isTrue();
      assertThat(learner.store.state().allFinite()).isTrue();
    }
    List<RunEvent> events = events(home, "guard");
    assertThat(events).hasSize(1);
    assertThat(events.getFirst().step()).isEqualTo(112);
    assertThat(events.getFirst().facts())
        .containsEntry("isrcs", List.of("QZTST2600005", "QZTST2600009"))
        .containsEntry("loss", "NaN")
        .containsEntry("policy", "stop");
    assertThat(new Checkpoints(home, 5, 2).latest().orElseThrow().facts().step()).isEqualTo(110);
    assertEveryCheckpointIsFinite(home);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, 1e30f})
  void skipLearnsNothingFromTheBatchAndGoesOn(float value) throws Exception {
    try (var learner = new LineLearner(1, Map.of(12L, value, 20L, value), Set.of())) {
      assertThat(run(home, learner, rules("adamw", 0, guard("skip", 0, 0, 5)), ON))
          .isEqualTo(LineLearner.STEPS);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of(12L, 20L)));
    }
    assertThat(events(home, "guard.skipped").stream().map(RunEvent::step))
        .containsExactly(112L, 120L);
    assertEveryCheckpointIsFinite(home);
  }

  @Test
  void aNormFarAboveItsRunningMeanIsRefused() {
    try (var learner = new LineLearner(1, Map.of(25L, 5e3f), Set.of())) {
      run(home, learner, rules("adamw", 0, guard("skip", 6, 0, 5)), ON);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of(25L)));
    }
    RunEvent refused = events(home, "guard.refused").getFirst();
    assertThat(refused.step()).isEqualTo(125);
    assertThat((String) refused.facts().get("reason")).contains("deviations above");
    assertThat((Double) refused.facts().get("gradientNorm")).isGreaterThan(10);
  }

  @Test
  void rewindGoesBackToTheLastCheckpointAndLeavesOutTheBatchAndThoseBefore() throws Exception {
    try (var learner = new LineLearner(1, Map.of(18L, Float.NaN), Set.of())) {
      run(home, learner, rules("adamw", 0, guard("rewind", 0, 1, 5)), ON);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of(17L, 18L)));
      assertThat(learner.learned.stream().filter(step -> step == 16)).hasSize(2);
    }
    RunEvent rewound = events(home, "guard.rewound").getFirst();
    assertThat(rewound.facts())
        .containsEntry("to", 115)
        .containsEntry("first", 117)
        .containsEntry("last", 118);
    assertEveryCheckpointIsFinite(home);
  }

  @Test
  void rewindBeforeTheFirstCheckpointStartsTheStageAgain() {
    try (var learner = new LineLearner(1, Map.of(18L, Float.NaN), Set.of())) {
      run(home, 50, learner, rules("adamw", 0, guard("rewind", 0, 3, 5)), ON);
      assertThat(all(learner.store)).isEqualTo(byHand(Set.of(15L, 16L, 17L, 18L)));
    }
    assertThat(events(home, "guard.rewound").getFirst().facts()).containsEntry("to", 100);
  }

  @ParameterizedTest
  @ValueSource(longs = {13, 15})
  void weightsThatAreNotFiniteAreNeverSavedAndRewindMendsThem(long step) throws Exception {
    // After step 13 the loss of step 14 tells; after step 15 the checkpoint's own look does.
    try (var learner = new LineLearner(1, Map.of(), Set.of(step))) {
      run(home, learner, rules("adamw", 0, guard("rewind", 0, 2, 5)), ON);
      assertThat(all(learner.store))
          .isEqualTo(byHand(step == 13 ? Set.of(12L, 13L, 14L) : Set.of(13L, 14L, 15L)));
    }
    assertEveryCheckpointIsFinite(home);
  }

  @ParameterizedTest
  @ValueSource(strings = {"stop", "skip"})
  void otherPoliciesStopAtWeightsThatAreNotFinite(String policy) throws Exception {
    try (var learner = new LineLearner(1, Map.of(), Set.of(15L))) {
      assertThatThrownBy(() -> run(home, learner, rules("adamw", 0, guard(policy, 0, 2, 5)), ON))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("step 115")
          .hasMessageContaining("not finite");
    }
    assertEveryCheckpointIsFinite(home);
  }

  @ParameterizedTest
  @ValueSource(strings = {"skip", "rewind"})
  void moreRefusedBatchesThanTheLimitStopTheRun(String policy) {
    var poison = Map.of(7L, Float.NaN, 12L, Float.NaN, 19L, Float.NaN);
    try (var learner = new LineLearner(1, poison, Set.of())) {
      assertThatThrownBy(() -> run(home, learner, rules("adamw", 0, guard(policy, 0, 0, 2)), ON))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("step 119")
          .hasMessageContaining("guard.limit");
    }
    assertThat(events(home, "guard.refused")).hasSize(3);
  }

  /** Stops after every few steps and goes on, with refusals on the way, for both optimizers. */
  @ParameterizedTest
  @ValueSource(strings = {"skip adamw", "rewind adamw", "skip muon", "rewind muon"})
  void aRunThatWasCutOffDecidesTheSameAndReachesTheSameBits(String what) throws Exception {
    String[] words = what.split(" ");
    var rules = rules(words[1], 0.9, guard(words[0], 8, 3, 9));
    var poison = Map.of(8L, Float.NaN, 17L, 1e4f, 18L, Float.NaN, 33L, Float.NaN);
    Path unbroken = home.resolve("unbroken");
    Path broken = home.resolve("broken");
    float[] expected;
    try (var learner = new LineLearner(2, poison, Set.of())) {
      run(unbroken, learner, rules, ON);
      expected = all(learner.store);
    }
    long last = Loop.STOPPED;
    float[] reached = {};
    for (int stops = 0; last == Loop.STOPPED; stops++) {
      assertThat(stops).isLessThan(100);
      var steps = new AtomicInteger();
      try (var learner = new LineLearner(2, poison, Set.of())) {
        last = run(broken, learner, rules, () -> steps.incrementAndGet() == 12);
        reached = all(learner.store);
      }
    }
    assertThat(reached).isEqualTo(expected);
    Path name = Path.of("checkpoints", "%08d".formatted(LAST));
    for (String file : List.of(Checkpoints.MODEL, Checkpoints.STATE, "state.json")) {
      assertThat(broken.resolve(name).resolve(file))
          .as(file)
          .hasSameBinaryContentAs(unbroken.resolve(name).resolve(file));
    }
    assertThat(decisions(broken)).containsAll(decisions(unbroken));
    assertThat(decisions(unbroken)).isNotEmpty();
  }

  private static List<String> decisions(Path path) {
    var decisions = new ArrayList<String>();
    for (RunEvent event : events(path, "guard.")) {
      decisions.add(
          event.event()
              + event.step()
              + event.facts().get("first")
              + event.facts().get("last")
              + event.facts().get("isrcs"));
    }
    return decisions;
  }

  @Test
  void averagedWeightsAndMuonLearnTheLine() {
    for (String optimiser : List.of("adamw", "muon")) {
      try (var learner = new LineLearner(1, Map.of(), Set.of())) {
        Path path = home.resolve(optimiser);
        run(path, learner, rules(optimiser, 0.5, guard("stop", 0, 0, 1)), ON);
        var losses = RunFolder.metrics(path);
        assertThat(losses.getLast().values().get("loss"))
            .as(optimiser)
            .isLessThan(0.8 * losses.getFirst().values().get("loss"));
      }
    }
  }
}
