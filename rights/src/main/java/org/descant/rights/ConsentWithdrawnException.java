package org.descant.rights;

/** A recording was cleared and is not any more: somebody behind it has changed their mind. */
public final class ConsentWithdrawnException extends RightsException {
  private static final long serialVersionUID = 1L;

  private final transient Decision decision;

  ConsentWithdrawnException(String message, Decision decision) {
    super(message);
    this.decision = decision;
  }

  /** The decision that now refuses, with all reasons. */
  public Decision decision() {
    return decision;
  }
}
