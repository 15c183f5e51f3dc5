package org.descant.cli.learning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.models.hub.HubReference;
import org.descant.models.hub.PulledModel;
import org.descant.models.hub.PulledModels;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Removes a model from this home. */
@Command(
    name = "rm",
    description = "Remove a model of this home, and contents that no other pulled model has.")
final class ModelsRmCommand implements Callable<Integer> {
  @ParentCommand ModelsCommand parent = new ModelsCommand();

  @Parameters(paramLabel = "M", description = "a name that `models ls` shows")
  String model = "";

  @Override
  public Integer call() throws IOException {
    Output out = parent.main.output();
    Path home = parent.main.homeFolder();
    PulledModels shelf = PulledModels.in(home.resolve("models"));
    if (model.startsWith("hf:") && shelf.find(model).isEmpty()) {
      long freed = shelf.removeParts(HubReference.parse(model));
      if (freed > 0) {
        return freed(out, "what a cut pull of " + model + " left", freed);
      }
    }
    Path folder = Steps.modelFolder(home, model).toRealPath();
    Path models = real(home.resolve("models"));
    if (PulledModel.isPulled(folder) && folder.startsWith(models)) {
      PulledModel pulled = PulledModel.read(folder);
      if (!real(shelf.folder(pulled)).equals(folder)) {
        throw new UsageException(
            "The record in " + folder + " is of another model; delete that folder yourself.");
      }
      return freed(out, pulled.name() + "@" + pulled.revision(), shelf.remove(pulled));
    }
    if (models.equals(folder.getParent())) {
      return freed(
          out, model, shelf.removeFolder(home.resolve("models").resolve(folder.getFileName())));
    }
    String why =
        folder.startsWith(real(Steps.shipped()))
            ? "it ships with the program"
            : folder.startsWith(real(home.resolve("runs")))
                ? "it belongs to the record of its run"
                : "it is not in this home";
    out.say("Refused: %s stays, for %s (%s).", model, why, folder);
    out.document(Map.of("refused", true, "sentence", model + " stays, for " + why + "."));
    return Exit.REFUSED;
  }

  private static int freed(Output out, String what, long bytes) {
    out.say("removed %s; %d bytes (%.1f MB) freed", what, bytes, bytes / 1e6);
    out.document(Map.of("removed", what, "bytesFreed", bytes));
    return Exit.DONE;
  }

  private static Path real(Path folder) throws IOException {
    return folder.toFile().exists() ? folder.toRealPath() : folder.toAbsolutePath().normalize();
  }
}
