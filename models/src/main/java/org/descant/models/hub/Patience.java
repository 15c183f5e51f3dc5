package org.descant.models.hub;

import java.time.Duration;
import java.util.function.Consumer;
import org.descant.models.ModelException;

/**
 * Counts the tries of one thing and waits between them: pauses that double, or what the hub asks
 * for.
 */
final class Patience {
  private final HubTimings timings;
  private final String subject;
  private final String advice;
  private final Consumer<String> waiting;
  private int inARow;
  private int tries;

  /**
   * @param subject what is tried, as a sentence begins with it
   * @param advice what to do when patience ends, without a full stop
   * @param waiting told before each pause
   */
  Patience(HubTimings timings, String subject, String advice, Consumer<String> waiting) {
    this.timings = timings;
    this.subject = subject;
    this.advice = advice;
    this.waiting = waiting;
  }

  /**
   * Waits before the next try.
   *
   * @param progressed whether the failed try brought something that stays
   * @throws ModelException when there was enough of it
   */
  void after(TryAgainException failure, boolean progressed) {
    tries++;
    inARow = progressed ? 1 : inARow + 1;
    if (inARow >= timings.triesInARowMax() || tries >= timings.triesMax()) {
      throw new ModelException(
          "%s: %s, at %d tries; %s.".formatted(subject, failure.getMessage(), tries, advice),
          failure);
    }
    Duration pause = timings.pauseFirst().multipliedBy(1L << Math.min(inARow - 1, 20));
    if (pause.compareTo(timings.pauseMax()) > 0) {
      pause = timings.pauseMax();
    }
    Duration asked = failure.retryAfter();
    if (asked != null) {
      if (asked.compareTo(timings.retryAfterMax()) > 0) {
        throw new ModelException(
            "%s: %s and asks to come back in %d s; %s then."
                .formatted(subject, failure.getMessage(), asked.toSeconds(), advice),
            failure);
      }
      pause = asked.compareTo(pause) > 0 ? asked : pause;
    }
    waiting.accept(
        "%s: %s; trying again in %s".formatted(subject, failure.getMessage(), Text.seconds(pause)));
    try {
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ModelException(subject + ": interrupted; run the same command again.", e);
    }
  }
}
