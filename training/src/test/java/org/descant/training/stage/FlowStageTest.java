package org.descant.training.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.descant.models.codec.CodecLatents;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.shards.Dataset;
import org.descant.tensor.AdamW;
import org.descant.tensor.Scope;
import org.descant.training.Small;
import org.descant.training.TrainingException;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlowStageTest {
  private static final int LATENT = 8;
  private static final int FRAMES = 300;
  private static final List<String> OVERRIDES =
      List.of("batch=4", "flow.frames=24", "flow.model.layers=2", "flow.learningRate=0.003");

  @TempDir static Path folder;

  @BeforeAll
  static void prepare() {
    Small.dataset(folder.resolve("dataset"));
  }

  /** Three recordings whose latents are slow waves of their own shape, the last held out. */
  private static Tokens tokens() {
    var coded = new ArrayList<Tokens.Coded>();
    var latents = new ArrayList<Latents>();
    for (int recording = 0; recording < 3; recording++) {
      SplittableRandom random = new SplittableRandom(recording);
      float[] rows = new float[FRAMES * LATENT];
      double shift = random.nextDouble();
      for (int i = 0; i < rows.length; i++) {
        rows[i] = (float) (1.4 * Math.sin(2 * Math.PI * (i / LATENT / 16.0 + shift) + i % LATENT));
      }
      latents.add(new Latents.Held(new CodecLatents(rows, LATENT)));
      int[] energy = new int[FRAMES];
      Arrays.setAll(energy, t -> t / 16 % 4);
      coded.add(
          new Tokens.Coded(
              recording,
              new Copy(0, 0, 1),
              new Codes.Held(new int[1][FRAMES]),
              FrameConditions.from(43, List.of(), List.of(), List.of(), energy),
              new GlobalConditions(2, true, List.of("a", "b"), "waves", null),
              latents.getLast()));
    }
    var trained = new ArrayList<>(coded.subList(0, 2));
    trained.add(
        new Tokens.Coded(
            0,
            new Copy(1, 2, 1.1),
            new Codes.Held(new int[1][270]),
            coded.getFirst().frames().slice(0, 270),
            coded.getFirst().global(),
            new Latents.Held(new CodecLatents(new float[270 * LATENT], LATENT))));
    return new Tokens(trained, coded.subList(2, 3), latents, List.of());
  }

  private static <R> R with(Tokens tokens, String seed, Function<FlowStage, R> use) {
    var overrides = new ArrayList<>(OVERRIDES);
    overrides.add("seed=" + seed);
    Recipe recipe = RecipeText.withOverrides(Small.flowRecipe(), overrides);
    try (Dataset dataset = Dataset.open(folder.resolve("dataset"));
        Setting setting =
            Setting.of(
                recipe,
                "",
                dataset,
                folder.resolve("run"),
                0,
                Setting.Listeners.NONE,
                Replicas.ALONE);
        var codec = new CodecStage(setting);
        var weights = codec.codec();
        var stage = new FlowStage(setting, Objects.requireNonNull(recipe.flow()), codec, tokens)) {
      return use.apply(stage);
    }
  }

  @Test
  void batchesAreFunctionsOfTheStepAndCopiesAreAmongThem() {
    float[] batch = third("7");
    assertThat(batch).hasSize(4 * 24 * LATENT);
    assertThat(third("7")).isEqualTo(batch);
    assertThat(third("8")).isNotEqualTo(batch);
    with(
        tokens(),
        "7",
        stage -> {
          var sources = new ArrayList<Integer>();
          for (int step = 1; step < 20; step++) {
            FlowStage.Batch one = stage.batch(step);
            assertThat(one.recordings()).hasSize(4).isSubsetOf(0, 1);
            assertThat(stage.recordings(one)).hasSize(4).allMatch(isrc -> isrc.startsWith("QZTST"));
            Order.excerpts(stage.order().windows(), stage.order(), step)
                .forEach(window -> sources.add(window.source()));
          }
          assertThat(sources).contains(0, 1, 2);
          return sources;
        });
  }

  private static float[] third(String seed) {
    return with(tokens(), seed, stage -> stage.batch(3).input().target());
  }

  @Test
  void learningLowersTheHeldOutLossAndIsTheSameTwice() {
    double[] first = with(tokens(), "7", FlowStageTest::learned);
    System.out.printf("flow: held-out loss %.3f -> %.3f%n", first[0], first[1]);
    assertThat(first[1]).isLessThan(0.5 * first[0]);
    double[] again = with(tokens(), "7", FlowStageTest::learned);
    assertThat(again).isEqualTo(first);
  }

  private static double[] learned(FlowStage stage) {
    try (AdamW optimiser =
        new AdamW(stage.parameters(), new AdamW.Options(0.9, 0.99, 1e-8, 0.01))) {
      double before = heldOut(stage);
      for (int step = 1; step <= 200; step++) {
        try (Scope scope = Scope.open()) {
          stage.parameters().zeroGradients();
          assertThat(stage.learn(stage.batch(step), step, 0)).containsOnlyKeys("loss");
          stage.parameters().clipGradNorm(1);
          optimiser.step(3e-3);
        }
      }
      return new double[] {before, heldOut(stage)};
    }
  }

  private static double heldOut(FlowStage stage) {
    return stage.heldOutLosses().getOrDefault(LastStage.HELD_OUT_LOSS, Double.NaN);
  }

  @Test
  void nothingToLearnFromIsRefused() {
    var nothing = new Tokens(List.of(), List.of(), List.of(), List.of());
    assertThatThrownBy(() -> with(nothing, "1", stage -> stage))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("no recording");
  }
}
