package org.descant.engine;

import org.descant.audio.Pcm;

/**
 * A sound that a flow model begins from: it makes another take of it, or keeps a part of it and
 * makes the rest anew, or both. Whoever makes a source vouches that the sound may be used so;
 * {@code serving} does, and takes nothing but this house's own clips.
 *
 * @param name of the sound, for credits: the clip's id
 * @param sound at least as long as what is asked for
 * @param strength how much is made anew, over 0 to 1, which forgets the sound where it is not kept
 * @param keepFrom where the part that is kept begins, in seconds
 * @param keepTo where it ends; the same as {@code keepFrom} keeps nothing
 */
public record Source(String name, Pcm sound, double strength, double keepFrom, double keepTo) {
  public Source {
    if (!(strength > 0 && strength <= 1)) {
      throw new EngineException(
          "A strength is more than 0 and at most 1, was %s.".formatted(strength));
    }
    if (!(keepFrom >= 0 && keepTo >= keepFrom && keepTo <= sound.seconds())) {
      throw new EngineException(
          "What is kept lies within the sound of %.1f seconds and begins before it ends, was %s to"
                  .formatted(sound.seconds(), keepFrom)
              + " %s.".formatted(keepTo));
    }
    if (strength == 1 && keepTo == keepFrom) {
      throw new EngineException(
          "Nothing would be left of %s: give a strength below 1, or keep a part.".formatted(name));
    }
  }
}
