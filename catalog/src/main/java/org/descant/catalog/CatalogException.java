package org.descant.catalog;

import org.jspecify.annotations.Nullable;

/** A delivery or a question to the catalogue was refused; the message is one sentence. */
public final class CatalogException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public CatalogException(String message) {
    super(message);
  }

  public CatalogException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
