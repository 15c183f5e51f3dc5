package org.descant.evaluation.release;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.evaluation.CodecEvaluation;
import org.descant.evaluation.ControlEvaluation;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.MelodyControl;
import org.descant.evaluation.MemorisationReport;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.ReliabilityStudy;
import org.descant.evaluation.release.ReleaseRecord.Figure;
import org.descant.models.ModelCard;
import org.jspecify.annotations.Nullable;

/** Gives every figure its sample, its seed and what it stands beside. Stateless. */
final class Figures {
  /** Figures of this ending depend on the machine and the moment. */
  private static final String SPEED = "TimesRealTime";

  private Figures() {}

  /**
   * What holds for figures whose name begins so.
   *
   * @param others beginnings under which what it must be compared with has the same ending
   */
  private record Rule(String beginning, String sample, boolean drawn, List<String> others) {}

  /** The figures of a report, and those of the model's card that it did not measure again. */
  static List<Figure> of(EvaluationReport report, ModelCard card, ModelEvaluation.Options options) {
    SortedMap<String, Double> measured = report.figures();
    List<Rule> rules = rules(report, options);
    List<Figure> figures = new ArrayList<>();
    measured.forEach((name, value) -> {
      if (!name.endsWith(SPEED)) {
        figures.add(figure(name, value, rules, measured, options));
      }
    });
    card.evaluation()
        .forEach((name, value) -> {
          String command = earlier(name, card);
          if (!measured.containsKey(name) && command != null) {
            String sample =
                name.startsWith("attribution.")
                    ? "an earlier evaluation of these weights, as the model's card has it"
                    : "held-out recordings, during training";
            figures.add(new Figure(name, value, sample, null, command, List.of()));
          }
        });
    figures.sort(Comparator.comparing(Figure::name));
    return List.copyOf(figures);
  }

  /** The speeds of a report. */
  static SortedMap<String, Double> speeds(EvaluationReport report) {
    SortedMap<String, Double> speeds = new TreeMap<>(report.figures());
    speeds.keySet().removeIf(name -> !name.endsWith(SPEED));
    return speeds;
  }

  /** The command that measured a figure of the card before, null for figures not to be shown. */
  private static @Nullable String earlier(String name, ModelCard card) {
    ModelCard.Reliability attribution = card.attribution();
    if (name.startsWith("attribution.")) {
      return attribution == null ? null : attribution.command();
    }
    boolean training = name.startsWith("heldOut") || name.startsWith("unigram");
    return training ? "./descant train " + card.recipe() : null;
  }

  private static Figure figure(
      String name,
      double value,
      List<Rule> rules,
      SortedMap<String, Double> all,
      ModelEvaluation.Options options) {
    Rule rule =
        rules.stream()
            .filter(r -> name.startsWith(r.beginning()))
            .max(Comparator.comparingInt(r -> r.beginning().length()))
            .orElse(new Rule("", "as the command measures it", false, List.of()));
    String ending = name.substring(rule.beginning().length());
    List<String> beside =
        rule.others().stream().map(other -> other + ending).filter(all::containsKey).toList();
    return new Figure(
        name,
        value,
        rule.sample(),
        rule.drawn() ? options.seed() : null,
        options.command(),
        beside);
  }

  private static List<Rule> rules(EvaluationReport report, ModelEvaluation.Options options) {
    List<Rule> rules = new ArrayList<>();
    String clips = "%d generations of %s s".formatted(options.generations(), options.seconds());
    CodecEvaluation.Result codec = report.codec();
    if (codec != null) {
      String excerpts =
          String.format(
              Locale.ROOT,
              "%d held-out excerpts, %.0f s in all, mixed to mono",
              codec.full().each().size(),
              codec.seconds());
      rules.add(new Rule("codec.", excerpts, false, List.of("opus.nearest.", "opus.lowest.")));
      rules.add(new Rule("opus.", excerpts, false, List.of()));
      rules.add(new Rule("opus.nearest.", excerpts, false, List.of("codec.")));
      rules.add(new Rule("opus.lowest.", excerpts, false, List.of("codec.")));
    }
    ControlEvaluation.Result control = report.control();
    if (control != null) {
      List<String> beside = List.of("control.shuffled.", "estimators.heldOut.", "estimators.");
      rules.add(new Rule("control.", clips, true, beside));
      rules.add(
          new Rule(
              "control.knownPairs.",
              "%d generations whose tempo and key a training recording has"
                  .formatted(control.known().clips()),
              true,
              beside));
      rules.add(
          new Rule(
              "control.newPairs.",
              "%d generations whose tempo and key no training recording has"
                  .formatted(control.fresh().clips()),
              true,
              beside));
      rules.add(
          new Rule(
              "control.shuffled.",
              "every generation against every other's question: %d pairs"
                  .formatted(control.shuffled().clips()),
              true,
              List.of("control.")));
      rules.add(
          new Rule(
              "estimators.",
              "an excerpt of %s s of each of %d recordings whose truth is known"
                  .formatted(options.seconds(), control.estimators().clips()),
              false,
              List.of("estimators.heldOut.")));
    }
    MelodyControl.Shares melody = report.melody();
    if (melody != null) {
      rules.add(
          new Rule(
              "control.melody.",
              "%d beats of generations that were asked for a walk over their key's scale, and of the"
                      .formatted(melody.beats())
                  + " same requests without it",
              true,
              List.of()));
    }
    ControlEvaluation.Limits limits = report.limits();
    if (limits != null) {
      String excerpts =
          "%d excerpts of %s s of %d held-out recordings, end to end"
              .formatted(limits.heldOut().clips(), options.seconds(), limits.recordings());
      rules.add(
          new Rule(
              "estimators.heldOut.",
              excerpts,
              false,
              List.of("estimators.heldOutThroughCodec.", "estimators.heldOutShuffled.")));
      rules.add(
          new Rule(
              "estimators.heldOutThroughCodec.",
              excerpts + ", encoded and decoded",
              false,
              List.of("estimators.heldOut.")));
      rules.add(
          new Rule(
              "estimators.heldOutShuffled.",
              "every excerpt against the truths of the other recordings' excerpts: %d pairs"
                  .formatted(limits.shuffled().clips()),
              false,
              List.of("estimators.heldOut.")));
    }
    MemorisationReport memorisation = report.memorisation();
    if (memorisation != null) {
      rules.add(
          new Rule(
              "memorisation.",
              clips + " against every training recording",
              true,
              List.of("memorisation.heldOut.", "memorisation.planted.")));
      rules.add(
          new Rule(
              "memorisation.heldOut.",
              "%d held-out excerpts of %s s against every training recording"
                  .formatted(memorisation.heldOut().size(), options.seconds()),
              false,
              List.of("memorisation.")));
      rules.add(
          new Rule(
              "memorisation.planted.",
              "%d excerpts of training recordings of %s s, through the codec"
                  .formatted(memorisation.planted().size(), options.seconds()),
              false,
              List.of("memorisation.")));
    }
    EvaluationReport.Distances distance = report.distance();
    if (distance != null) {
      rules.add(
          new Rule(
              "frechet.generated",
              "%d seconds of generations against %d of training recordings"
                  .formatted(distance.generated(), distance.trained()),
              true,
              List.of("frechet.heldOut")));
      rules.add(
          new Rule(
              "frechet.heldOut",
              "%d seconds of held-out recordings against %d of training recordings"
                  .formatted(distance.heldOut(), distance.trained()),
              false,
              List.of("frechet.generated")));
    }
    ReliabilityStudy.Result reliability = report.reliability();
    if (reliability != null) {
      String sample =
          "%d clips, %d small models, each without some recordings"
              .formatted(reliability.clips(), reliability.models());
      rules.add(new Rule("attribution.", sample, true, List.of()));
      rules.add(
          new Rule(
              "attribution.tokens.",
              sample,
              true,
              List.of(
                  "attribution.gradient.", "attribution.similarity.", "attribution.equalShare.")));
    }
    return rules;
  }
}
