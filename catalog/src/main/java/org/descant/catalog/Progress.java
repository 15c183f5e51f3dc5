package org.descant.catalog;

/** Hears how far a long step has come. Called from any thread, never two calls at once. */
@FunctionalInterface
public interface Progress {
  /** Tells nobody. */
  Progress NONE = (what, done, total) -> {};

  /**
   * Hears that one more thing is done.
   *
   * @param what the thing just finished, for a person to read
   * @param done things finished so far, {@code 1..total}
   */
  void tell(String what, int done, int total);
}
