package org.descant.engine;

import org.descant.audio.Pcm;

/**
 * Music that is there already, and where in it something new is asked for: after it, or between two
 * of its parts. Whoever makes one answers for the sound being a clip that this house made with the
 * same model; a recording enters as a {@link StyleReference} and in no other way.
 *
 * @param sound at most {@value #SECONDS_MAX} seconds
 * @param from seconds: what is before stays
 * @param to seconds: what comes after stays; the sound's end when nothing does
 * @param planSeed seed of the plan that the sound was made by, so that its bars and chords go on
 * @param onlyNew whether only what is made is given out, without what was there
 */
public record Surroundings(Pcm sound, double from, double to, long planSeed, boolean onlyNew) {
  public static final double SECONDS_MAX = 300;

  /** Shorter spans are over before anything happens in them. */
  public static final double SPAN_SECONDS_MIN = 0.5;

  public Surroundings {
    if (sound.seconds() > SECONDS_MAX) {
      throw new EngineException(
          "A clip of %.0f s is too long to go on from; at most %.0f s are."
              .formatted(sound.seconds(), SECONDS_MAX));
    }
    boolean after = from == to && to == sound.seconds();
    if (!after && !(from >= 0 && to - from >= SPAN_SECONDS_MIN && to <= sound.seconds())) {
      throw new EngineException(
          "A span to fill lies within the clip's %.2f s and lasts at least %.1f s; was %s to %s."
              .formatted(sound.seconds(), SPAN_SECONDS_MIN, from, to));
    }
  }

  /** What goes on where the sound ends. */
  public static Surroundings after(Pcm sound, long planSeed, boolean onlyNew) {
    return new Surroundings(sound, sound.seconds(), sound.seconds(), planSeed, onlyNew);
  }

  /** Whether it goes on after the sound's end, rather than filling a span of it. */
  public boolean goesOn() {
    return from == to;
  }
}
