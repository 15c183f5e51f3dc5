package org.descant.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.descant.models.ModelCard;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Models that can be played: those that ship, and those trained in this home. */
@Command(
    name = "models",
    description = "List and show models.",
    subcommands = {ModelsCommand.Ls.class, ModelsCommand.Show.class})
final class ModelsCommand implements Callable<Integer> {
  @ParentCommand Main main = new Main();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant models ls` or `show`.");
  }

  @Command(name = "ls", description = "The models that ship and those of this home.")
  static final class Ls implements Callable<Integer> {
    @ParentCommand ModelsCommand parent = new ModelsCommand();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path home = parent.main.homeFolder();
      List<Path> folders = new ArrayList<>();
      folders.addAll(children(Path.of(System.getProperty("descant.source", "."), "models"), ""));
      folders.addAll(children(home.resolve("models"), ""));
      folders.addAll(children(home.resolve("runs"), "model"));
      List<Map<String, String>> lines = new ArrayList<>();
      for (Path folder : folders) {
        ModelCard card = ModelCard.read(folder);
        out.say("%-20s %s  %s", card.name(), card.id(), folder);
        lines.add(
            Map.of(
                "name", card.name(),
                "id", card.id(),
                "datasetRoot", card.datasetRoot(),
                "folder", folder.toString()));
      }
      out.document(lines);
      return Exit.DONE;
    }

    private static List<Path> children(Path parent, String inside) {
      if (!Files.isDirectory(parent)) {
        return List.of();
      }
      try (Stream<Path> children = Files.list(parent)) {
        return children
            .map(child -> child.resolve(inside))
            .filter(folder -> Files.isRegularFile(folder.resolve("card.json")))
            .sorted()
            .toList();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Command(name = "show", description = "A model's card.")
  static final class Show implements Callable<Integer> {
    @ParentCommand ModelsCommand parent = new ModelsCommand();

    @Parameters(paramLabel = "M", description = "a folder, or a name that `models ls` shows")
    String model = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      ModelCard card = ModelCard.read(Steps.modelFolder(parent.main.homeFolder(), model));
      out.say("%s %s (%s)", card.name(), card.id(), card.licence());
      out.say("recipe %s %s", card.recipe(), card.recipeHash());
      out.say("dataset root %s", card.datasetRoot());
      for (ModelCard.TrainedOn recording : card.recordings()) {
        out.say(
            "  %s %s: %s%s",
            recording.isrc(),
            recording.artist(),
            recording.title(),
            recording.heldOut() ? " (held out)" : "");
      }
      card.training().forEach((name, value) -> out.say("  %-34s %s", name, value));
      card.evaluation().forEach((name, value) -> out.say("  %-34s %.4f", name, value));
      if (card.attribution() != null) {
        out.say("attribution: %s", card.attribution());
      }
      out.document(card);
      return Exit.DONE;
    }
  }
}
