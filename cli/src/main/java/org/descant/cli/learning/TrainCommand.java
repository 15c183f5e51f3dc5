package org.descant.cli.learning;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.SafeStop;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.tensor.PeerLostException;
import org.descant.training.Progress;
import org.descant.training.Trainer;
import org.descant.training.parallel.Launcher;
import org.descant.training.parallel.Replicas;
import org.descant.training.parallel.Team;
import org.descant.training.parallel.World;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.recipe.Recipes;
import org.descant.training.tune.TuneRecipe;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Trains a recipe; the same command goes on with a run that was cut off. */
@Command(
    name = "train",
    description = "Train a recipe on a dataset; resumes a run that was cut off.",
    subcommands = TrainPlanCommand.class)
public final class TrainCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Parameters(
      paramLabel = "RECIPE",
      arity = "0..1",
      description = "house-tiny, house-demo, musicgen-lora, musicgen, …")
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

  @Option(names = "--out", paramLabel = "RUN", description = "Run folder.")
  @Nullable Path out;

  @Option(
      names = "--workers",
      paramLabel = "N",
      description = "Train with N processes on this machine (default: 1).")
  int workers = 1;

  @Option(
      names = "--worker-timeout",
      paramLabel = "SECONDS",
      description = "How long a worker waits for another (default: ${DEFAULT-VALUE}).")
  long workerTimeout = Team.Options.DEFAULT.timeout().toSeconds();

  @Option(
      names = "--shard-optimizer",
      description = "Spread AdamW's state over the workers (ZeRO-1): less memory, same weights.")
  boolean shardOptimizer;

  @Override
  public Integer call() throws Exception {
    Output output = main.output();
    Path home = main.homeFolder();
    if (TrainTune.takes(recipe)) {
      if (workers != 1) {
        throw new UsageException(recipe + " trains in one process; leave --workers out.");
      }
      try (Dataset opened = Dataset.open(datasetFolder(home, dataset))) {
        return TrainTune.run(output, home, opened, recipe, config, overrides, out);
      }
    }
    Recipe effective = effective(recipe, config, overrides);
    Path folder = out != null ? out : home.resolve("runs").resolve(Trainer.runId(effective));
    Path data = datasetFolder(home, dataset);
    Optional<World> world = World.of(System.getenv());
    Team.Options options =
        Team.Options.DEFAULT
            .withTimeout(Duration.ofSeconds(workerTimeout))
            .withShardOptimizer(shardOptimizer);
    if (world.isEmpty() && workers != 1) {
      Launcher.Plan plan = Launcher.Plan.of(workers);
      // What is wrong is told here, once, and not by every worker.
      try (Dataset opened = Dataset.open(data)) {
        new Trainer(effective, opened, folder, Progress.NONE)
            .requireTrainable(workers, shardOptimizer);
      }
      return Workers.launch(main, plan);
    }
    try (Replicas replicas =
            world.<Replicas>map(w -> Team.join(w, options, folder)).orElse(Replicas.ALONE);
        Dataset opened = Dataset.open(data)) {
      if (replicas.leads()) {
        RecipeText.flat(effective).forEach((key, value) -> output.progress(key + " = " + value));
        output.progress("run " + folder + " on " + opened.manifest().id());
      }
      RunRecord record = run(effective, opened, folder, Progress.to(System.err), replicas);
      if (!replicas.leads()) {
        return Exit.DONE;
      }
      if (record.status() != RunStatus.FINISHED) {
        output.progress("Stopped safely; the same command goes on.");
        return Exit.INTERRUPTED;
      }
      if (!Trainer.hasModel(record)) {
        record.facts().forEach((name, value) -> output.say("%-34s %s", name, value));
        output.document(Map.of("run", folder.toString(), "record", record));
        return Exit.DONE;
      }
      ModelCard card = ModelCard.read(Trainer.modelFolder(folder));
      try (Platform platform = Platform.open(home)) {
        Steps.recordRun(platform, record, card);
      }
      print(output, record, card, folder);
      return Exit.DONE;
    } catch (PeerLostException e) {
      System.err.println("descant: " + e.getMessage());
      return Team.LOST_STATUS;
    }
  }

  /** The recipe of this name with the file's and then the command line's keys on top. */
  static Recipe effective(String recipe, @Nullable Path config, List<String> overrides) {
    if (recipe.isBlank()) {
      throw new UsageException(
          "Name a recipe: `descant train RECIPE`, one of "
              + String.join(", ", Recipes.names())
              + ", "
              + String.join(", ", TuneRecipe.names()));
    }
    Recipe effective = Recipes.named(recipe);
    if (config != null) {
      effective = RecipeText.withYaml(effective, config);
    }
    return RecipeText.withOverrides(effective, overrides);
  }

  /** The dataset that was named, or the newest of this home. */
  static Path datasetFolder(Path home, @Nullable String dataset) {
    if (dataset != null) {
      return Steps.dataset(home, dataset);
    }
    return Steps.datasetFolders(home).stream()
        .findFirst()
        .orElseThrow(() ->
            new UsageException(
                "There is no dataset in "
                    + home
                    + "; build one with `descant dataset build NAME`."));
  }

  private static void print(Output output, RunRecord record, ModelCard card, Path folder) {
    record.facts().forEach((name, value) -> output.say("%-34s %s", name, value));
    output.say("model %s in %s", card.id(), Trainer.modelFolder(folder));
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("run", folder.toString());
    document.put("record", record);
    document.put(
        "model", Map.of("id", card.id(), "folder", Trainer.modelFolder(folder).toString()));
    output.document(document);
  }

  /** Runs to the end, or until somebody interrupts the process: then the present step is saved. */
  public static RunRecord run(Recipe recipe, Dataset dataset, Path folder, Progress progress)
      throws InterruptedException {
    return run(recipe, dataset, folder, progress, Replicas.ALONE);
  }

  private static RunRecord run(
      Recipe recipe, Dataset dataset, Path folder, Progress progress, Replicas replicas)
      throws InterruptedException {
    Trainer trainer = new Trainer(recipe, dataset, folder, progress, replicas);
    return replicas.leads()
        ? SafeStop.around(SafeStop.RUN_SECONDS, trainer::stop, trainer::run)
        : SafeStop.around(SafeStop.RUN_SECONDS, trainer::stop, trainer::run, "");
  }
}
