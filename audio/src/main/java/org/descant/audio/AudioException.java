package org.descant.audio;

import org.jspecify.annotations.Nullable;

/** Audio or an annotation that cannot be used. The message is one sentence for the person. */
public final class AudioException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public AudioException(String message) {
    super(message);
  }

  public AudioException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
