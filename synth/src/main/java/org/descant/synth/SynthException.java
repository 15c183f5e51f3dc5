package org.descant.synth;

/** A score, band or track that cannot be read or played; the message is one sentence for people. */
public final class SynthException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SynthException(String message) {
    super(message);
  }
}
