package org.descant.cli.learning;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.UsageException;
import org.descant.shards.Dataset;
import org.descant.training.Plan;
import org.descant.training.Planning;
import org.descant.training.Trainer;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.tune.TunePlan;
import org.descant.training.tune.TuneRecipe;
import org.descant.training.tune.Tuner;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Says what a training run would take, and whether it can work, before it starts. */
@Command(
    name = "plan",
    description = "Build everything, take one step of each stage, and say what a run would take.")
final class TrainPlanCommand implements Callable<Integer> {
  @ParentCommand TrainCommand parent = new TrainCommand();

  @Parameters(paramLabel = "RECIPE", description = "house-tiny, house-demo, …")
  String recipe = "";

  @Option(names = "--set", paramLabel = "k=v", description = "Override a key of the recipe.")
  List<String> overrides = new ArrayList<>();

  @Option(names = "--config", paramLabel = "FILE", description = "YAML with keys to override.")
  @Nullable Path config;

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      description = "Default: the newest of this home.")
  @Nullable String dataset;

  @Option(names = "--out", paramLabel = "RUN", description = "Where the run folder would be.")
  @Nullable Path out;

  @Override
  public Integer call() {
    Output output = parent.main.output();
    Path home = parent.main.homeFolder();
    Record effective =
        TrainTune.takes(recipe)
            ? TrainTune.effective(home, recipe, config, overrides)
            : TrainCommand.effective(recipe, config, overrides);
    try (Dataset opened = Dataset.open(TrainCommand.datasetFolder(home, dataset))) {
      Plan plan = plan(effective, opened, home.resolve("runs"));
      RecipeText.flat(effective).forEach((key, value) -> output.say("%s", key + " = " + value));
      Planning.lines(plan).forEach(line -> output.say("%s", line));
      output.document(plan);
      if (!plan.problems().isEmpty()) {
        throw new UsageException(plan.problems().getFirst());
      }
      return Exit.DONE;
    }
  }

  private Plan plan(Record recipe, Dataset dataset, Path runs) {
    return switch (recipe) {
      case TuneRecipe tune ->
          TunePlan.of(tune, dataset, out != null ? out : runs.resolve(Tuner.runId(tune)));
      case Recipe house ->
          Planning.of(house, dataset, out != null ? out : runs.resolve(Trainer.runId(house)));
      default -> throw new IllegalStateException("no recipe: " + recipe);
    };
  }
}
