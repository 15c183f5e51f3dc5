package org.descant.serving;

import org.descant.engine.Engine;
import org.descant.engine.GenerationRequest;
import org.jspecify.annotations.Nullable;

/**
 * From an order to what the engine is asked for: finds the clips that it names, asks whether they
 * and the style may be used, and takes from them what the order leaves open. Thread-safe.
 */
final class OrderGate {
  private final Engine engine;
  private final OwnClips ownClips;
  private final SourceGate sources;
  private final StyleGate styles;

  OrderGate(Engine engine, OwnClips ownClips, SourceGate sources, StyleGate styles) {
    this.engine = engine;
    this.ownClips = ownClips;
    this.sources = sources;
    this.styles = styles;
  }

  /**
   * An order that may be made.
   *
   * @param order completed by the clip that it goes on or begins from
   * @param begun the clip that a flow model begins from; null when there is none
   */
  record Passed(Order order, GenerationRequest request, SourceGate.@Nullable Allowed begun) {}

  /**
   * @throws RefusedException with the reasons, when somebody has not agreed
   * @throws org.descant.engine.EngineException or {@link org.descant.audio.AudioException} when
   *     something cannot be asked for
   */
  Passed pass(Order asked) {
    Clip around = ownClips.find(asked.around());
    Clip melody = ownClips.find(asked.melodyOf());
    SourceGate.Allowed begun = sources.source(asked);
    Order order =
        around != null
            ? asked.completedBy(around)
            : begun != null ? asked.after(begun.clip()) : asked;
    styles.requireNamesOpen(order);
    GenerationRequest wanted =
        order.request(
            styles.reference(order.style()),
            around == null
                ? null
                : order.surroundings(ownClips.sound(around), ownClips.planSeed(around)),
            begun == null ? null : begun.source());
    if (melody != null) {
      wanted = wanted.withMelodyOf(ownClips.sound(melody), melody.tempo());
    }
    return new Passed(order, engine.resolve(wanted), begun);
  }
}
