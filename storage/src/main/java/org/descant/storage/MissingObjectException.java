package org.descant.storage;

/** There is no object of this name: known from a network that failed, which may pass. */
final class MissingObjectException extends StorageException {
  private static final long serialVersionUID = 1L;

  MissingObjectException(String message, Throwable cause) {
    super(message, cause);
  }
}
