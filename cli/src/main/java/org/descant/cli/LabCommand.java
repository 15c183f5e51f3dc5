package org.descant.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.lab.Lab;
import org.descant.lab.Plots;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Runs on disk: list, show, compare. */
@Command(
    name = "lab",
    description = "List, show and compare training runs.",
    subcommands = {LabCommand.Ls.class, LabCommand.Show.class, LabCommand.Compare.class})
final class LabCommand implements Callable<Integer> {
  @ParentCommand Main main = new Main();

  @Override
  public Integer call() {
    throw new UsageException("Say `descant lab ls`, `show` or `compare`.");
  }

  private Path run(String name) {
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

  @Command(name = "show", description = "A run's record; --plot draws its curves.")
  static final class Show implements Callable<Integer> {
    @ParentCommand LabCommand parent = new LabCommand();

    @Parameters(paramLabel = "RUN")
    String name = "";

    @Option(names = "--plot", paramLabel = "PNG")
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
      name = "compare",
      description = "What two runs differ in, and their curves side by side.")
  static final class Compare implements Callable<Integer> {
    @ParentCommand LabCommand parent = new LabCommand();

    @Parameters(index = "0", paramLabel = "A")
    String first = "";

    @Parameters(index = "1", paramLabel = "B")
    String second = "";

    @Override
    public Integer call() {
      Output out = parent.main.output();
      Lab.Comparison comparison = Lab.compare(parent.run(first), parent.run(second));
      comparison
          .differences()
          .forEach(d ->
              out.say(
                  "%-40s %s  |  %s",
                  d.key(), String.valueOf(d.first()), String.valueOf(d.second())));
      List<Object> pairs = new ArrayList<>(comparison.pairs());
      pairs.forEach(pair -> out.say("%s", pair));
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("differences", comparison.differences());
      document.put("pairs", comparison.pairs());
      out.document(document);
      return Exit.DONE;
    }
  }
}
