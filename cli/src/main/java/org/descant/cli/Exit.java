package org.descant.cli;

/** What the process says when it ends. */
final class Exit {
  static final int DONE = 0;
  static final int REFUSED = 1;
  static final int BAD_INPUT = 2;
  static final int INTERRUPTED = 130;

  private Exit() {}
}
