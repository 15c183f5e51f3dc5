package org.descant.training;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;

/** Hears how a run goes. Called on the training thread; slow listeners slow the run. */
public interface Progress {
  /** A logged step. */
  void step(Line line);

  /** Something that is said once, such as the start of a stage. */
  void note(String sentence);

  /** Hears nothing. */
  Progress NONE =
      new Progress() {
        @Override
        public void step(Line line) {}

        @Override
        public void note(String sentence) {}
      };

  /** Prints one line for each call. */
  static Progress to(PrintStream out) {
    return new Progress() {
      @Override
      public void step(Line line) {
        out.println(line);
      }

      @Override
      public void note(String sentence) {
        out.println(sentence);
      }
    };
  }

  /**
   * A logged step.
   *
   * @param stage {@code codec}, {@code tokens} or {@code lm}
   * @param step of the stage, from 1
   * @param steps of the stage
   * @param loss mean since the last line; 0 where nothing is learned
   * @param learningRate of this step
   * @param gradientNorm of this step, before clipping
   * @param audioSecondsPerSecond sound that went through in a second
   * @param tokensPerSecond codes that went through in a second; 0 for the codec
   * @param flopsPerSecond nominal operations of the products in a second; 0 where none are counted
   * @param mfu their share of the fastest matrix product measured at the run's precision
   * @param dataWait share of the time that the step waited for data, 0 to 1
   * @param memoryBytes resident memory of the process
   * @param left of the stage at the present speed
   */
  record Line(
      String stage,
      long step,
      long steps,
      double loss,
      double learningRate,
      double gradientNorm,
      double audioSecondsPerSecond,
      double tokensPerSecond,
      double flopsPerSecond,
      double mfu,
      double dataWait,
      long memoryBytes,
      Duration left) {
    @Override
    public String toString() {
      String learned =
          learningRate == 0
              ? ""
              : String.format(
                  Locale.ROOT, "  loss %.4f  lr %.2e  |g| %.3f", loss, learningRate, gradientNorm);
      String tokens =
          tokensPerSecond == 0
              ? ""
              : String.format(Locale.ROOT, "  %,.0f tokens/s", tokensPerSecond);
      String share =
          flopsPerSecond == 0
              ? ""
              : String.format(
                  Locale.ROOT, "  %.1f GFLOP/s (%.0f %% mfu)", flopsPerSecond / 1e9, 100 * mfu);
      return String.format(
          Locale.ROOT,
          "%-6s %d/%d%s  %,.0f audio-s/s%s%s  wait %.1f %%  %,d MB  %d:%02d left",
          stage,
          step,
          steps,
          learned,
          audioSecondsPerSecond,
          tokens,
          share,
          100 * dataWait,
          memoryBytes >> 20,
          left.toMinutes(),
          left.toSecondsPart());
    }
  }
}
