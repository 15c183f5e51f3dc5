package org.descant.ledger;

/** A sentence for the person who reads it: what could not be booked, and what to do. */
public final class LedgerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public LedgerException(String message) {
    super(message);
  }
}
