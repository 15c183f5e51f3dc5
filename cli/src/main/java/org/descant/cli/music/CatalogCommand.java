package org.descant.cli.music;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.catalog.CatalogEntry;
import org.descant.catalog.ImportOptions;
import org.descant.catalog.ImportReport;
import org.descant.catalog.Ingest;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.rights.Contributor;
import org.descant.rights.Recording;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Takes deliveries, and shows what is there. */
@Command(
    name = "catalog",
    description = "Import deliveries (DDEX ERN, CSV); list, show and search recordings.",
    subcommands = {
      CatalogCommand.Import.class,
      CatalogCommand.Ls.class,
      CatalogCommand.Show.class,
      CatalogCommand.Search.class
    })
public final class CatalogCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant catalog import`, `ls`, `show` or `search`.");
  }

  @Command(
      name = "import",
      description = "Take deliveries: an ERN message or a folder with one, or a folder with a CSV.")
  static final class Import implements Callable<Integer> {
    @ParentCommand CatalogCommand parent = new CatalogCommand();

    @Option(
        names = "--metadata-only",
        description = "Take recordings whose audio is missing; they wait, blocked, until it comes.")
    boolean metadataOnly;

    @Parameters(arity = "1..*", paramLabel = "PATH")
    List<Path> paths = new ArrayList<>();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      for (Path path : paths) {
        if (!Files.exists(path)) {
          throw new UsageException("There is nothing at " + path + "; name a delivery.");
        }
      }
      List<ImportReport> reports = new ArrayList<>();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        Ingest ingest = new Ingest(platform.catalog(), platform.rights());
        ImportOptions options =
            ImportOptions.defaults()
                .withMetadataOnly(metadataOnly)
                .withProgress(
                    (what, done, total) -> out.progress("  %d/%d %s".formatted(done, total, what)));
        for (Path path : paths) {
          ImportReport report = ingest.importPath(path, options);
          Steps.recordRecordings(platform);
          print(out, report);
          reports.add(report);
        }
      }
      out.document(reports);
      return reports.stream().allMatch(ImportReport::complete) ? Exit.DONE : Exit.REFUSED;
    }
  }

  /** What came of a delivery, in lines for people. */
  public static void print(Output out, ImportReport report) {
    for (ImportReport.Item item : report.items()) {
      if (!item.message().isEmpty() && item.status() != ImportReport.Status.ALREADY_THERE) {
        out.say("  %s %s: %s", item.status(), item.name(), item.message());
      }
    }
    report.notes().forEach(note -> out.say("  note: %s", note));
    out.say("%s", report.summary());
  }

  @Command(name = "ls", description = "List the recordings.")
  static final class Ls implements Callable<Integer> {
    @ParentCommand CatalogCommand parent = new CatalogCommand();

    @Override
    public Integer call() {
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        return list(parent.main.output(), platform.catalog().list());
      }
    }
  }

  @Command(
      name = "search",
      description = "Find recordings by words of title, artist, tags or ISRC.")
  static final class Search implements Callable<Integer> {
    @ParentCommand CatalogCommand parent = new CatalogCommand();

    @Parameters(paramLabel = "TEXT")
    String text = "";

    @Override
    public Integer call() {
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        return list(parent.main.output(), platform.catalog().search(text));
      }
    }
  }

  private static int list(Output out, List<CatalogEntry> entries) {
    for (CatalogEntry entry : entries) {
      out.say(
          "%s  %-9s  %6.1f s  %-28s  %s%s",
          entry.isrc(),
          entry.status(),
          entry.seconds(),
          entry.artist(),
          entry.title(),
          entry.reason().isEmpty() ? "" : "  (" + entry.reason() + ")");
    }
    out.say("%d recordings", entries.size());
    out.document(entries.stream().map(CatalogCommand::line).toList());
    return Exit.DONE;
  }

  private static Map<String, Object> line(CatalogEntry entry) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("isrc", entry.isrc().toString());
    line.put("title", entry.title());
    line.put("artist", entry.artist());
    line.put("status", entry.status().name());
    line.put("reason", entry.reason());
    line.put("duplicateOf", entry.duplicateOf() == null ? null : entry.duplicateOf().toString());
    line.put("seconds", entry.seconds());
    line.put("sampleRate", entry.sampleRate());
    line.put("channels", entry.channels());
    line.put("pcmHash", entry.pcmHash());
    line.put("lufs", entry.lufs());
    line.put("genre", entry.genre());
    line.put("tags", entry.tags());
    line.put("description", entry.description());
    line.put("bpm", entry.bpm());
    line.put("key", entry.key());
    line.put("licence", entry.licence());
    line.put("stems", entry.stems().stream().map(CatalogEntry.Stem::name).toList());
    line.put("source", entry.source());
    line.put("extra", entry.extra());
    return line;
  }

  @Command(name = "show", description = "Show one recording with who is behind it.")
  static final class Show implements Callable<Integer> {
    @ParentCommand CatalogCommand parent = new CatalogCommand();

    @Parameters(paramLabel = "ISRC")
    String isrc = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      try (Platform platform = Platform.open(parent.main.homeFolder())) {
        CatalogEntry entry = platform.catalog().show(isrc);
        Map<String, Object> document = line(entry);
        List<Map<String, String>> people = new ArrayList<>();
        platform
            .rights()
            .recording(entry.isrc())
            .ifPresent(r -> people.addAll(people(platform, r)));
        document.put("contributors", people);
        document.forEach((name, value) -> out.say("%-12s %s", name, value));
        out.document(document);
        return Exit.DONE;
      }
    }

    private static List<Map<String, String>> people(Platform platform, Recording recording) {
      List<Map<String, String>> people = new ArrayList<>();
      recording.contributors().forEach(c -> people.add(person(platform, c, "recording")));
      for (String workId : recording.workIds()) {
        platform
            .rights()
            .work(workId)
            .ifPresent(work ->
                work.contributors()
                    .forEach(c -> people.add(person(platform, c, "work " + workId))));
      }
      return people;
    }

    private static Map<String, String> person(Platform platform, Contributor c, String of) {
      String name = platform.rights().party(c.partyId()).map(p -> p.name()).orElse(c.partyId());
      return Map.of("party", c.partyId(), "name", name, "role", c.role(), "of", of);
    }
  }
}
