package org.descant.rights;

import java.time.LocalDate;

/**
 * A recording that may be used for one purpose: the only ticket into a dataset, a reference slot or
 * a remix. Only {@link Clearance} makes one, from a decision that is stored. It can be neither
 * copied by serialisation nor subclassed, and the jar is sealed, so that no package of the same
 * name elsewhere gets at the constructor. Immutable.
 */
public final class ClearedRecording {
  private final Decision decision;
  private final String pcmHash;

  ClearedRecording(Decision decision, String pcmHash) {
    if (!decision.allowed()) {
      throw new RightsException(
          "%s is not cleared: %s".formatted(decision.isrc(), decision.sentence()));
    }
    this.decision = decision;
    this.pcmHash = pcmHash;
  }

  /** Which recording. */
  public Isrc isrc() {
    return decision.isrc();
  }

  /** What it may be used for. */
  public Use use() {
    return decision.use();
  }

  /** Hash of the sound that was cleared: audio with another hash is another recording. */
  public String pcmHash() {
    return pcmHash;
  }

  /** The stored decision that this rests on. */
  public String decisionId() {
    return decision.id();
  }

  /** Hash of the agreements and choices that decided. */
  public String rulesHash() {
    return decision.rulesHash();
  }

  /** The day for which it was cleared. */
  public LocalDate validAt() {
    return decision.validAt();
  }

  /** The decision itself. */
  public Decision decision() {
    return decision;
  }

  @Override
  public String toString() {
    return "%s cleared for %s by %s".formatted(isrc(), use().inWords(), decisionId());
  }
}
