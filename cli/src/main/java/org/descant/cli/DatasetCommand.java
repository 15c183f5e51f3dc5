package org.descant.cli;

import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.rights.Use;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Datasets of exactly what is cleared. */
@Command(
    name = "dataset",
    description = "Build a dataset of what is cleared; list, show and verify datasets.",
    subcommands = {
      DatasetCommand.Build.class,
      DatasetCommand.Ls.class,
      DatasetCommand.Show.class,
      DatasetCommand.Verify.class
    })
final class DatasetCommand implements Callable<Integer> {
  @ParentCommand Main main = new Main();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant dataset build`, `ls`, `show` or `verify`.");
  }

  @Command(name = "build", description = "Pack every recording that is cleared for the use.")
  static final class Build implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Option(names = "--use", defaultValue = "TRAIN")
    Use use = Use.TRAIN;

    @Option(
        names = "--at",
        paramLabel = "DATE",
        description = "The day of the use (default: today).")
    @Nullable String at;

    @Option(
        names = "--source",
        paramLabel = "TEXT",
        description = "Only recordings whose delivery's name contains this.")
    @Nullable String source;

    @Override
    public Integer call() {
      Output out = parent.main.output();
      LocalDate day =
          at == null ? LocalDate.now(ZoneOffset.UTC) : RightsCommand.Arguments.date("--at", at);
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        Manifest manifest =
            Steps.buildDataset(
                platform,
                name,
                use,
                entry -> source == null || entry.source().contains(source),
                day);
        print(out, manifest);
        out.document(document(manifest));
        return Exit.DONE;
      }
    }
  }

  static void print(Output out, Manifest manifest) {
    out.say(
        "Dataset %s: %d recordings, %.1f minutes, %d left out.",
        manifest.id(),
        manifest.included().size(),
        manifest.seconds() / 60,
        manifest.excluded().size());
    for (Manifest.Excluded excluded : manifest.excluded()) {
      String why =
          String.join(" ", excluded.reasons().stream().map(Manifest.Reason::sentence).toList());
      out.say("  left out %s: %s", excluded.isrc(), why);
    }
    out.say("  root %s", manifest.root());
  }

  static Map<String, Object> document(Manifest manifest) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("id", manifest.id());
    document.put("name", manifest.name());
    document.put("use", manifest.use().name());
    document.put("root", manifest.root());
    document.put("seconds", manifest.seconds());
    document.put(
        "included",
        manifest.included().stream()
            .map(i ->
                Map.of(
                    "isrc", i.isrc(),
                    "artist", i.artist(),
                    "seconds", i.seconds(),
                    "decision", i.decisionId()))
            .toList());
    document.put(
        "excluded",
        manifest.excluded().stream()
            .map(e -> Map.of("isrc", e.isrc(), "decision", e.decisionId(), "reasons", e.reasons()))
            .toList());
    return document;
  }

  @Command(name = "ls", description = "List the datasets of this home.")
  static final class Ls implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      List<Manifest> manifests =
          Steps.datasetFolders(parent.main.homeFolder()).stream().map(Manifest::read).toList();
      manifests.forEach(m ->
          out.say(
              "%-32s %s  %d recordings  %.1f min",
              m.id(), m.use(), m.included().size(), m.seconds() / 60));
      out.document(manifests.stream().map(DatasetCommand::document).toList());
      return Exit.DONE;
    }
  }

  @Command(name = "show", description = "What a dataset holds, what was left out and why.")
  static final class Show implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Manifest manifest = Manifest.read(Steps.dataset(parent.main.homeFolder(), name));
      manifest
          .included()
          .forEach(i -> out.say("  %s  %6.1f s  %s", i.isrc(), i.seconds(), i.artist()));
      print(out, manifest);
      out.document(document(manifest));
      return Exit.DONE;
    }
  }

  @Command(name = "verify", description = "Read every byte and compare all hashes.")
  static final class Verify implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path folder = Steps.dataset(parent.main.homeFolder(), name);
      try (Dataset dataset = Dataset.open(folder)) {
        dataset.verify();
        out.say(
            "Dataset %s is whole; root %s.", dataset.manifest().id(), dataset.manifest().root());
        out.document(
            Map.of(
                "id", dataset.manifest().id(), "root", dataset.manifest().root(), "whole", true));
        return Exit.DONE;
      }
    }
  }
}
