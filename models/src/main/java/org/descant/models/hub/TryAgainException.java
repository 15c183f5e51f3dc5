package org.descant.models.hub;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Something that may be better at the next try; the message says what, without a full stop. */
final class TryAgainException extends Exception {
  private static final long serialVersionUID = 1L;

  private final transient @Nullable Duration retryAfter;

  TryAgainException(String what) {
    this(what, null);
  }

  /**
   * @param retryAfter what the hub asks for; null when it asks for nothing
   */
  TryAgainException(String what, @Nullable Duration retryAfter) {
    super(what);
    this.retryAfter = retryAfter;
  }

  @Nullable Duration retryAfter() {
    return retryAfter;
  }
}
