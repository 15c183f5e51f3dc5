package org.descant.serving;

import java.util.List;

/** Somebody has not agreed. Carries the reasons, in sentences made for the person who asked. */
public final class RefusedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient List<String> reasons;

  public RefusedException(String sentence, List<String> reasons) {
    super(sentence);
    this.reasons = List.copyOf(reasons);
  }

  public List<String> reasons() {
    return reasons;
  }
}
