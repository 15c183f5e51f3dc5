package org.descant.storage;

import org.jspecify.annotations.Nullable;

/**
 * A file could not be kept or given back; the message is one sentence for the person at the door.
 */
public sealed class StorageException extends RuntimeException permits MissingObjectException {
  private static final long serialVersionUID = 1L;

  public StorageException(String message) {
    super(message);
  }

  public StorageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
