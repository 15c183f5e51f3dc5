package org.descant.lab;

import org.jspecify.annotations.Nullable;

/** A run folder cannot be read or written; the message says which, why, and what to do next. */
public final class LabException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public LabException(String message) {
    super(message);
  }

  public LabException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
