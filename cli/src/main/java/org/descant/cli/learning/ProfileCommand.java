package org.descant.cli.learning;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Scratch;
import org.descant.lab.Span;
import org.descant.lab.TraceSummary;
import org.descant.shards.Dataset;
import org.descant.tensor.MatrixPeak;
import org.descant.training.Profile;
import org.descant.training.Trainer;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.recipe.Recipes;
import org.descant.training.tune.TuneRecipe;
import org.descant.training.tune.Tuner;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Records a few training steps and says where their time goes. */
@Command(
    name = "profile",
    description = "Record some steps of a recipe as a trace; print its most expensive operators.")
final class ProfileCommand implements Callable<Integer> {
  private static final int OPERATORS = 10;
  private static final double PEAK_SECONDS_PER_SIZE = 0.1;

  @ParentCommand LabCommand parent = new LabCommand();

  @Parameters(paramLabel = "RECIPE", description = "house-tiny, house-demo, …")
  String recipe = "";

  @Option(names = "--set", paramLabel = "k=v", description = "Override a key of the recipe.")
  List<String> overrides = new ArrayList<>();

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      description = "Default: the newest of this home.")
  @Nullable String dataset;

  @Option(
      names = "--stage",
      paramLabel = "STAGE",
      description = "codec, or lm or flow, the last (default).")
  Profile.@Nullable Stage asked;

  private Profile.Stage stage = Profile.Stage.CODEC;

  @Option(names = "--steps", paramLabel = "N", description = "Steps to record (default: 3).")
  int steps = 3;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Trace for Perfetto or chrome://tracing (default: profiles/ in the home).")
  @Nullable Path file;

  @Override
  public Integer call() throws IOException {
    Output out = parent.main.output();
    Path home = parent.main.homeFolder();
    Path trace;
    Profile.Recorded recorded;
    if (TrainTune.takes(recipe)) {
      TuneRecipe effective = TrainTune.effective(home, recipe, null, overrides);
      trace = file != null ? file : defaultFile(home, Tuner.runId(effective));
      recorded = record(home, (data, run) -> Profile.record(effective, data, steps, run, trace));
    } else {
      Recipe effective = RecipeText.withOverrides(Recipes.named(recipe), overrides);
      stage = asked != null ? asked : Profile.Stage.lastOf(effective);
      trace = file != null ? file : defaultFile(home, Trainer.runId(effective));
      recorded =
          record(home, (data, run) -> Profile.record(effective, data, stage, steps, run, trace));
    }
    MatrixPeak peak = MatrixPeak.measure(recorded.precision(), PEAK_SECONDS_PER_SIZE);
    TraceSummary summary = TraceSummary.read(trace);
    List<TraceSummary.Range> spans = Span.totals(recorded.flight());
    print(out, recorded, summary, spans, peak);
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("recorded", recorded);
    document.put("peak", peak);
    document.put("summary", summary);
    document.put("spans", spans);
    out.document(document);
    return Exit.DONE;
  }

  private Profile.Recorded record(Path home, BiFunction<Dataset, Path, Profile.Recorded> recorder)
      throws IOException {
    try (Dataset opened = Dataset.open(TrainCommand.datasetFolder(home, dataset));
        Scratch scratch = new Scratch(home, "profile")) {
      return recorder.apply(opened, scratch.folder().resolve("run"));
    }
  }

  private Path defaultFile(Path home, String run) throws IOException {
    String name = "%s-%s.json".formatted(run, stageName());
    return Files.createDirectories(home.resolve("profiles")).resolve(name);
  }

  /** A recipe that tunes a model has one stage. */
  private String stageName() {
    return TrainTune.takes(recipe) ? "tune" : stage.name().toLowerCase(Locale.ROOT);
  }

  private void print(
      Output out,
      Profile.Recorded recorded,
      TraceSummary summary,
      List<TraceSummary.Range> spans,
      MatrixPeak peak) {
    out.say(
        "%s, %s: %d steps, %s, %d thread%s; %.1f ms and %.1f GFLOP of products a step; peak %.1f"
            + " GFLOP/s (%d × %d)",
        recipe,
        stageName(),
        recorded.steps(),
        recorded.precision().name().toLowerCase(Locale.ROOT),
        recorded.threads(),
        recorded.threads() == 1 ? "" : "s",
        1e3 * summary.seconds() / recorded.steps(),
        summary.flops() / 1e9 / recorded.steps(),
        peak.flops() / 1e9,
        peak.size(),
        peak.size());
    double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    if (load > Runtime.getRuntime().availableProcessors()) {
      out.say(
          "note: the machine is busy (load %.1f on %d processors); times are the clock's and hold"
              + " the waiting too.",
          load, Runtime.getRuntime().availableProcessors());
    }
    out.say("%-36s %8s %9s %7s %9s %7s", "operator", "calls", "ms/step", "time", "GFLOP/s", "peak");
    summary.operators().stream()
        .limit(OPERATORS)
        .forEach(operator ->
            out.say(
                "%-36s %8.1f %9.2f %6.1f%% %9s %7s",
                operator.name(),
                (double) operator.calls() / recorded.steps(),
                1e3 * operator.seconds() / recorded.steps(),
                100 * operator.seconds() / summary.seconds(),
                operator.flops() > 0 ? "%.1f".formatted(operator.flopsPerSecond() / 1e9) : "",
                operator.flops() > 0
                    ? "%.1f%%".formatted(100 * operator.flopsPerSecond() / peak.flops())
                    : ""));
    out.say(
        "%-36s %8s %9.2f %6.1f%%",
        "(outside operators)",
        "",
        1e3 * summary.outsideSeconds() / recorded.steps(),
        100 * summary.outsideSeconds() / summary.seconds());
    for (TraceSummary.Range range : summary.ranges()) {
      if (!range.name().startsWith("step ")) {
        out.say(
            "%-36s %8.1f %9.2f",
            range.name(),
            (double) range.calls() / recorded.steps(),
            1e3 * range.seconds() / recorded.steps());
      }
    }
    for (TraceSummary.Range span : spans) {
      out.say("%-36s %8d %9.2f ms in all", span.name(), span.calls(), 1e3 * span.seconds());
    }
    out.say("trace %s, Java side %s", recorded.trace(), recorded.flight());
  }
}
