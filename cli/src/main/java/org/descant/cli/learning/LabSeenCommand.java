package org.descant.cli.learning;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.training.Seen;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Which recordings a run has learned from in which steps, from its folder alone. */
@Command(
    name = "seen",
    description = "Which recordings a run saw: in all, in one step, or the steps of one recording.")
final class LabSeenCommand implements Callable<Integer> {
  @ParentCommand LabCommand parent = new LabCommand();

  @Parameters(paramLabel = "RUN")
  String name = "";

  @Option(names = "--step", paramLabel = "N", description = "The recordings of one step's batch.")
  @Nullable Long step;

  @Option(names = "--recording", paramLabel = "ISRC", description = "The steps that held it.")
  @Nullable String recording;

  @Override
  public Integer call() {
    Output out = parent.main.output();
    Path path = parent.run(name);
    Seen seen = Seen.of(path);
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("lastStep", seen.lastStep());
    document.put("skippedSteps", seen.skippedSteps());
    if (step != null) {
      List<String> isrcs = seen.at(step);
      out.say("step %d: %s", step, isrcs.isEmpty() ? "nothing" : String.join(", ", isrcs));
      document.put("step", step);
      document.put("recordings", isrcs);
    } else if (recording != null) {
      List<Long> steps = seen.steps(recording);
      out.say("%s: %d steps %s", recording, steps.size(), steps);
      document.put("recording", recording);
      document.put("steps", steps);
    } else {
      seen.counts()
          .forEach((stage, counts) ->
              counts.forEach((isrc, count) -> out.say("%-6s %s  %,d", stage, isrc, count)));
      document.put("excerpts", seen.counts());
    }
    if (step == null && recording == null) {
      seen.withdrawn()
          .forEach((isrc, w) ->
              out.say(
                  w.lastSeen() == 0
                      ? "%s was withdrawn: left out from step %,d on, never learned from"
                      : "%s was withdrawn: left out from step %,d on, last learned from in step"
                          + " %,d",
                  isrc,
                  w.from(),
                  w.lastSeen()));
      document.put("withdrawn", seen.withdrawn());
    }
    out.document(document);
    return Exit.DONE;
  }
}
