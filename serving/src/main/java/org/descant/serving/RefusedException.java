package org.descant.serving;

import java.util.List;

/**
 * Somebody has not agreed, or a clip repeats a recording. Carries the reasons, in sentences made
 * for the person who asked.
 */
public final class RefusedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient List<String> reasons;
  private final boolean byChance;

  public RefusedException(String sentence, List<String> reasons) {
    this(sentence, reasons, false);
  }

  private RefusedException(String sentence, List<String> reasons, boolean byChance) {
    super(sentence);
    this.reasons = List.copyOf(reasons);
    this.byChance = byChance;
  }

  /** The refusal to deliver a clip that repeats a recording. */
  static RefusedException ofCopy(Clip.Copied copied) {
    return new RefusedException(
        "This one came out too close to an existing recording, so it is not delivered; another"
            + " seed gives another clip.",
        List.of(
            "%.1f s are like %s; %.0f s is the most that may be."
                .formatted(copied.seconds(), copied.recording(), Delivery.COPIED_SECONDS_MAX)),
        true);
  }

  /**
   * The refusal after every seed that is tried gave a clip that repeats a recording.
   *
   * @param reasons why each was refused, in the order in which they were tried
   */
  static RefusedException ofCopies(int attempts, List<String> reasons) {
    return new RefusedException(
        attempts
            + " attempts, each with a seed of its own, came out too close to an existing recording,"
            + " so nothing is delivered; another seed gives another clip.",
        reasons,
        true);
  }

  /** The refusal to play a model that was pulled from a hub. */
  public static RefusedException ofPulledModel(String name) {
    return new RefusedException(
        "The model "
            + name
            + " may not be played to listeners: it was pulled from a hub and has no rights"
            + " manifest.",
        List.of(
            "Nobody here can say whose music shaped it, whether they agreed, and whom to pay.",
            "It may be studied on this machine; to be heard, train a model on a dataset of this"
                + " home."));
  }

  /** The refusal to play a model, or an adapter, that was tuned from one without a manifest. */
  public static RefusedException ofTunedModel(String name, String base) {
    return new RefusedException(
        "The model "
            + name
            + " may not be played to listeners: it was tuned from "
            + base
            + ", which has no rights manifest.",
        List.of(
            "The recordings it was tuned on were cleared; nobody here can say whose music shaped"
                + " what it was before.",
            "It may be studied on this machine (`descant models play`); to be heard, train a model"
                + " on a dataset of this home."));
  }

  public List<String> reasons() {
    return reasons;
  }

  /** Whether the same request with another seed may well be delivered. */
  public boolean isByChance() {
    return byChance;
  }
}
