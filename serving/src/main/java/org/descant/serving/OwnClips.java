package org.descant.serving;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.descant.audio.AudioFile;
import org.descant.audio.Pcm;
import org.descant.engine.ModelInfo;
import org.jspecify.annotations.Nullable;

/**
 * The sound that a new clip may be made from beside cleared recordings: clips which this house
 * delivered, made by the same model, so that the same agreements stand behind old and new. Whatever
 * else is offered is refused. Thread-safe.
 */
final class OwnClips {
  /** Longer chains of clips made from clips do not occur; it ends a circle of damaged rows. */
  private static final int CHAIN_MAX = 1_000;

  private final ClipStore store;
  private final ClipFiles files;
  private final ModelInfo model;

  OwnClips(ClipStore store, ClipFiles files, ModelInfo model) {
    this.store = store;
    this.files = files;
    this.model = model;
  }

  /**
   * The clip of an id; null for null.
   *
   * @throws RefusedException when there is none, or another model made it
   */
  @Nullable Clip find(@Nullable String id) {
    if (id == null) {
      return null;
    }
    return allowed(
        store
            .find(id)
            .orElseThrow(() ->
                new RefusedException(
                    "There is no clip " + id + " here; only clips that this house made go on.",
                    List.of())));
  }

  /**
   * The clip that a file is, whichever model made it; what is done with it asks for its model.
   *
   * @throws RefusedException when it is none that was delivered here, byte for byte
   */
  Clip identify(Path file) {
    String hash;
    try {
      hash = ClipFiles.sha256(file);
    } catch (IOException e) {
      throw new ServingException("The file " + file + " cannot be read; name another.", e);
    }
    return store
        .findBySha256(hash)
        .orElseThrow(() ->
            new RefusedException(
                file + " is no clip that this house delivered, so it is not used.",
                List.of(
                    "A recording's style can be asked for with its ISRC, when its owners have"
                        + " opened it.",
                    "A melody can be given as notes; a clip must be the file as it was"
                        + " delivered.")));
  }

  private Clip allowed(Clip clip) {
    if (!clip.model().equals(model.id())) {
      throw new RefusedException(
          "The clip "
              + clip.id()
              + " was made by the model "
              + clip.modelName()
              + "; only that model makes more of it.",
          List.of(clip.model() + " is not " + model.id() + "."));
    }
    return clip;
  }

  /** The clip's sound, as it was delivered. */
  Pcm sound(Clip clip) {
    Path file = files.file(clip.id(), "flac");
    try {
      if (!Files.exists(file) || !ClipFiles.sha256(file).equals(clip.flacSha256())) {
        throw new ServingException(
            "The file " + file + " of the clip is gone or was changed; restore it from a backup.");
      }
    } catch (IOException e) {
      throw new ServingException("The file " + file + " cannot be read; see to the disk.", e);
    }
    return AudioFile.decode(file);
  }

  /** The seed of the plan that a clip was made by: that of the first clip of its chain. */
  long planSeed(Clip clip) {
    Clip first = clip;
    for (int i = 0; i < CHAIN_MAX && !first.madeFrom().isEmpty(); i++) {
      Clip before = store.find(first.madeFrom()).orElse(null);
      if (before == null) {
        break;
      }
      first = before;
    }
    return first.seed();
  }
}
