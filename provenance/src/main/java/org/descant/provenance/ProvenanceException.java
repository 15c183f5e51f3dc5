package org.descant.provenance;

/** A sentence for the person who reads it: what could not be done, with which thing, what to do. */
public final class ProvenanceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ProvenanceException(String message) {
    super(message);
  }

  public ProvenanceException(String message, Throwable cause) {
    super(message, cause);
  }
}
