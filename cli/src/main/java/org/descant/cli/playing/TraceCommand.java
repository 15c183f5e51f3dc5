package org.descant.cli.playing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.provenance.Artefact;
import org.descant.provenance.Trace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Walks the thread through one artefact, both ways. */
@Command(
    name = "trace",
    description = "The whole thread through a clip, recording, dataset, model, usage or transfer.")
public final class TraceCommand implements Callable<Integer> {
  private static final int LINES_PER_KIND_MAX = 12;

  @ParentCommand Invocation main = new Invocation();

  @Parameters(paramLabel = "ID", description = "an id, or the start of one")
  String id = "";

  @Override
  public Integer call() {
    Output out = main.output();
    try (Platform platform = Platform.open(main.homeFolder())) {
      Trace trace = platform.lineage().trace(id);
      List<Trace.Step> ancestors = new ArrayList<>(trace.ancestors());
      Collections.reverse(ancestors);
      print(out, "from", ancestors);
      out.say("this  %-9s %s", trace.subject().kind(), line(trace.subject()));
      print(out, "to", trace.descendants());
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("subject", node(trace.subject(), 0, List.of()));
      document.put("ancestors", trace.ancestors().stream().map(TraceCommand::node).toList());
      document.put("descendants", trace.descendants().stream().map(TraceCommand::node).toList());
      document.put("truncated", trace.truncated());
      out.document(document);
      return Exit.DONE;
    }
  }

  private static void print(Output out, String way, List<Trace.Step> steps) {
    Map<Artefact.Kind, List<Artefact>> byKind = new LinkedHashMap<>();
    steps.forEach(step ->
        byKind
            .computeIfAbsent(step.artefact().kind(), kind -> new ArrayList<>())
            .add(step.artefact()));
    byKind.forEach((kind, artefacts) -> {
      artefacts.stream()
          .limit(LINES_PER_KIND_MAX)
          .forEach(artefact -> out.say("%-5s %-9s %s", way, kind, line(artefact)));
      if (artefacts.size() > LINES_PER_KIND_MAX) {
        out.say("%-5s %-9s … and %d more", way, kind, artefacts.size() - LINES_PER_KIND_MAX);
      }
    });
  }

  private static String line(Artefact artefact) {
    String facts = artefact.facts();
    return artefact.id() + "  " + (facts.length() > 140 ? facts.substring(0, 140) + "…" : facts);
  }

  private static Map<String, Object> node(Trace.Step step) {
    return node(step.artefact(), step.depth(), step.via());
  }

  private static Map<String, Object> node(Artefact artefact, int depth, List<String> via) {
    Map<String, Object> node = new LinkedHashMap<>();
    node.put("kind", artefact.kind().name());
    node.put("id", artefact.id());
    node.put("depth", depth);
    node.put("via", via);
    node.put("facts", artefact.json());
    return node;
  }
}
