package org.descant.audio;

import java.util.Locale;

/** Major or minor. */
public enum Mode {
  MAJOR,
  MINOR;

  /** Lower case, as keys are written. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
