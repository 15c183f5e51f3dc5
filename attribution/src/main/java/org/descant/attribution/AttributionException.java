package org.descant.attribution;

import org.jspecify.annotations.Nullable;

/** A model, index, dataset or clip cannot be attributed; the message says what to do. */
public final class AttributionException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public AttributionException(String sentence) {
    super(sentence);
  }

  public AttributionException(String sentence, @Nullable Throwable cause) {
    super(sentence, cause);
  }
}
