package org.descant.serving;

import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import java.util.List;
import org.descant.attribution.Attributor;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.CopyMatch;
import org.descant.audio.analysis.Fingerprint;
import org.descant.catalog.Catalog;
import org.descant.rights.Isrc;

/**
 * Whether a finished clip repeats what its model learned from. It is compared with every training
 * recording as it is, and as the model's codec gives it back: all that a model makes has been
 * through the codec, and then the recording itself often does not look like its copy. Thread-safe.
 */
final class CopyCheck {
  /** About 0.8 MB for a minute of sound: at most about 200 MB. */
  private static final int RECORDINGS_MAX = 256;

  private final List<Isrc> trainedOn;
  private final LoadingCache<Isrc, List<Fingerprint>> prints;

  CopyCheck(Catalog catalog, Attributor attributor, List<Isrc> trainedOn) {
    this.trainedOn = trainedOn;
    this.prints =
        Caffeine.newBuilder()
            .maximumSize(RECORDINGS_MAX)
            .build(isrc ->
                List.of(Fingerprint.of(catalog.audio(isrc)), attributor.throughCodec(isrc)));
  }

  /**
   * The longest span that is like a training recording.
   *
   * @throws RefusedException when it is longer than {@link Delivery#COPIED_SECONDS_MAX}
   */
  Clip.Copied require(Pcm clip) {
    Fingerprint made = Fingerprint.of(clip);
    Clip.Copied longest = new Clip.Copied(0, "");
    for (Isrc isrc : trainedOn) {
      for (Fingerprint known : prints.get(isrc)) {
        CopyMatch match = CopiedSpan.longest(made, known);
        if (match.seconds() > longest.seconds()) {
          longest = new Clip.Copied(match.seconds(), isrc.toString());
        }
      }
    }
    if (longest.seconds() > Delivery.COPIED_SECONDS_MAX) {
      throw RefusedException.ofCopy(longest);
    }
    return longest;
  }
}
