package org.descant.cli.learning;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.SafeStop;
import org.descant.cli.platform.Steps;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.published.TunedModel;
import org.descant.shards.Dataset;
import org.descant.training.Progress;
import org.descant.training.recipe.RecipeText;
import org.descant.training.tune.TuneRecipe;
import org.descant.training.tune.Tuner;
import org.jspecify.annotations.Nullable;

/** {@code descant train musicgen-lora} and {@code musicgen}: tunes a pulled model. Stateless. */
final class TrainTune {
  private static final String BASE = "base";

  private TrainTune() {}

  /** Whether a name is that of a recipe that tunes a model. */
  static boolean takes(String recipe) {
    return TuneRecipe.names().contains(recipe);
  }

  /**
   * The recipe with the file's and then the command line's keys on top; its base may be a name that
   * {@code models ls} shows.
   */
  static TuneRecipe effective(
      Path home, String name, @Nullable Path config, List<String> overrides) {
    TuneRecipe recipe = TuneRecipe.named(name);
    if (config != null) {
      recipe = RecipeText.withYaml(recipe, config);
    }
    recipe = RecipeText.withOverrides(recipe, overrides);
    if (recipe.base().isBlank() || Files.isDirectory(Path.of(recipe.base()))) {
      return recipe;
    }
    Path folder = Steps.modelFolder(home, recipe.base());
    return RecipeText.withOverrides(recipe, List.of(BASE + "=" + folder));
  }

  /** Runs to the end, or until somebody interrupts the process: then the present step is saved. */
  static int run(
      Output output,
      Path home,
      Dataset dataset,
      String name,
      @Nullable Path config,
      List<String> overrides,
      @Nullable Path out)
      throws InterruptedException {
    TuneRecipe recipe = effective(home, name, config, overrides);
    Path folder = out != null ? out : home.resolve("runs").resolve(Tuner.runId(recipe));
    RecipeText.flat(recipe).forEach((key, value) -> output.progress(key + " = " + value));
    output.progress("run " + folder + " on " + dataset.manifest().id());
    Tuner tuner = new Tuner(recipe, dataset, folder, Progress.to(System.err));
    RunRecord record = SafeStop.around(SafeStop.RUN_SECONDS, tuner::stop, tuner::run);
    if (record.status() != RunStatus.FINISHED) {
      output.progress("Stopped safely; the same command goes on.");
      return Exit.INTERRUPTED;
    }
    Path shipped = Tuner.shipped(Tuner.recipe(record), folder);
    TunedModel tuned = TunedModel.read(shipped);
    try (Platform platform = Platform.open(home)) {
      Steps.recordTuned(platform, record, tuned);
    }
    record.facts().forEach((fact, value) -> output.say("%-34s %s", fact, value));
    output.say("%s %s in %s", shown(tuned), tuned.id(), shipped);
    output.say("for study only: %s", TunedModel.NO_MANIFEST);
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("run", folder.toString());
    document.put("record", record);
    document.put("model", Map.of("id", tuned.id(), "folder", shipped.toString()));
    output.document(document);
    return Exit.DONE;
  }

  /** A word for what lies in a tuned model's folder. */
  static String shown(TunedModel tuned) {
    return tuned.kind() == TunedModel.Kind.ADAPTER ? "adapter" : "model";
  }
}
