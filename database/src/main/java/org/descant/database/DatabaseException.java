package org.descant.database;

import org.jspecify.annotations.Nullable;

/**
 * The database cannot be opened, migrated or listened to. The message is one sentence for the
 * person who runs the command: what happened, to which thing, and what to do next.
 */
public final class DatabaseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** An error without a deeper cause. */
  public DatabaseException(String message) {
    this(message, null);
  }

  /** An error with the cause that a developer wants to see. */
  public DatabaseException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
