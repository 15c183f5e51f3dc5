package org.descant.ledger;

/** Where a usage stands. Only PENDING can change, and only once. */
public enum UsageState {
  PENDING,
  POSTED,
  VOIDED
}
