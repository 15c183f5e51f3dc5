package org.descant.cli.platform;

/** What the process says when it ends. */
public final class Exit {
  public static final int DONE = 0;
  public static final int REFUSED = 1;
  public static final int BAD_INPUT = 2;
  public static final int INTERRUPTED = 130;

  private Exit() {}
}
