package org.descant.tensor;

/**
 * Something about a tensor, a weights file or the native runtime is wrong. The message is one
 * sentence; what libtorch said beyond its first line, including the native stack, is in the
 * {@linkplain #getCause() cause}.
 */
public sealed class TensorException extends RuntimeException permits PeerLostException {
  private static final long serialVersionUID = 1L;

  public TensorException(String message) {
    super(message);
  }

  public TensorException(String message, Throwable cause) {
    super(message, cause);
  }

  /**
   * Wraps what native code threw while running {@code operation}: first line only in the message.
   */
  static TensorException fromNative(String operation, RuntimeException thrown) {
    String text = String.valueOf(thrown.getMessage());
    int end = text.indexOf('\n');
    return new TensorException(
        operation + ": " + (end < 0 ? text : text.substring(0, end)), thrown);
  }
}
