package org.descant.training;

import org.jspecify.annotations.Nullable;

/** A recipe, a dataset or a run cannot be used; the message says which, why, what to do next. */
public final class TrainingException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TrainingException(String message) {
    super(message);
  }

  public TrainingException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** Refuses a recipe's value: names the key, the value and what is allowed. */
  public static void require(boolean holds, String key, Object value, String allowed) {
    if (!holds) {
      throw new TrainingException(
          "the recipe's '%s' is %s; allowed: %s".formatted(key, value, allowed));
    }
  }
}
