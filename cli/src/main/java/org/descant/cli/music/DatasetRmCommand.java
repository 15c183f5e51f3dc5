package org.descant.cli.music;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Steps;
import org.descant.lab.Lab;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.models.published.TunedModel;
import org.descant.shards.Manifest;
import org.descant.shards.Removal;
import org.descant.training.FieldSets;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/**
 * Removes a dataset's sound and fields. Its manifest, its withdrawals, its entry in the log and its
 * place in the thread stay, so what was learned from it can be traced and proven as before: that
 * rests on hashes of the sound, not on the sound.
 */
@Command(
    name = "rm",
    description =
        "Remove a dataset's sound and fields; its manifest stays, for `trace` and `prove`. Refused"
            + " where a run or a model of this home needs it.")
final class DatasetRmCommand implements Callable<Integer> {
  @ParentCommand DatasetCommand parent = new DatasetCommand();

  @Parameters(paramLabel = "NAME")
  String name = "";

  @Override
  public Integer call() {
    Output out = parent.main.output();
    Path home = parent.main.homeFolder();
    Removal.finish(Steps.datasets(home));
    Path folder = Steps.dataset(home, name);
    Manifest manifest = Manifest.read(folder);
    List<String> reasons = neededBy(home, manifest.root());
    if (!reasons.isEmpty()) {
      return refused(out, manifest, reasons);
    }
    OptionalLong freed = Removal.dataset(folder, Steps.removedDatasets(home));
    if (freed.isEmpty()) {
      return refused(out, manifest, List.of("A process reads it now; wait for it to end."));
    }
    out.say(
        "%s is removed, %.1f MB are free; its manifest stays, with root %s.",
        manifest.id(), freed.getAsLong() / 1e6, manifest.root());
    out.document(
        Map.of(
            "id", manifest.id(),
            "root", manifest.root(),
            "freedBytes", freed.getAsLong(),
            "manifest", Steps.removedDatasets(home).resolve(manifest.id()).toString()));
    return Exit.DONE;
  }

  private static int refused(Output out, Manifest manifest, List<String> reasons) {
    String sentence = "The dataset " + manifest.id() + " is still needed, so it stays.";
    out.say("%s", sentence);
    reasons.forEach(reason -> out.say("  %s", reason));
    out.document(Map.of("refused", true, "sentence", sentence, "reasons", reasons));
    return Exit.REFUSED;
  }

  /**
   * Who needs a dataset: a run to go on or to be replayed, a model to be replayed, evaluated and
   * attributed. Another dataset of the same root does as well.
   */
  private static List<String> neededBy(Path home, String root) {
    long same =
        Steps.datasetFolders(home).stream()
            .filter(folder -> Manifest.read(folder).root().equals(root))
            .count();
    List<String> reasons = new ArrayList<>();
    for (Lab.Run run : FieldSets.runsOn(root, home.resolve("runs"))) {
      if (run.record().status() != RunStatus.FINISHED) {
        reasons.add(
            "Run %s has not ended (%s) and goes on from it; end it, or remove its folder."
                .formatted(run.path().getFileName(), run.record().status()));
      } else if (same == 1) {
        reasons.add(
            "Run %s needs it to be replayed; remove its folder first."
                .formatted(run.path().getFileName()));
      }
    }
    if (same == 1) {
      for (Path place : List.of(home.resolve("models"), Steps.shipped())) {
        for (Path model : children(place)) {
          if (root.equals(rootOf(model))) {
            reasons.add(
                "The model in %s needs it to be evaluated and attributed.".formatted(model));
          }
        }
      }
    }
    return reasons;
  }

  private static String rootOf(Path model) {
    if (Files.isRegularFile(model.resolve("card.json"))) {
      return ModelCard.read(model).datasetRoot();
    }
    return TunedModel.isTuned(model) ? TunedModel.read(model).datasetRoot() : "";
  }

  private static List<Path> children(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> children = Files.list(folder)) {
      return children.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
