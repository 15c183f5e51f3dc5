package org.descant.engine;

import org.descant.audio.Pcm;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Use;

/**
 * A recording whose style was asked for, and allowed.
 *
 * @param cleared the permission; its use is {@link Use#STYLE}
 * @param sound the recording itself, whose hash must be the one that was cleared
 */
public record StyleReference(ClearedRecording cleared, Pcm sound) {
  public StyleReference {
    if (cleared.use() != Use.STYLE) {
      throw new EngineException(
          cleared.isrc()
              + " was cleared for "
              + cleared.use()
              + ", not for STYLE; ask the gate about STYLE.");
    }
    if (!cleared.pcmHash().equals(sound.hash())) {
      throw new EngineException(
          "The sound offered as "
              + cleared.isrc()
              + " is not the one that was cleared; read it from the catalogue again.");
    }
  }
}
