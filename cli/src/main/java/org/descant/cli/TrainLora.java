package org.descant.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.shards.Dataset;
import org.descant.training.LoraRecipe;
import org.descant.training.LoraTrainer;
import org.descant.training.Progress;
import org.descant.training.recipe.RecipeText;
import org.jspecify.annotations.Nullable;

/** {@code descant train musicgen-lora}: adapts a pulled model to a dataset. Stateless. */
final class TrainLora {
  private TrainLora() {}

  /** Runs to the end, or until somebody interrupts the process: then the present step is saved. */
  static int run(
      Output output,
      Path home,
      Dataset dataset,
      @Nullable Path config,
      List<String> overrides,
      @Nullable Path out)
      throws InterruptedException {
    LoraRecipe recipe = LoraRecipe.musicGen();
    if (config != null) {
      recipe = RecipeText.withYaml(recipe, config);
    }
    recipe = RecipeText.withOverrides(recipe, overrides);
    Path folder = out != null ? out : home.resolve("runs").resolve(LoraTrainer.runId(recipe));
    RecipeText.flat(recipe).forEach((key, value) -> output.progress(key + " = " + value));
    output.progress("run " + folder + " on " + dataset.manifest().id());
    LoraTrainer trainer = new LoraTrainer(recipe, dataset, folder, Progress.to(System.err));
    RunRecord record = SafeStop.around(SafeStop.RUN_SECONDS, trainer::stop, trainer::run);
    if (record.status() != RunStatus.FINISHED) {
      output.progress("Stopped safely; the same command goes on.");
      return Exit.INTERRUPTED;
    }
    record.facts().forEach((name, value) -> output.say("%-34s %s", name, value));
    output.say("adapter in %s", LoraTrainer.adapterFolder(folder));
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("run", folder.toString());
    document.put("record", record);
    document.put("adapter", LoraTrainer.adapterFolder(folder).toString());
    output.document(document);
    return Exit.DONE;
  }
}
