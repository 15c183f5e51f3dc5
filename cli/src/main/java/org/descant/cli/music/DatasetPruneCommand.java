package org.descant.cli.music;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Steps;
import org.descant.shards.Manifest;
import org.descant.training.FieldSets;
import org.descant.training.FieldSets.FieldSet;
import org.descant.training.FieldSets.Pruned;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Removes what finished runs have made beside a dataset's sound. */
@Command(
    name = "prune",
    description =
        "Remove codes, latents and what was heard, where no unfinished run of this home needs"
            + " them; the next run with the same codec and copies makes them again.")
final class DatasetPruneCommand implements Callable<Integer> {
  private static final int HASH_DIGITS = 12;

  @ParentCommand DatasetCommand parent = new DatasetCommand();

  @Parameters(paramLabel = "NAME")
  String name = "";

  @Option(names = "--dry-run", description = "Only say what would be removed.")
  boolean dryRun;

  @Override
  public Integer call() {
    Output out = parent.main.output();
    Path home = parent.main.homeFolder();
    Path folder = Steps.dataset(home, name);
    List<Pruned> pruned = FieldSets.prune(folder, home.resolve("runs"), dryRun);
    long freed = 0;
    List<Map<String, Object>> removed = new ArrayList<>();
    List<Map<String, Object>> kept = new ArrayList<>();
    for (Pruned each : pruned) {
      Map<String, Object> document = document(each.set());
      if (each.kept().isEmpty()) {
        freed += each.set().bytes();
        out.say("%s %s", dryRun ? "would remove" : "removed", line(each.set()));
        removed.add(document);
      } else {
        out.say("kept %s", line(each.set()));
        each.kept().forEach(why -> out.say("  %s", why));
        document.put("kept", each.kept());
        kept.add(document);
      }
    }
    String id = Manifest.read(folder).id();
    out.say(
        "%s: %.1f MB %s, %d of %d fields kept.",
        id, freed / 1e6, dryRun ? "would be freed" : "freed", kept.size(), pruned.size());
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("id", id);
    document.put("dryRun", dryRun);
    document.put("freedBytes", freed);
    document.put("removed", removed);
    document.put("kept", kept);
    out.document(document);
    return Exit.DONE;
  }

  /** A field in lines for people. */
  static void say(Output out, FieldSet set) {
    out.say("  field %s", line(set));
    set.runs()
        .forEach(run ->
            out.say("    named by run %s (%s)", run.path().getFileName(), run.record().status()));
  }

  private static String line(FieldSet set) {
    StringBuilder line = new StringBuilder(set.name());
    line.append("  %.1f MB".formatted(set.bytes() / 1e6));
    if (!set.codec().isEmpty()) {
      line.append("  codec ").append(shortened(set.codec()));
    }
    if (!set.copies().isEmpty()) {
      line.append("  copies ").append(shortened(set.copies()));
    }
    return line.toString();
  }

  private static String shortened(String hash) {
    return hash.substring(0, Math.min(HASH_DIGITS, hash.length()));
  }

  /** A field as JSON tells it. */
  static Map<String, Object> document(FieldSet set) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("name", set.name());
    document.put("kind", set.kind());
    document.put("bytes", set.bytes());
    document.put("codec", set.codec());
    document.put("copies", set.copies());
    document.put(
        "runs",
        set.runs().stream()
            .map(run ->
                Map.of(
                    "name", String.valueOf(run.path().getFileName()),
                    "status", run.record().status().name()))
            .toList());
    document.put("neededBy", set.neededBy());
    return document;
  }
}
