package org.descant.evaluation;

import org.jspecify.annotations.Nullable;

/** Something cannot be evaluated; the message says what to do. */
public final class EvaluationException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public EvaluationException(String sentence) {
    super(sentence);
  }

  public EvaluationException(String sentence, @Nullable Throwable cause) {
    super(sentence, cause);
  }
}
