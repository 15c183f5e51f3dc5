package org.descant.models;

/**
 * A model, its folder or its input is not as it must be; the message is one sentence for a person.
 */
public final class ModelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ModelException(String message) {
    super(message);
  }

  public ModelException(String message, Throwable cause) {
    super(message, cause);
  }
}
