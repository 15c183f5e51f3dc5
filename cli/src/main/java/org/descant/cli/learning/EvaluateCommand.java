package org.descant.cli.learning;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.ReliabilityStudy;
import org.descant.evaluation.release.ModelRelease;
import org.descant.evaluation.release.ReleaseRecord;
import org.descant.models.ModelCard;
import org.descant.serving.Delivery;
import org.descant.shards.Dataset;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** What a model is worth; the figures go into its card, and all of it into its release. */
@Command(
    name = "evaluate",
    description = {
      "Measure a model (codec beside Opus, tempo and key control, copied spans, attribution) and"
          + " make its release: a folder with record.json, card.md, index.html, pictures and"
          + " listening examples.",
      "It takes minutes. The release is made when CODEC, CONTROL, MEMORISATION and DISTANCE are"
          + " among the parts."
    })
public final class EvaluateCommand implements Callable<Integer> {
  /** The folder of a release in its model's folder. */
  static final String RELEASE = "release";

  private static final int GENERATIONS = 24;
  private static final double SECONDS = 10;
  private static final int EXAMPLES = 8;
  private static final int QUICK_GENERATIONS = 4;
  private static final double QUICK_SECONDS = 6;
  private static final int QUICK_EXAMPLES = 2;

  @ParentCommand Invocation main = new Invocation();

  @Parameters(paramLabel = "MODEL", description = "a folder, or a name that `models ls` shows")
  String model = "";

  @Option(
      names = "--quick",
      description =
          "A quick look: 4 clips of 6 s, no attribution; the model's card stays as it is.")
  boolean quick;

  @Option(
      names = "--parts",
      split = ",",
      paramLabel = "PART",
      description = "of ${COMPLETION-CANDIDATES}; default: all")
  Set<ModelEvaluation.Part> parts = new LinkedHashSet<>();

  @Option(names = "--generations", paramLabel = "N", description = "Clips measured; default: 24.")
  @Nullable Integer generations;

  @Option(names = "--seconds", paramLabel = "S", description = "Of each clip; default: 10.")
  @Nullable Double seconds;

  @Option(names = "--threads", paramLabel = "N", description = "Default: one a core.")
  int threads;

  @Option(
      names = "--study-seeds",
      paramLabel = "N",
      defaultValue = "2",
      description = "Small models trained per left-out recording in the reliability study.")
  int studySeeds;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Folder of the release; default: `release` in the model's folder.")
  @Nullable Path out;

  @Override
  public Integer call() {
    Output output = main.output();
    Path home = main.homeFolder();
    Path folder = Steps.modelFolder(home, model);
    ModelCard card = ModelCard.read(folder);
    ModelEvaluation.Options options = options(card);
    Path release = out != null ? out : folder.resolve(RELEASE);
    boolean releases = options.parts().containsAll(ModelRelease.PARTS);
    if (releases) {
      ModelRelease.requireFree(release, card, !quick);
    }
    Path work = home.resolve("evaluations").resolve(card.name());
    try (Dataset dataset = Dataset.openAsBuilt(dataset(home, card))) {
      EvaluationReport report =
          ModelEvaluation.run(folder, dataset, options, work, output::progress);
      report.figures().forEach((name, value) -> output.say("%-44s %.4f", name, value));
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("figures", report.figures());
      if (releases) {
        document.put("folder", release.toString());
        document.put("release", release(folder, release, report, options, dataset, output));
        output.say("the release is in %s; open its index.html to read and listen", release);
      } else {
        output.say(
            "no release: that takes the parts %s; figures and pictures are in %s",
            ModelRelease.PARTS, work);
      }
      output.document(document);
      return Exit.DONE;
    }
  }

  private ModelEvaluation.Options options(ModelCard card) {
    int used = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
    ModelEvaluation.Options full = ModelEvaluation.Options.full(used, command());
    Set<ModelEvaluation.Part> all =
        quick ? EnumSet.copyOf(ModelRelease.PARTS) : EnumSet.allOf(ModelEvaluation.Part.class);
    return new ModelEvaluation.Options(
        parts.isEmpty() ? all : parts,
        clips(),
        clipSeconds(),
        full.seed(),
        used,
        study(card, used),
        full.studyClips(),
        full.command(),
        !quick);
  }

  private ReleaseRecord release(
      Path folder,
      Path release,
      EvaluationReport report,
      ModelEvaluation.Options options,
      Dataset dataset,
      Output output) {
    try (Platform platform = Platform.open(main.homeFolder())) {
      ModelRelease.Request request =
          new ModelRelease.Request(
              model,
              folder,
              release,
              !quick,
              report,
              options,
              quick ? QUICK_EXAMPLES : EXAMPLES,
              Delivery::releaseExample,
              platform.rights(),
              main.homeFolder().resolve("runs"),
              Delivery.RELIABILITY_MIN);
      return ModelRelease.write(request, dataset, output::progress);
    }
  }

  private int clips() {
    return generations != null ? generations : quick ? QUICK_GENERATIONS : GENERATIONS;
  }

  private double clipSeconds() {
    return seconds != null ? seconds : quick ? QUICK_SECONDS : SECONDS;
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
    return Steps.datasetWithRoot(home, card.datasetRoot())
        .orElseThrow(() ->
            new UsageException(
                "The dataset "
                    + card.datasetRoot()
                    + " of this model is not in this home; build it first (the demo builds its"
                    + " own)."));
  }

  private String command() {
    StringBuilder command = new StringBuilder("./descant evaluate " + model);
    if (quick) {
      command.append(" --quick");
    }
    if (!parts.isEmpty()) {
      command.append(" --parts ");
      command.append(String.join(",", parts.stream().map(Enum::name).toList()));
    }
    return command
        .append(" --study-seeds ")
        .append(studySeeds)
        .append(" --generations ")
        .append(clips())
        .append(" --seconds ")
        .append(clipSeconds())
        .toString();
  }
}
