package org.descant.lab;

/** Where a run stands. A run whose process was killed stays {@code RUNNING} until it is resumed. */
public enum RunStatus {
  RUNNING,
  /** Stopped on request with everything safe; the same command goes on. */
  STOPPED,
  FINISHED,
  /** Ended by an error that is told in the record's facts under {@code failure}. */
  FAILED
}
