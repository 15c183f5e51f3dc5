package org.descant.provenance;

/** Bytes that break the format they claim to have. Caught where a file is judged. */
final class Malformed extends Exception {
  private static final long serialVersionUID = 1L;

  Malformed(String message) {
    super(message);
  }
}
