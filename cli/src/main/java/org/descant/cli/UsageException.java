package org.descant.cli;

/** Wrong usage or bad input, told in one sentence: what, which thing, what to do next. */
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  UsageException(String sentence) {
    super(sentence);
  }
}
