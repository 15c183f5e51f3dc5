package org.descant.training;

import java.io.IOException;
import java.nio.file.Path;
import java.text.ParseException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import org.descant.lab.RunFolder;
import org.descant.shards.Dataset;
import org.descant.tensor.Precision;
import org.descant.tensor.Profiler;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.tune.TuneRecipe;
import org.descant.training.tune.Tuner;
import org.jspecify.annotations.Nullable;

/**
 * Records a few training steps of a recipe: libtorch's operators as a Chrome trace, and the Java
 * side by the JDK's flight recorder. Stateless.
 *
 * <p>The steps are the recipe's own, but there are only as many as are needed, every recording is
 * coded once only, nothing is measured in between, and the first steps, which make the kernels, are
 * left out.
 */
public final class Profile {
  private static final int STEPS_MAX = 100;

  /** libtorch makes its kernels and the heap finds its size in the first steps. */
  private static final int WARM_UP_STEPS = 5;

  private static final long NEVER = 100_000_000;

  private Profile() {}

  /** Whose steps are recorded. */
  public enum Stage {
    CODEC,
    LM,
    FLOW;

    /** The last stage of a recipe. */
    public static Stage lastOf(Recipe recipe) {
      return valueOf(recipe.last().name().toUpperCase(Locale.ROOT));
    }
  }

  /**
   * What was recorded.
   *
   * @param trace Chrome trace of libtorch's operators
   * @param flight recording of the JDK's flight recorder
   * @param steps recorded
   * @param precision as {@code auto} was resolved
   * @param threads of libtorch
   */
  public record Recorded(Path trace, Path flight, int steps, Precision precision, int threads) {}

  /**
   * Trains a little and records.
   *
   * @param steps to record, 1 to {@value #STEPS_MAX}
   * @param scratch folder for the run, which the caller deletes
   * @param trace file to write; the flight recording is written beside it, ending in {@code .jfr}
   * @throws TrainingException when libtorch's profiler is missing, or as {@link Trainer#run}
   */
  public static Recorded record(
      Recipe recipe, Dataset dataset, Stage stage, int steps, Path scratch, Path trace) {
    Path flight = flight(steps, trace);
    if (stage != Stage.CODEC && stage != Stage.lastOf(recipe)) {
      throw new TrainingException(
          "the recipe %s has the stages codec and %s; name one of them"
              .formatted(recipe.name(), recipe.last().name()));
    }
    try (var listener = new Listener(stage.name().toLowerCase(Locale.ROOT), steps, trace, flight)) {
      var trainer = new Trainer(shortened(recipe, stage, steps), dataset, scratch, listener);
      listener.stop = trainer::stop;
      trainer.run();
      listener.requireDone();
    }
    Recipe effective = RecipeText.fromMap(RunFolder.record(scratch).effectiveRecipe());
    return new Recorded(
        trace, flight, steps, precision(effective.precision()), effective.threads());
  }

  /** The same for a recipe that tunes a published model. */
  public static Recorded record(
      TuneRecipe recipe, Dataset dataset, int steps, Path scratch, Path trace) {
    Path flight = flight(steps, trace);
    TuneRecipe shortened =
        RecipeText.withOverrides(
            recipe,
            List.of(
                "steps=" + (WARM_UP_STEPS + steps + 1L),
                "logEvery=1",
                "checkpoint.every=" + NEVER,
                "tune.evaluateEvery=" + NEVER));
    try (var listener = new Listener("tune", steps, trace, flight)) {
      var tuner = new Tuner(shortened, dataset, scratch, listener);
      listener.stop = tuner::stop;
      tuner.run();
      listener.requireDone();
    }
    TuneRecipe effective = Tuner.recipe(RunFolder.record(scratch));
    return new Recorded(
        trace, flight, steps, precision(effective.precision()), effective.threads());
  }

  /** Where the flight recording goes, once it is certain that there can be one. */
  private static Path flight(int steps, Path trace) {
    if (steps < 1 || steps > STEPS_MAX) {
      throw new TrainingException(
          "%d steps cannot be recorded; 1 to %d can".formatted(steps, STEPS_MAX));
    }
    Optional<String> missing = Profiler.unavailable();
    if (missing.isPresent()) {
      throw new TrainingException(missing.get());
    }
    return trace.resolveSibling(trace.getFileName() + ".jfr");
  }

  private static Precision precision(String name) {
    return Precision.valueOf(name.toUpperCase(Locale.ROOT));
  }

  private static Recipe shortened(Recipe recipe, Stage stage, int steps) {
    // One step more than is recorded, so that the stage's end is not in it; one for the other
    // stage.
    long own = WARM_UP_STEPS + steps + 1L;
    double share = stage == Stage.CODEC ? own / (own + 1.0) : 1 / (own + 1.0);
    return RecipeText.withOverrides(
        recipe,
        List.of(
            "steps=" + (own + 1),
            "codec.share=" + share,
            "logEvery=1",
            "augment.copies=1",
            "checkpoint.every=" + NEVER,
            recipe.last().name() + ".evaluateEvery=" + NEVER,
            recipe.last().name() + ".stopAfter=0"));
  }

  /** Counts the stage's steps on the training thread. */
  private static final class Listener implements Progress, AutoCloseable {
    private final String stage;
    private final int steps;
    private final Path trace;
    private final Path flight;
    private @Nullable Runnable stop;
    private @Nullable Profiler profiler;
    private @Nullable Recording recording;
    private Profiler.@Nullable Range range;
    private int seen;
    private boolean done;

    Listener(String stage, int steps, Path trace, Path flight) {
      this.stage = stage;
      this.steps = steps;
      this.trace = trace;
      this.flight = flight;
    }

    @Override
    public void step(Line line) {
      if (!line.stage().equals(stage) || done) {
        return;
      }
      seen++;
      if (range != null) {
        range.close();
        range = null;
      }
      if (seen == WARM_UP_STEPS) {
        recording = flightRecording();
        profiler = Profiler.start();
      }
      if (seen == WARM_UP_STEPS + steps) {
        finish();
      } else if (profiler != null) {
        range = Profiler.range("step " + (seen - WARM_UP_STEPS + 1));
      }
    }

    void requireDone() {
      if (!done) {
        throw new TrainingException("the run ended before " + steps + " steps were recorded");
      }
    }

    private void finish() {
      Objects.requireNonNull(profiler, "profiler").stop(trace);
      try (Recording ended = Objects.requireNonNull(recording, "recording")) {
        ended.stop();
        ended.dump(flight);
      } catch (IOException e) {
        throw new TrainingException("cannot write " + flight + ": " + e.getMessage(), e);
      }
      done = true;
      Objects.requireNonNull(stop, "stop").run();
    }

    private static Recording flightRecording() {
      try {
        Recording recording = new Recording(Configuration.getConfiguration("profile"));
        recording.start();
        return recording;
      } catch (IOException | ParseException e) {
        throw new TrainingException("the flight recorder does not start: " + e.getMessage(), e);
      }
    }

    @Override
    public void note(String sentence) {}

    /** After an error in the middle of it. */
    @Override
    public void close() {
      if (!done) {
        if (profiler != null) {
          profiler.close();
        }
        if (recording != null) {
          recording.close();
        }
      }
    }
  }
}
