package org.descant.shards;

import org.jspecify.annotations.Nullable;

/** A dataset cannot be written or read; the message says which, why, and what to do next. */
public final class ShardException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ShardException(String message) {
    super(message);
  }

  public ShardException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
