package org.descant.tensor;

/**
 * A collective operation cannot end: another process of the group has died, does not take part in
 * time, or was reported lost. The group is unusable afterwards; what the operation worked on holds
 * no meaning.
 */
public final class PeerLostException extends TensorException {
  private static final long serialVersionUID = 1L;

  public PeerLostException(String message) {
    super(message);
  }

  public PeerLostException(String message, Throwable cause) {
    super(message, cause);
  }
}
