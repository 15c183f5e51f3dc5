package org.descant.rights;

import org.jspecify.annotations.Nullable;

/**
 * A fact that cannot be recorded, or a right that is asked for and does not exist. The message is
 * one sentence: what, which thing, what to do next.
 */
public class RightsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** An error without a deeper cause. */
  public RightsException(String message) {
    super(message);
  }

  /** An error with its cause. */
  public RightsException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
