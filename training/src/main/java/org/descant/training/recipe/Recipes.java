package org.descant.training.recipe;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.descant.models.codec.CodecConfig;
import org.descant.models.flow.FlowConfig;
import org.descant.models.lm.TokenLmConfig;
import org.descant.training.TrainingException;
import org.descant.training.loop.Guard;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Schedule;

/** The recipes that ship, each a function that returns a complete {@link Recipe}. Stateless. */
public final class Recipes {
  /** Weight of the adversarial loss in the ablations that have one. */
  private static final double CODEC_ADVERSARIAL = 0.1;

  private static final Map<String, Supplier<Recipe>> BY_NAME =
      new TreeMap<>(
          Map.of(
              "house-tiny",
              Recipes::houseTiny,
              "house-spans-tiny",
              Recipes::houseSpansTiny,
              "house-demo",
              Recipes::houseDemo,
              "codec-pghi",
              () -> codec("codec-pghi", CodecConfig.Phases.RECOVERED, 0),
              "codec-pghi-gan",
              () -> codec("codec-pghi-gan", CodecConfig.Phases.RECOVERED, CODEC_ADVERSARIAL),
              "codec-phases",
              () -> codec("codec-phases", CodecConfig.Phases.NETWORK, 0),
              "codec-phases-gan",
              () -> codec("codec-phases-gan", CodecConfig.Phases.NETWORK, CODEC_ADVERSARIAL),
              "house-flow-tiny",
              Recipes::houseFlowTiny,
              "house-flow",
              Recipes::houseFlow));

  private Recipes() {}

  /** Names of all recipes, sorted. */
  public static Set<String> names() {
    return BY_NAME.keySet();
  }

  /**
   * A recipe by its name.
   *
   * @throws TrainingException that lists the names when there is none
   */
  public static Recipe named(String name) {
    Supplier<Recipe> recipe = BY_NAME.get(name);
    if (recipe == null) {
      throw new TrainingException(
          "there is no recipe '%s'; there are %s".formatted(name, String.join(", ", names())));
    }
    return recipe.get();
  }

  /** Two to three minutes on two cores: shows that everything learns. */
  static Recipe houseTiny() {
    return new Recipe(
        /* name= */ "house-tiny",
        /* steps= */ 1400,
        /* seed= */ 1,
        /* batch= */ 16,
        /* accumulate= */ 1,
        /* precision= */ "auto",
        /* threads= */ 0,
        /* heldOut= */ 3,
        /* logEvery= */ 20,
        new Recipe.Checkpoint(/* every= */ 200, /* keep= */ 2),
        Guard.Options.DEFAULT,
        new Recipe.Codec(
            /* share= */ 0.5,
            /* batch= */ 8,
            /* accumulate= */ 1,
            /* frames= */ 96,
            /* learningRate= */ 1e-3,
            /* warmup= */ 20,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* gainDb= */ 6,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.99),
            CodecConfig.TINY),
        new Recipe.Augment(
            /* copies= */ 6,
            /* semitonesDown= */ -5,
            /* semitonesUp= */ 6,
            /* tempoMin= */ 0.87,
            /* tempoMax= */ 1.15),
        new Recipe.Lm(
            /* frames= */ 128,
            /* learningRate= */ 4e-3,
            /* warmup= */ 20,
            /* weightDecay= */ 0.05,
            /* clip= */ 1,
            /* dropConditions= */ 0.1,
            /* keepTag= */ 0.75,
            /* keepMelody= */ 0.5,
            /* tokenNoise= */ 0.02,
            /* spans= */ 0,
            /* codebookWeight= */ 0.9,
            /* emaDecay= */ 0.98,
            /* evaluateEvery= */ 200,
            /* stopAfter= */ 3,
            /* recompute= */ false,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.95),
            lookingBack(TokenLmConfig.TINY, 128)));
  }

  /**
   * The tiny one that also learns to fill spans, in half of its sequences, and to follow a melody:
   * an ablation to lay beside {@link #houseTiny}.
   */
  static Recipe houseSpansTiny() {
    return RecipeText.withOverrides(
        houseTiny(),
        List.of(
            "name=house-spans-tiny",
            "lm.spans=0.5",
            "lm.model.spans=true",
            "lm.model.melody=true"));
  }

  /** About an hour on one core: the model that ships in the repository. */
  static Recipe houseDemo() {
    return new Recipe(
        /* name= */ "house-demo",
        /* steps= */ 7_000,
        /* seed= */ 1,
        /* batch= */ 16,
        /* accumulate= */ 1,
        /* precision= */ "auto",
        /* threads= */ 1,
        /* heldOut= */ 3,
        /* logEvery= */ 20,
        new Recipe.Checkpoint(/* every= */ 200, /* keep= */ 2),
        Guard.Options.DEFAULT,
        new Recipe.Codec(
            /* share= */ 0.43,
            /* batch= */ 8,
            /* accumulate= */ 1,
            /* frames= */ 128,
            /* learningRate= */ 6e-4,
            /* warmup= */ 200,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* gainDb= */ 8,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.99),
            CodecConfig.DEMO),
        new Recipe.Augment(
            /* copies= */ 30,
            /* semitonesDown= */ -5,
            /* semitonesUp= */ 6,
            /* tempoMin= */ 0.87,
            /* tempoMax= */ 1.15),
        new Recipe.Lm(
            /* frames= */ 320,
            /* learningRate= */ 1e-3,
            /* warmup= */ 300,
            /* weightDecay= */ 0.1,
            /* clip= */ 1,
            /* dropConditions= */ 0.1,
            /* keepTag= */ 0.75,
            /* keepMelody= */ 0.5,
            /* tokenNoise= */ 0.02,
            /* spans= */ 0.5,
            /* codebookWeight= */ 0.9,
            /* emaDecay= */ 0.999,
            /* evaluateEvery= */ 250,
            /* stopAfter= */ 8,
            /* recompute= */ false,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.95),
            lookingBack(TokenLmConfig.DEMO.with(true, true), 320)));
  }

  /** The codec of house-tiny, and a flow model: two to three minutes on two cores. */
  static Recipe houseFlowTiny() {
    return flowing(
        "house-flow-tiny",
        houseTiny(),
        new Recipe.Flow(
            /* frames= */ 128,
            /* learningRate= */ 2e-3,
            /* warmup= */ 20,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* dropConditions= */ 0.1,
            /* inpaint= */ 0.5,
            /* keepTag= */ 0.75,
            /* emaDecay= */ 0.98,
            /* evaluateEvery= */ 200,
            /* stopAfter= */ 0,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.95),
            lookingBack(FlowConfig.TINY, 128)));
  }

  /** The codec of house-demo, and a flow model: some hours on one core. */
  static Recipe houseFlow() {
    return flowing(
        "house-flow",
        houseDemo(),
        new Recipe.Flow(
            /* frames= */ 320,
            /* learningRate= */ 1e-3,
            /* warmup= */ 300,
            /* weightDecay= */ 0.01,
            /* clip= */ 1,
            /* dropConditions= */ 0.1,
            /* inpaint= */ 0.5,
            /* keepTag= */ 0.75,
            /* emaDecay= */ 0.999,
            /* evaluateEvery= */ 250,
            /* stopAfter= */ 8,
            Schedule.Options.DEFAULT,
            Optimisation.Options.adamW(/* beta2= */ 0.95),
            lookingBack(FlowConfig.DEMO, 320)));
  }

  private static Recipe flowing(String name, Recipe like, Recipe.Flow flow) {
    return new Recipe(
        name,
        like.steps(),
        like.seed(),
        like.batch(),
        like.accumulate(),
        like.precision(),
        like.threads(),
        like.heldOut(),
        like.logEvery(),
        like.checkpoint(),
        like.guard(),
        like.codec(),
        like.augment(),
        null,
        flow);
  }

  private static FlowConfig lookingBack(FlowConfig model, int frames) {
    return new FlowConfig(
        model.width(),
        model.layers(),
        model.heads(),
        model.hidden(),
        model.latent(),
        model.styleSize(),
        frames);
  }

  /**
   * One of four runs that are compared: phases recovered or from the network, without and with a
   * discriminator. All else is the demo's codec, alike in all of them: data, batches, steps, width.
   * They end with the codec; the language model's part of the recipe is not used.
   */
  private static Recipe codec(String name, CodecConfig.Phases phases, double adversarial) {
    Recipe demo = houseDemo();
    Recipe.Codec codec = demo.codec();
    return new Recipe(
        name,
        /* steps= */ 2_000,
        demo.seed(),
        demo.batch(),
        demo.accumulate(),
        demo.precision(),
        demo.threads(),
        demo.heldOut(),
        demo.logEvery(),
        demo.checkpoint(),
        demo.guard(),
        new Recipe.Codec(
            /* share= */ 1,
            codec.batch(),
            codec.accumulate(),
            codec.frames(),
            codec.learningRate(),
            codec.warmup(),
            codec.weightDecay(),
            codec.clip(),
            codec.gainDb(),
            codec.schedule(),
            codec.optimiser(),
            codec.model().with(phases),
            Recipe.Adversarial.OFF.weighing(adversarial),
            /* from= */ ""),
        demo.augment(),
        demo.lm(),
        demo.flow());
  }

  /**
   * The model with a context of what it sees in training and no more: positions further back are
   * new to it, and clips longer than the context fall apart with them.
   */
  private static TokenLmConfig lookingBack(TokenLmConfig model, int frames) {
    return new TokenLmConfig(
        model.width(),
        model.layers(),
        model.heads(),
        model.keyValueHeads(),
        model.hidden(),
        model.codebooks(),
        model.codebookSize(),
        model.styleSize(),
        frames + model.codebooks() - 1,
        model.spans(),
        model.melody());
  }
}
