package org.descant.cli.learning;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.UsageException;
import org.descant.lab.Lab;
import org.descant.lab.Plots;
import org.descant.training.parallel.HangReport;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/**
 * Runs on disk: list, show, compare, run again, record the steps of, what they have seen, why they
 * hang.
 */
@Command(
    name = "lab",
    description = "List, show, compare, replay and profile training runs.",
    subcommands = {
      LabCommand.Ls.class,
      LabCommand.Show.class,
      LabCommand.Compare.class,
      LabSeenCommand.class,
      ReplayCommand.class,
      ProfileCommand.class,
      LabCommand.ExplainHang.class
    })
public final class LabCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Override
  public Integer call() {
    throw new UsageException(
        "Say `descant lab ls`, `show`, `compare`, `seen`, `replay`, `profile` or `explain-hang`.");
  }

  Path run(String name) {
    Path path = Path.of(name);
    return Files.isDirectory(path) ? path : main.homeFolder().resolve("runs").resolve(name);
  }

  @Command(name = "ls", description = "The runs of this home.")
  static final class Ls implements Callable<Integer> {
    @ParentCommand LabCommand parent = new LabCommand();

    @Override
    public Integer call() {
      Output out = parent.main.output();
      List<Lab.Run> runs = Lab.list(parent.main.homeFolder().resolve("runs"));
      runs.forEach(run ->
          out.say(
              "%-28s %-9s %d/%d  %s  %s",
              run.path().getFileName(),
              run.record().status(),
              run.record().step(),
              run.record().steps(),
              run.record().dataset(),
              run.record().startedAt()));
      out.document(runs.stream().map(Lab.Run::record).toList());
      return Exit.DONE;
    }
  }

  @Command(name = "show", description = "A run's record; --png draws its curves.")
  static final class Show implements Callable<Integer> {
    @ParentCommand LabCommand parent = new LabCommand();

    @Parameters(paramLabel = "RUN")
    String name = "";

    @Option(
        names = {"--png", "--plot"},
        paramLabel = "FILE",
        description = "Draw the losses.")
    @Nullable Path plot;

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Path path = parent.run(name);
      Lab.Run run = Lab.show(path);
      out.say("%s %s on %s", run.record().id(), run.record().status(), run.record().dataset());
      run.record().facts().forEach((key, value) -> out.say("  %-34s %s", key, value));
      if (plot != null) {
        List<Lab.Curve> losses =
            Lab.curves(path).values().stream().filter(c -> c.name().contains("loss")).toList();
        Plots.curves(run.record().id(), "loss", losses, plot);
        out.say("curves in %s", plot);
      }
      out.document(run.record());
      return Exit.DONE;
    }
  }

  @Command(
      name = "explain-hang",
      description = "Which worker of a run that stands still is missing, and in what operation.")
  static final class ExplainHang implements Callable<Integer> {
    @ParentCommand LabCommand parent = new LabCommand();

    @Parameters(paramLabel = "RUN")
    String name = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      HangReport report = HangReport.of(parent.run(name));
      report.sentences().forEach(sentence -> out.say("%s", sentence));
      out.document(report);
      return report.found() ? Exit.REFUSED : Exit.DONE;
    }
  }

  @Command(
      name = "compare",
      description = "What two runs differ in, and their curves side by side.")
  static final class Compare implements Callable<Integer> {
    private static final int ROWS_MAX = 10;

    @ParentCommand LabCommand parent = new LabCommand();

    @Parameters(index = "0", paramLabel = "A")
    String first = "";

    @Parameters(index = "1", paramLabel = "B")
    String second = "";

    @Option(
        names = "--metric",
        paramLabel = "NAME",
        description = "Show metrics with this in their name (default: loss, gradientNorm).")
    List<String> metrics = new ArrayList<>(List.of("loss", "heldOut", "gradientNorm"));

    @Option(names = "--png", paramLabel = "FILE", description = "Draw both runs' curves.")
    @Nullable Path png;

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Lab.Comparison comparison = Lab.compare(parent.run(first), parent.run(second));
      out.say("A %s  |  B %s", named(comparison.first()), named(comparison.second()));
      if (comparison.differences().isEmpty()) {
        out.say("Recipe, dataset, code and machine are the same.");
      }
      comparison
          .differences()
          .forEach(d ->
              out.say(
                  "  %-38s %s  |  %s",
                  d.key(), String.valueOf(d.first()), String.valueOf(d.second())));
      List<Lab.Pair> shown =
          comparison.pairs().stream()
              .filter(pair -> metrics.stream().anyMatch(pair.name()::contains))
              .toList();
      shown.forEach(pair -> print(out, pair));
      if (png != null) {
        List<Lab.Pair> losses =
            shown.stream().filter(pair -> !pair.name().contains("Norm")).toList();
        Plots.pairs(
            comparison.first().record().id() + " and " + comparison.second().record().id(),
            "value",
            "A",
            "B",
            losses,
            png);
        out.say("curves in %s", png);
      }
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("differences", comparison.differences());
      document.put("pairs", comparison.pairs());
      out.document(document);
      return Exit.DONE;
    }

    private static String named(Lab.Run run) {
      return run.path().getFileName() + " (" + run.record().status() + ")";
    }

    private static void print(Output out, Lab.Pair pair) {
      String verdict =
          pair.sameBits()
              ? "the same bits at all steps"
              : pair.firstDifferentStep() >= 0
                  ? "first different at step " + pair.firstDifferentStep()
                  : "equal where both were logged";
      out.say("%s: %s", pair.name(), verdict);
      for (Lab.Pair.Row row : pair.rows(ROWS_MAX)) {
        out.say(
            "  step %8d  %14.6g  %14.6g  %+14.6g",
            row.step(), row.first(), row.second(), row.difference());
      }
    }
  }
}
