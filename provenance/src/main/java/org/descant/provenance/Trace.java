package org.descant.provenance;

import java.util.List;

/**
 * The whole thread through one artefact: what it came from and what came of it.
 *
 * @param ancestors nearest first
 * @param descendants nearest first
 * @param truncated true if a limit cut the thread
 */
public record Trace(
    Artefact subject, List<Step> ancestors, List<Step> descendants, boolean truncated) {
  public Trace {
    ancestors = List.copyOf(ancestors);
    descendants = List.copyOf(descendants);
  }

  /**
   * One artefact on the thread.
   *
   * @param depth the fewest edges between it and the subject
   * @param via its neighbours one step nearer to the subject
   */
  public record Step(int depth, Artefact artefact, List<String> via) {
    public Step {
      via = List.copyOf(via);
    }
  }
}
