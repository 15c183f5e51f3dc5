package org.descant.serving;

/** Something stands in the way of serving; the message says what and what to do. */
public final class ServingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public ServingException(String sentence) {
    super(sentence);
  }

  public ServingException(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
