package org.descant.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.models.codec.CodecConfig;
import org.descant.training.Trainer;
import org.descant.training.TrainingException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
  @TempDir Path home;

  private static Recipe with(String... overrides) {
    return RecipeText.withOverrides(Recipes.named("house-tiny"), List.of(overrides));
  }

  @Test
  void everyRecipeHasItsNameAndTheKeysThatScriptsRelyOn() {
    for (String name : Recipes.names()) {
      Recipe recipe = Recipes.named(name);
      assertThat(recipe.name()).isEqualTo(name);
      assertThat(RecipeText.flat(recipe))
          .containsKeys("steps", "seed", "batch", "precision", "checkpoint.every");
    }
    assertThatThrownBy(() -> Recipes.named("house-huge"))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining(
            "house-demo, house-flow, house-flow-tiny, house-spans-tiny, house-tiny");
  }

  @Test
  void overridesChangeKeysToValuesOfTheirType() {
    Recipe recipe = with("steps=90", "codec.model.width=64", "precision=fp32", "lm.clip=0.5");
    assertThat(recipe.steps()).isEqualTo(90);
    assertThat(recipe.codec().model().width()).isEqualTo(64);
    assertThat(recipe.precision()).isEqualTo("fp32");
    assertThat(recipe.last().clip()).isEqualTo(0.5);
    assertThat(with("steps=90", "steps=80").steps()).isEqualTo(80);
  }

  @Test
  void anUnknownKeyNamesTheNearestKnownOne() {
    assertThatThrownBy(() -> with("stepps=90"))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("'stepps'")
        .hasMessageContaining("'steps'");
    assertThatThrownBy(() -> with("codec.learning_rate=1"))
        .hasMessageContaining("'codec.learningRate'");
    assertThatThrownBy(() -> with("checkpoint.evry=1")).hasMessageContaining("checkpoint.every");
    assertThatThrownBy(() -> with("widht=1")).hasMessageContaining("model.width");
    assertThatThrownBy(() -> with("steps.more=1")).hasMessageContaining("no key 'steps.more'");
  }

  @Test
  void aValueThatCannotBeIsRefusedAndNamed() {
    for (String override :
        List.of(
            "steps=many",
            "steps=1.5",
            "steps=0",
            "batch=-1",
            "precision=fp8",
            "codec.learningRate=NaN",
            "codec.share=1.1",
            "lm.frames=100000",
            "codec.model.width=3",
            "lm.model.codebooks=5",
            "codec=1",
            "=5",
            "steps")) {
      assertThatThrownBy(() -> with(override))
          .as(override)
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining(override.contains("=") ? "" : override);
    }
    assertThatThrownBy(() -> with("steps=many")).hasMessageContaining("whole number");
  }

  @Test
  void aYamlFileOverridesTheSameWay() throws Exception {
    Path file = home.resolve("run.yaml");
    Files.writeString(file, "steps: 90\ncodec:\n  model:\n    width: 64\nlm.clip: 0.5\n");
    assertThat(RecipeText.withYaml(Recipes.named("house-tiny"), file))
        .isEqualTo(with("steps=90", "codec.model.width=64", "lm.clip=0.5"));
    Files.writeString(file, "stepz: 90\n");
    assertThatThrownBy(() -> RecipeText.withYaml(Recipes.named("house-tiny"), file))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("'steps'");
    for (String broken : List.of("- a\n- b\n", "steps: [1, 2]\n", "a: b: c", "steps: {x: 1}\n")) {
      Files.writeString(file, broken);
      assertThatThrownBy(() -> RecipeText.withYaml(Recipes.named("house-tiny"), file))
          .as(broken)
          .isInstanceOf(TrainingException.class);
    }
    Files.writeString(file, "");
    assertThat(RecipeText.withYaml(Recipes.named("house-tiny"), file))
        .isEqualTo(Recipes.named("house-tiny"));
    assertThatThrownBy(() -> RecipeText.withYaml(Recipes.named("house-tiny"), home))
        .isInstanceOf(TrainingException.class);
  }

  @Test
  void theHashIsThatOfEveryValueAndOfNothingElse() {
    String hash = RecipeText.hash(with());
    assertThat(RecipeText.hash(with("steps=" + Recipes.named("house-tiny").steps())))
        .isEqualTo(hash);
    assertThat(RecipeText.hash(with("seed=2"))).isNotEqualTo(hash);
    Recipe recipe = with("seed=5");
    assertThat(RecipeText.fromMap(RecipeText.toMap(recipe))).isEqualTo(recipe);
    assertThat(RecipeText.canonical(recipe))
        .startsWith("{\"accumulate\":1,\"augment\":{\"copies\":");
    assertThat(Trainer.runId(recipe))
        .isEqualTo("house-tiny-" + RecipeText.hash(recipe).substring(0, 8));
  }

  @Test
  void aRecipeHasOneLastStageAndTheTextLeavesTheOtherOut() {
    Recipe flow = Recipes.named("house-flow-tiny");
    assertThat(RecipeText.canonical(flow)).contains("\"flow\":{").doesNotContain("\"lm\"");
    assertThat(RecipeText.canonical(with())).contains("\"lm\":{").doesNotContain("\"flow\"");
    assertThat(RecipeText.fromMap(RecipeText.toMap(flow))).isEqualTo(flow);
    assertThat(RecipeText.withOverrides(flow, List.of("flow.inpaint=0.25")).flow())
        .extracting(Recipe.Flow::inpaint)
        .isEqualTo(0.25);
    assertThat(flow.last().name()).isEqualTo("flow");
    assertThat(flow.codebooks()).isEqualTo(flow.codec().model().codebooks());
    for (String wrong :
        List.of(
            "flow.inpaint=2",
            "flow.frames=100000",
            "flow.model.latent=31",
            "flow.model.styleSize=63",
            "flow.keepTag=0",
            "flow.model.heads=3")) {
      assertThatThrownBy(() -> RecipeText.withOverrides(flow, List.of(wrong)))
          .as(wrong)
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining(wrong.substring(wrong.lastIndexOf('.') + 1, wrong.indexOf('=')));
    }
    assertThatThrownBy(() -> RecipeText.withOverrides(flow, List.of("lm.frames=64")))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("no key 'lm.frames'")
        .hasMessageContaining("'flow.frames'");
    Map<String, Object> neither = new TreeMap<>(RecipeText.toMap(flow));
    neither.remove("flow");
    assertThatThrownBy(() -> RecipeText.fromMap(neither))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("last stage");
    neither.remove("augment");
    assertThatThrownBy(() -> RecipeText.fromMap(neither)).hasMessageContaining("augment");
  }

  @Test
  void stagesShareTheStepsAndEachHasOne() {
    for (int steps = 2; steps < 200; steps++) {
      Recipe recipe = with("steps=" + steps, "codec.share=0.3");
      assertThat(recipe.codecSteps()).isBetween(1L, steps - 1L);
      assertThat(recipe.codecSteps() + recipe.lastSteps()).isEqualTo(steps);
    }
  }

  @Test
  void aCodecAloneIsARecipe() {
    Recipe recipe = with("codec.share=1", "steps=90");
    assertThat(recipe.codecSteps()).isEqualTo(90);
    assertThat(recipe.lastSteps()).isZero();
    for (String name :
        List.of("codec-pghi", "codec-pghi-gan", "codec-phases", "codec-phases-gan")) {
      Recipe ablation = Recipes.named(name);
      assertThat(ablation.lastSteps()).isZero();
      assertThat(ablation.codec().adversarial().takesPart()).isEqualTo(name.endsWith("-gan"));
      assertThat(ablation.codec().model().phases() == CodecConfig.Phases.NETWORK)
          .isEqualTo(name.contains("phases"));
      // All else is alike.
      assertThat(
              RecipeText.canonical(
                  RecipeText.withOverrides(
                      ablation,
                      List.of(
                          "name=x", "codec.model.phases=RECOVERED", "codec.adversarial.weight=0"))))
          .isEqualTo(
              RecipeText.canonical(
                  RecipeText.withOverrides(Recipes.named("codec-pghi"), List.of("name=x"))));
    }
  }

  @Test
  void whatWasAddedLaterChangesNoHashAndNoRecordOfBefore() {
    Recipe recipe = with();
    assertThat(RecipeText.canonical(recipe)).doesNotContain("adversarial").doesNotContain("phases");
    Map<String, Object> before = RecipeText.toMap(recipe);
    Map<String, Object> codec = new TreeMap<>(group(before, "codec"));
    Map<String, Object> model = new TreeMap<>(group(codec, "model"));
    codec.remove("adversarial");
    model.remove("phases");
    codec.put("model", model);
    before.put("codec", codec);
    assertThat(RecipeText.fromMap(before)).isEqualTo(recipe);
    assertThatThrownBy(() -> with("codec.model.phases=NONE"))
        .hasMessage("'codec.model.phases' takes RECOVERED or NETWORK, was 'NONE'");
    assertThat(with("codec.adversarial.weight=0.5")).isNotEqualTo(recipe);
    assertThat(RecipeText.canonical(with("codec.model.phases=NETWORK")))
        .contains("\"phases\":\"NETWORK\"")
        .doesNotContain("adversarial");
    codec.put("adversary", 1);
    assertThatThrownBy(() -> RecipeText.fromMap(before)).isInstanceOf(TrainingException.class);
  }

  @SuppressWarnings("unchecked") // A group of keys is a map of them.
  private static Map<String, Object> group(Map<String, Object> map, String key) {
    return (Map<String, Object>) map.get(key);
  }

  @Test
  void theNewKeysAreCheckedAtTheDoor() {
    Recipe recipe =
        with(
            "accumulate=4",
            "codec.accumulate=2",
            "lm.optimiser.name=muon",
            "lm.schedule.name=wsd",
            "lm.recompute=true",
            "guard.policy=rewind",
            "guard.zScore=6");
    assertThat(recipe.accumulate()).isEqualTo(4);
    assertThat(recipe.lm()).extracting(Recipe.Lm::recompute).isEqualTo(true);
    assertThat(recipe.guard().policy()).isEqualTo("rewind");
    for (String wrong :
        List.of(
            "accumulate=3",
            "codec.accumulate=5",
            "lm.optimiser.name=sgd",
            "lm.optimiser.momentum=1",
            "codec.schedule.name=linear",
            "lm.schedule.decay=0",
            "lm.spans=0.5", // while lm.model.spans is false
            "lm.keepMelody=2",
            "guard.policy=ignore",
            "codec.adversarial.weight=-1",
            "codec.adversarial.start=1",
            "codec.adversarial.bandChannels=0",
            "codec.model.phases=GUESSED",
            "guard.window=1",
            "guard.limit=0")) {
      assertThatThrownBy(() -> with(wrong))
          .as(wrong)
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining(
              wrong.substring(wrong.lastIndexOf('.', wrong.indexOf('=')) + 1, wrong.indexOf('=')));
    }
  }

  @Test
  void spansAndMelodiesAreOffUnlessAskedFor() {
    assertThat(with().lm().spans()).isZero();
    assertThat(with().lm().model().spans()).isFalse();
    assertThat(with().lm().model().melody()).isFalse();
    Recipe spans = with("lm.model.spans=true", "lm.spans=0.5", "lm.model.melody=true");
    assertThat(spans.lm()).isEqualTo(Recipes.named("house-spans-tiny").lm());
  }
}
