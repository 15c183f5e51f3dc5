package org.descant.evaluation.release;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.descant.evaluation.ControlEvaluation;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.release.ReleaseRecord.Example;
import org.descant.evaluation.release.ReleaseRecord.Memorisation;

/** What the figures of a release do not say. Stateless. */
final class Limits {
  private Limits() {}

  static List<String> of(
      EvaluationReport report, Memorisation memorisation, List<Example> examples) {
    List<String> limits = new ArrayList<>();
    ControlEvaluation.Limits ears = report.limits();
    ControlEvaluation.Result control = report.control();
    if (ears != null) {
      limits.add(
          text(
              "Tempo and key are heard by our own estimators. On %d excerpts of the same length"
                  + " from %d held-out recordings, whose truth is known, they find the tempo in"
                  + " %.0f %% and the key in %.0f %%; after the codec in %.0f %% and %.0f %%. The"
                  + " excerpts of one recording share its truth, so this is worth %d opinions.",
              ears.heldOut().clips(),
              ears.recordings(),
              100 * ears.heldOut().tempo(),
              100 * ears.heldOut().key(),
              100 * ears.throughCodec().tempo(),
              100 * ears.throughCodec().key(),
              ears.recordings()));
    }
    if (ears != null && control != null && control.all().key() > ears.heldOut().key()) {
      limits.add(
          text(
              "The key of generations is found more often (%.0f %%) than that of real music"
                  + " (%.0f %%): what the model makes is harmonically plainer, and the figure says"
                  + " that it follows, not that it is music.",
              100 * control.all().key(), 100 * ears.heldOut().key()));
    }
    if (report.distance() != null) {
      limits.add(
          text(
              "The Fréchet distance is taken in this model's own codec latents, a second at a time:"
                  + " it hears timbre and level, not form, cannot be compared between models with"
                  + " other codecs, and grows as samples shrink (%d seconds of generations, %d of"
                  + " held-out music). A model that repeats its training set would have a small"
                  + " one; read it beside the copies.",
              report.distance().generated(), report.distance().heldOut()));
    }
    limits.add(
        text(
            "A copy in another key, tempo or arrangement is not looked for. Of %d planted copies"
                + " the fingerprint finds %d, the run of tokens %d, the token n-grams %d: a measure"
                + " that finds few of these proves little by finding none in the generations.",
            memorisation.sound().planted(),
            memorisation.sound().plantedFound(),
            memorisation.tokenRun().plantedFound(),
            memorisation.tokenNgrams().plantedFound()));
    int clips = memorisation.tokenNgrams().clips();
    limits.add(
        text(
            "The most token n-grams that a generation shares with the training set is %.2f;"
                + " held-out music has up to %.2f in %d excerpts of one or a few recordings,"
                + " planted copies lie above %.2f in %d of %d cases.",
            memorisation.tokenNgrams().largest(),
            memorisation.tokenNgrams().heldOut().largest(),
            memorisation.tokenNgrams().heldOut().samples(),
            memorisation.tokenNgrams().threshold(),
            memorisation.tokenNgrams().plantedFound(),
            memorisation.tokenNgrams().planted()));
    if (memorisation.sound().copies() == 0) {
      limits.add(
          text(
              "No copy among %d clips says, with 95 %% confidence, that fewer than %.0f %% of such"
                  + " clips are copies that the fingerprint finds, and no more.",
              clips, 100 * (1 - Math.pow(0.05, 1.0 / clips))));
    }
    long withheld = examples.stream().filter(example -> example.file().isEmpty()).count();
    if (withheld > 0) {
      limits.add(
          text("%d of the examples repeat a training recording and were not let out.", withheld));
    }
    limits.add(
        "The sounds in this folder are listening examples of a study: for ears in this house. They"
            + " carry no content credential and are not licensed for release.");
    return List.copyOf(limits);
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
