package org.descant.engine;

/** A request or a model that cannot be used; the message says what to change. */
public final class EngineException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public EngineException(String sentence) {
    super(sentence);
  }
}
