package org.descant.cli;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.Callable;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.ReliabilityStudy;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** What a model is worth; the figures go into its card. */
@Command(
    name = "evaluate",
    description =
        "Measure a model: codec beside Opus, tempo and key control, copied spans, attribution.")
final class EvaluateCommand implements Callable<Integer> {
  @ParentCommand Main main = new Main();

  @Parameters(paramLabel = "MODEL", description = "a folder, or a name that `models ls` shows")
  String model = "";

  @Option(
      names = "--parts",
      split = ",",
      paramLabel = "PART",
      description = "of ${COMPLETION-CANDIDATES}; default: all")
  Set<ModelEvaluation.Part> parts = new LinkedHashSet<>();

  @Option(names = "--generations", paramLabel = "N", defaultValue = "24")
  int generations;

  @Option(names = "--seconds", paramLabel = "S", defaultValue = "10")
  double seconds;

  @Option(names = "--threads", paramLabel = "N", description = "Default: one a core.")
  int threads;

  @Option(
      names = "--study-seeds",
      paramLabel = "N",
      defaultValue = "2",
      description = "Small models trained per left-out recording in the reliability study.")
  int studySeeds;

  @Option(names = "--out", paramLabel = "DIR", description = "Pictures and evaluation.json.")
  @Nullable Path out;

  @Override
  public Integer call() {
    Output output = main.output();
    Path home = main.homeFolder();
    Path folder = Steps.modelFolder(home, model);
    ModelCard card = ModelCard.read(folder);
    int used = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
    ModelEvaluation.Options full = ModelEvaluation.Options.full(used, command());
    ModelEvaluation.Options options =
        new ModelEvaluation.Options(
            parts.isEmpty() ? EnumSet.allOf(ModelEvaluation.Part.class) : parts,
            generations,
            seconds,
            full.seed(),
            used,
            study(card, used),
            full.studyClips(),
            full.command());
    Path pictures = out != null ? out : home.resolve("evaluations").resolve(card.name());
    try (Dataset dataset = Dataset.openAsBuilt(dataset(home, card))) {
      EvaluationReport report =
          ModelEvaluation.run(folder, dataset, options, pictures, output::progress);
      report.figures().forEach((name, value) -> output.say("%-44s %.4f", name, value));
      output.say("figures are in %s, pictures in %s", folder.resolve("card.json"), pictures);
      output.document(report.figures());
      return Exit.DONE;
    }
  }

  private ReliabilityStudy.Options study(ModelCard card, int workers) {
    ReliabilityStudy.Options usual = ModelEvaluation.study(card, workers);
    return new ReliabilityStudy.Options(
        usual.model(),
        usual.steps(),
        usual.batch(),
        usual.frames(),
        usual.learningRate(),
        studySeeds,
        usual.leftOut(),
        workers);
  }

  private static Path dataset(Path home, ModelCard card) {
    return Steps.datasetFolders(home).stream()
        .filter(folder -> Manifest.read(folder).root().equals(card.datasetRoot()))
        .findFirst()
        .orElseThrow(() ->
            new UsageException(
                "The dataset "
                    + card.datasetRoot()
                    + " of this model is not in this home; build it first (the demo builds its"
                    + " own)."));
  }

  private String command() {
    StringBuilder command = new StringBuilder("./descant evaluate " + model);
    if (!parts.isEmpty()) {
      command.append(" --parts ");
      command.append(String.join(",", parts.stream().map(Enum::name).toList()));
    }
    return command
        .append(" --study-seeds ")
        .append(studySeeds)
        .append(" --generations ")
        .append(generations)
        .append(" --seconds ")
        .append(seconds)
        .toString();
  }
}
