package org.descant.training.parallel;

/** A group of workers cannot be formed as asked. The message is one sentence. */
public final class ParallelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ParallelException(String message) {
    super(message);
  }

  public ParallelException(String message, Throwable cause) {
    super(message, cause);
  }
}
