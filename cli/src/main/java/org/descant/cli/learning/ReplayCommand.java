package org.descant.cli.learning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Scratch;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.lab.Lab;
import org.descant.lab.RunRecord;
import org.descant.shards.Dataset;
import org.descant.training.Progress;
import org.descant.training.Replay;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Runs a recorded run again and says whether the bits agree: 0 they do, 1 they differ. */
@Command(
    name = "replay",
    description = "Run a record again; exit 0 when the bits agree, 1 when they differ.")
final class ReplayCommand implements Callable<Integer> {
  private static final String NOTE = "note: %s; the bits may differ for that.";

  @ParentCommand LabCommand parent = new LabCommand();

  @Parameters(paramLabel = "RUN")
  String name = "";

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Only the first N steps, and only the metrics.")
  long steps;

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      description = "Default: the one of this home with the record's root.")
  @Nullable String dataset;

  @Override
  public Integer call() throws IOException {
    if (steps < 0) {
      throw new UsageException("--steps cannot be " + steps + "; leave it out to replay all.");
    }
    Output out = parent.main.output();
    Path home = parent.main.homeFolder();
    Path run = parent.run(name);
    RunRecord record = Lab.show(run).record();
    List<String> cautions = new ArrayList<>(Replay.cautions(record));
    cautions.forEach(caution -> out.say(NOTE, caution));
    Replay.Outcome outcome;
    try (Dataset opened = Dataset.open(datasetFolder(home, record));
        Scratch scratch = new Scratch(home, "replay")) {
      List<String> withdrawn = Replay.withdrawnSince(record, opened);
      withdrawn.forEach(caution -> out.say(NOTE, caution));
      cautions.addAll(withdrawn);
      outcome =
          Replay.run(run, opened, scratch.folder().resolve("run"), steps, Progress.to(System.err));
    }
    out.say("%s", sentence(record, outcome));
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("run", record.id());
    document.put("agrees", outcome.agrees());
    document.put("lastStep", outcome.lastStep());
    document.put("values", outcome.values());
    document.put("cautions", cautions);
    document.put("difference", outcome.difference());
    document.put("sameModel", outcome.sameModel());
    out.document(document);
    return outcome.agrees() ? Exit.DONE : Exit.REFUSED;
  }

  private static String sentence(RunRecord record, Replay.Outcome outcome) {
    if (outcome.difference() != null) {
      return "%s differs: %s.".formatted(record.id(), outcome.difference());
    }
    String metrics =
        "all %d losses, norms and distances up to step %d agree to the last bit"
            .formatted(outcome.values(), outcome.lastStep());
    if (outcome.sameModel() == null) {
      return "%s: %s; the model was not compared.".formatted(record.id(), metrics);
    }
    return outcome.sameModel()
        ? "%s: %s, and the model is the same bytes.".formatted(record.id(), metrics)
        : "%s differs: %s, but the model is not the same bytes.".formatted(record.id(), metrics);
  }

  private Path datasetFolder(Path home, RunRecord record) {
    if (dataset != null) {
      return Steps.dataset(home, dataset);
    }
    return Steps.datasetWithRoot(home, record.datasetRoot())
        .orElseThrow(() ->
            new UsageException(
                "This home has no dataset with the root "
                    + record.datasetRoot()
                    + " ("
                    + record.dataset()
                    + "); build it, or name one with --dataset."));
  }
}
