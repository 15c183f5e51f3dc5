package org.descant.cli.music;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Use;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.descant.shards.Packing;
import org.descant.shards.RemoteDataset;
import org.descant.shards.Tombstone;
import org.descant.storage.BucketBlobStore;
import org.descant.training.FieldSets;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Datasets of exactly what is cleared. */
@Command(
    name = "dataset",
    description =
        "Build a dataset of what is cleared; list, show, verify, withdraw, push, pull, prune, rm.",
    subcommands = {
      DatasetCommand.Build.class,
      DatasetCommand.Ls.class,
      DatasetCommand.Show.class,
      DatasetCommand.Verify.class,
      DatasetCommand.Withdraw.class,
      DatasetCommand.Push.class,
      DatasetCommand.Pull.class,
      DatasetPruneCommand.class,
      DatasetRmCommand.class
    })
public final class DatasetCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException(
        "Say `descant dataset build`, `ls`, `show`, `verify`, `withdraw`, `push`, `pull`, `prune`"
            + " or `rm`.");
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

    @Option(
        names = "--packing",
        defaultValue = "PCM16",
        description = "PCM16 is fastest to read, FLAC takes about half the room.")
    Packing packing = Packing.PCM16;

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
                day,
                packing);
        print(out, manifest);
        out.document(document(manifest));
        return Exit.DONE;
      }
    }
  }

  /** What a dataset holds, in lines for people. */
  public static void print(Output out, Manifest manifest) {
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

  /** What a dataset holds, as JSON tells it. */
  public static Map<String, Object> document(Manifest manifest) {
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
      Path home = parent.main.homeFolder();
      List<Map<String, Object>> documents = new ArrayList<>();
      for (Path folders : List.of(Steps.datasets(home), Steps.removedDatasets(home))) {
        boolean removed = !folders.equals(Steps.datasets(home));
        for (Path folder : Steps.manifestFolders(folders)) {
          Manifest m = Manifest.read(folder);
          if (removed && Files.exists(Steps.datasets(home).resolve(m.id()))) {
            continue; // it was built again
          }
          out.say(
              "%-32s %s  %d recordings  %.1f min%s",
              m.id(),
              m.use(),
              m.included().size(),
              m.seconds() / 60,
              removed ? "  removed: only its manifest is here" : "");
          Map<String, Object> document = document(m);
          document.put("removed", removed);
          documents.add(document);
        }
      }
      out.document(documents);
      return Exit.DONE;
    }
  }

  @Command(
      name = "show",
      description =
          "What a dataset holds, what was left out and why, and what runs have made beside it.")
  static final class Show implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path home = parent.main.homeFolder();
      Path folder = Steps.datasetOrManifest(home, name);
      boolean removed = folder.startsWith(Steps.removedDatasets(home));
      Manifest manifest = Manifest.read(folder);
      manifest
          .included()
          .forEach(i -> out.say("  %s  %6.1f s  %s", i.isrc(), i.seconds(), i.artist()));
      print(out, manifest);
      if (removed) {
        out.say("  Its sound was removed; `descant dataset build` makes it again.");
      }
      List<FieldSets.FieldSet> fields = FieldSets.of(folder, home.resolve("runs"));
      fields.forEach(set -> DatasetPruneCommand.say(out, set));
      Map<String, Object> document = document(manifest);
      document.put("removed", removed);
      document.put("fields", fields.stream().map(DatasetPruneCommand::document).toList());
      out.document(document);
      return Exit.DONE;
    }
  }

  @Command(
      name = "verify",
      description = "Read every byte, compare all hashes, and ask again whether each may be used.")
  static final class Verify implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path folder = Steps.dataset(parent.main.homeFolder(), name);
      try (Dataset dataset = Dataset.open(folder);
          Platform platform = Platform.open(parent.main.homeFolder())) {
        dataset.verify();
        String id = dataset.manifest().id();
        out.say("Dataset %s is whole; root %s.", id, dataset.manifest().root());
        for (Tombstone tombstone : dataset.tombstones()) {
          out.say("  withdrawn %s: %s", tombstone.isrc(), String.join(" ", tombstone.reasons()));
        }
        List<Decision> fallen = dataset.fallen(platform.clearance());
        for (Decision decision : fallen) {
          out.say("  no longer cleared %s: %s", decision.isrc().formatted(), decision.sentence());
          out.say("    descant dataset withdraw %s --recording %s", id, decision.isrc().value());
        }
        out.document(
            Map.of(
                "id", id,
                "root", dataset.manifest().root(),
                "whole", true,
                "withdrawn", dataset.tombstones(),
                "fallen", fallen.stream().map(RightsCommand.DecisionDocument::of).toList()));
        return fallen.isEmpty() ? Exit.DONE : Exit.REFUSED;
      }
    }
  }

  @Command(
      name = "withdraw",
      description = "Take a recording that is no longer cleared out of all that comes.")
  static final class Withdraw implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(paramLabel = "NAME")
    String name = "";

    @Option(names = "--recording", paramLabel = "ISRC", required = true)
    String recording = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path folder = Steps.dataset(parent.main.homeFolder(), name);
      Manifest manifest = Manifest.read(folder);
      Isrc isrc = Isrc.of(recording);
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        Decision decision =
            platform.clearance().decide(manifest.use(), isrc, DecisionContext.today());
        if (decision.allowed()) {
          out.say(
              "%s is still cleared for %s, so nothing is withdrawn; an owner refuses with `descant"
                  + " rights choose`.",
              isrc.formatted(), manifest.use());
          out.document(
              Map.of("id", manifest.id(), "isrc", isrc.value(), "decision", decision.id()));
          return Exit.REFUSED;
        }
        Tombstone tombstone = Dataset.withdraw(folder, decision);
        out.say(
            "%s is withdrawn from %s: %s Runs skip it when they start or resume, and those that are"
                + " going on from their next checkpoint.",
            isrc.formatted(), manifest.id(), String.join(" ", tombstone.reasons()));
        out.document(
            Map.of(
                "id", manifest.id(),
                "isrc", tombstone.isrc(),
                "decision", tombstone.decisionId(),
                "number", tombstone.number(),
                "reasons", tombstone.reasons()));
        return Exit.DONE;
      }
    }
  }

  /** A place in an object store, and how much of it is kept here. */
  static final class Place {
    @Option(
        names = "--cache-gigabytes",
        paramLabel = "N",
        defaultValue = "100",
        description = "What the local cache may hold (default: ${DEFAULT-VALUE}).")
    int cacheGigabytes = 100;

    BucketBlobStore open(Path home, String address) {
      try {
        return RemoteDataset.place(
            URI.create(address), home.resolve("cache"), (long) cacheGigabytes << 30, Map.of());
      } catch (IllegalArgumentException e) {
        throw new UsageException(
            "'" + address + "' is no address; say s3://bucket/prefix, gs://… or az://….");
      }
    }
  }

  @Command(name = "push", description = "Upload a dataset to an object store.")
  static final class Push implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(index = "0", paramLabel = "NAME")
    String name = "";

    @Option(
        names = "--to",
        paramLabel = "ADDRESS",
        required = true,
        description = "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix.")
    String to = "";

    @Mixin Place place = new Place();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path home = parent.main.homeFolder();
      Path folder = Steps.dataset(home, name);
      try (BucketBlobStore store = place.open(home, to)) {
        String id = RemoteDataset.push(folder, store);
        out.say("Dataset %s is in %s.", id, store.bucket().name());
        out.document(Map.of("id", id, "place", store.bucket().name()));
        return Exit.DONE;
      }
    }
  }

  @Command(name = "pull", description = "Bring a dataset here from an object store.")
  static final class Pull implements Callable<Integer> {
    @ParentCommand DatasetCommand parent = new DatasetCommand();

    @Parameters(index = "0", paramLabel = "ID")
    String id = "";

    @Option(names = "--from", paramLabel = "ADDRESS", required = true)
    String from = "";

    @Mixin Place place = new Place();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path home = parent.main.homeFolder();
      try (BucketBlobStore store = place.open(home, from)) {
        RemoteDataset.fetch(id, store, Steps.datasets(home).resolve(id));
      }
      Manifest manifest = Manifest.read(Steps.datasets(home).resolve(id));
      print(out, manifest);
      out.document(document(manifest));
      return Exit.DONE;
    }
  }
}
