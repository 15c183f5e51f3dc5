package org.descant.cli.learning;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.evaluation.release.ReleaseRecord;
import org.descant.models.ModelCard;
import org.descant.models.ModelException;
import org.descant.models.hub.PulledModel;
import org.descant.models.hub.PulledModels;
import org.descant.models.published.Parity;
import org.descant.models.published.TunedModel;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import tools.jackson.databind.json.JsonMapper;

/** Models: those that ship, those trained in this home, and those pulled from a hub for study. */
@Command(
    name = "models",
    description = "List, show, pull, study and remove models; check ports against published ones.",
    subcommands = {
      ModelsCommand.Ls.class,
      ModelsCommand.Show.class,
      ModelsCommand.Parities.class,
      ModelsPlayCommand.class,
      ModelsPullCommand.class,
      ModelsRmCommand.class
    })
public final class ModelsCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant models ls`, `show`, `pull`, `play`, `rm` or `parity`.");
  }

  @Command(name = "ls", description = "The models that ship, those of this home and those pulled.")
  static final class Ls implements Callable<Integer> {
    private static final String CARD = "card.json";

    @ParentCommand ModelsCommand parent = new ModelsCommand();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path home = parent.main.homeFolder();
      List<Path> folders = new ArrayList<>();
      folders.addAll(children(Steps.shipped(), "", CARD));
      folders.addAll(children(home.resolve("models"), "", CARD));
      folders.addAll(children(home.resolve("runs"), "model", CARD));
      List<Map<String, Object>> lines = new ArrayList<>();
      for (Path folder : folders) {
        ModelCard card = ModelCard.read(folder);
        boolean rights = !card.datasetRoot().isBlank() && !card.recordings().isEmpty();
        long bytes = bytes(folder);
        say(out, card.name(), bytes, rights, card.id(), folder);
        lines.add(
            Map.of(
                "name", card.name(),
                "id", card.id(),
                "datasetRoot", card.datasetRoot(),
                "bytes", bytes,
                "rights", rights,
                "folder", folder.toString()));
      }
      for (Path folder : tuned(home)) {
        TunedModel model = TunedModel.read(folder);
        long bytes = bytes(folder);
        say(out, model.name(), bytes, false, model.id(), folder);
        lines.add(
            Map.of(
                "name", model.name(),
                "id", model.id(),
                "kind", TrainTune.shown(model),
                "base", model.base(),
                "datasetRoot", model.datasetRoot(),
                "bytes", bytes,
                "rights", false,
                "folder", folder.toString()));
      }
      PulledModels pulled = PulledModels.in(home.resolve("models"));
      PulledModels.Shelf shelf = pulled.list();
      for (PulledModel model : shelf.models()) {
        Path folder = pulled.folder(model);
        say(out, model.name(), model.bytes(), false, model.commit(), folder);
        lines.add(
            Map.of(
                "name", model.name(),
                "id", model.commit(),
                "revision", model.revision(),
                "bytes", model.bytes(),
                "rights", false,
                "folder", folder.toString()));
      }
      shelf
          .damaged()
          .forEach(folder ->
              out.progress("The record in " + folder + " cannot be read; pull the model again."));
      out.document(lines);
      return Exit.DONE;
    }

    private static List<Path> tuned(Path home) {
      List<Path> folders = new ArrayList<>(children(home.resolve("models"), "", TunedModel.FILE));
      folders.addAll(children(home.resolve("runs"), "model", TunedModel.FILE));
      folders.addAll(children(home.resolve("runs"), "adapter", TunedModel.FILE));
      return folders;
    }

    private static void say(
        Output out, String name, long bytes, boolean rights, String id, Path folder) {
      out.say(
          "%-28s %9.1f MB  rights manifest: %-3s  %s  %s",
          name, bytes / 1e6, rights ? "yes" : "no", id, folder);
    }

    private static long bytes(Path folder) {
      try (Stream<Path> files = Files.walk(folder)) {
        long bytes = 0;
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          bytes += Files.size(file);
        }
        return bytes;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private static List<Path> children(Path parent, String inside, String file) {
      if (!Files.isDirectory(parent)) {
        return List.of();
      }
      try (Stream<Path> children = Files.list(parent)) {
        return children
            .map(child -> child.resolve(inside))
            .filter(folder -> Files.isRegularFile(folder.resolve(file)))
            .sorted()
            .toList();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Command(name = "show", description = "A model's card, or the record of its pull.")
  static final class Show implements Callable<Integer> {
    @ParentCommand ModelsCommand parent = new ModelsCommand();

    @Parameters(paramLabel = "M", description = "a folder, or a name that `models ls` shows")
    String model = "";

    @Option(
        names = "--check",
        description =
            "hash the files of a pulled or tuned model or a release again; status 1: damaged")
    boolean check;

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path folder = Steps.modelFolder(parent.main.homeFolder(), model);
      if (PulledModel.isPulled(folder)) {
        return pulled(out, folder);
      }
      if (TunedModel.isTuned(folder)) {
        return tuned(out, folder);
      }
      ModelCard card = ModelCard.read(folder);
      out.say("%s %s (%s)", card.name(), card.id(), card.licence());
      out.say("a codec and a %s", card.kind());
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
      Path release = folder.resolve(EvaluateCommand.RELEASE);
      if (!ReleaseRecord.isRelease(release)) {
        out.say("no release yet: `descant evaluate %s` makes it", model);
        out.document(card);
        return Exit.DONE;
      }
      return released(out, card, folder, release);
    }

    private int released(Output out, ModelCard card, Path folder, Path release) {
      ReleaseRecord record = ReleaseRecord.read(release);
      out.say(
          "release: %s (%s, measured at %s by %s)",
          release.resolve("index.html"),
          record.full() ? "full" : "a quick look",
          record.clock().at(),
          record.command());
      for (ReleaseRecord.Figure figure : record.figures()) {
        out.say(
            "  %-44s %10.4f  %s%s",
            figure.name(),
            figure.value(),
            figure.sample(),
            figure.beside().isEmpty() ? "" : "; compare " + String.join(", ", figure.beside()));
      }
      record.clock().speeds().forEach((name, value) -> out.say("  %-44s %10.1f", name, value));
      record.limits().forEach(limit -> out.say("  limit: %s", limit));
      List<String> faults = check ? record.faults(release, folder) : List.of();
      faults.forEach(fault -> out.say("  damaged: %s", fault));
      if (check && faults.isEmpty()) {
        out.say("  all %d files and the weights are as recorded", record.files().size());
      }
      Map<String, Object> document = new LinkedHashMap<>();
      JsonMapper.shared()
          .convertValue(card, Map.class)
          .forEach((key, value) -> document.put(String.valueOf(key), value));
      document.put("release", record);
      document.put("damaged", faults);
      out.document(document);
      return faults.isEmpty() ? Exit.DONE : Exit.REFUSED;
    }

    private int tuned(Output out, Path folder) {
      TunedModel tuned = TunedModel.read(folder);
      TunedModel.Base base = tuned.base();
      boolean damaged = check && !tuned.isWhole(folder);
      out.say("%s %s (%s)", tuned.name(), tuned.id(), TrainTune.shown(tuned));
      out.say(
          "tuned from %s, SHA-256 %s",
          base.pulled() == null ? base.name() : base.pulled(), base.contentHash());
      if (base.tuned() != null) {
        out.say("which was tuned itself: %s", base.tuned());
      }
      out.say("run %s, recipe %s %s", tuned.run(), tuned.recipe(), tuned.recipeHash());
      out.say("dataset root %s", tuned.datasetRoot());
      out.say("rights manifest: none. %s", TunedModel.NO_MANIFEST);
      for (TunedModel.TunedOn recording : tuned.recordings()) {
        out.say(
            "  %s %s: %s%s",
            recording.isrc(),
            recording.artist(),
            recording.title(),
            recording.heldOut() ? " (held out)" : "");
      }
      tuned.figures().forEach((name, value) -> out.say("  %-34s %.4f", name, value));
      if (damaged) {
        out.say("  damaged: the weights are not those of the record; tune the model again");
      }
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("folder", folder.toString());
      document.put("tuned", tuned);
      document.put("damaged", damaged);
      out.document(document);
      return damaged ? Exit.REFUSED : Exit.DONE;
    }

    private int pulled(Output out, Path folder) {
      PulledModel record = PulledModel.read(folder);
      List<String> damaged = PulledModels.damaged(record, folder, check);
      out.say("%s@%s is the commit %s", record.name(), record.revision(), record.commit());
      out.say("pulled from %s at %s into %s", record.endpoint(), record.pulledAt(), folder);
      String licence = record.licence();
      out.say("licence of the weights: %s", licence == null ? "not stated" : licence);
      out.say("rights manifest: none, so it may be studied and is never played to listeners");
      for (PulledModel.Entry file : record.files()) {
        out.say("  %s %12d  %s", file.sha256(), file.bytes(), file.path());
      }
      record.refused().forEach(path -> out.say("  refused: %s", path));
      damaged.forEach(path -> out.say("  damaged: %s; remove the model and pull it again", path));
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("folder", folder.toString());
      document.put("pulled", record);
      document.put("damaged", damaged);
      out.document(document);
      return damaged.isEmpty() ? Exit.DONE : Exit.REFUSED;
    }
  }

  @Command(
      name = "parity",
      description = {
        "Compare published models, as loaded here, with what their reference implementation gave.",
        "A folder holds config.json, safetensors, parity.safetensors and parity.json. Exit status:"
            + " 1 when an output is outside its tolerance, 2 when a folder cannot be run."
      })
  static final class Parities implements Callable<Integer> {
    @ParentCommand ModelsCommand parent = new ModelsCommand();

    @Parameters(paramLabel = "FOLDER", arity = "1..*")
    List<Path> folders = new ArrayList<>();

    /** One output of one folder, as `--json` prints it. */
    record Compared(
        String folder,
        String output,
        String rule,
        double largest,
        double limit,
        boolean within,
        String remark) {}

    @Override
    public Integer call() {
      Output out = parent.main.output();
      List<Compared> document = new ArrayList<>();
      int status = Exit.DONE;
      for (Path folder : folders) {
        try {
          for (Parity.Line line : Parity.check(folder)) {
            out.say(
                "%-7s %s %s: %s %.2e%s",
                line.within() ? "ok" : "OUTSIDE",
                folder,
                line.output(),
                line.whole() ? "share that differs" : "largest relative difference",
                line.largest(),
                line.remark().isEmpty() ? "" : " (" + line.remark() + ")");
            document.add(
                new Compared(
                    folder.toString(),
                    line.output(),
                    line.whole() ? "equal" : "relative",
                    line.largest(),
                    line.limit(),
                    line.within(),
                    line.remark()));
            if (!line.within()) {
              status = Math.max(status, Exit.REFUSED);
            }
          }
        } catch (ModelException e) {
          // The other folders are still worth an answer.
          out.progress("descant: " + e.getMessage());
          status = Exit.BAD_INPUT;
        }
      }
      out.document(document);
      return status;
    }
  }
}
