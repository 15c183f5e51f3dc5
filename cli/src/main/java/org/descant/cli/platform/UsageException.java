package org.descant.cli.platform;

/** Wrong usage or bad input, told in one sentence: what, which thing, what to do next. */
public final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public UsageException(String sentence) {
    super(sentence);
  }
}
