package org.descant.evaluation.release;

import java.nio.file.Path;
import org.descant.audio.Pcm;

/** The one way out for sound, as the house around a release has it. */
@FunctionalInterface
public interface SoundDoor {
  /**
   * Lets a listening example out into a folder, as FLAC.
   *
   * @param name without an ending
   * @return the file
   */
  Path letOut(Pcm sound, Path folder, String name);
}
