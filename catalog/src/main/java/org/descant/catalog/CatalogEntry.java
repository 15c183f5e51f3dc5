package org.descant.catalog;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.descant.rights.Isrc;
import org.descant.storage.BlobId;
import org.jspecify.annotations.Nullable;

/**
 * One recording as the catalogue knows it. Texts are "" when the delivery did not say.
 *
 * @param artist the display artist as the delivery writes it
 * @param reason why the status is not {@link Status#READY}, else ""
 * @param duplicateOf the recording that was here first, when this is the same one
 * @param seconds of the audio, or as the delivery states while there is none
 * @param sampleRate of the audio in Hz, 0 while there is none; channels likewise
 * @param pcmHash {@code Pcm.hash()} of the audio
 * @param audio the file as it was delivered, or the sum of the stems where only these were
 * @param lufs integrated loudness (ITU-R BS.1770-4), null while there is no audio
 * @param peak largest sample, 1 is full scale
 * @param bpm tempo and key as the delivery or its annotations say
 * @param annotated whether {@link Catalog#annotations} has beats, chords and sections
 * @param extra columns of a CSV delivery that have no meaning here
 * @param source the delivery it came with
 */
public record CatalogEntry(
    Isrc isrc,
    String title,
    String versionTitle,
    String artist,
    Status status,
    String reason,
    @Nullable Isrc duplicateOf,
    double seconds,
    int sampleRate,
    int channels,
    @Nullable String pcmHash,
    @Nullable BlobId audio,
    String audioFormat,
    @Nullable Double lufs,
    @Nullable Double peak,
    String genre,
    List<String> tags,
    String description,
    @Nullable Double bpm,
    @Nullable String key,
    boolean annotated,
    String licence,
    Map<String, String> extra,
    List<Stem> stems,
    String source,
    Instant importedAt) {

  public CatalogEntry {
    tags = List.copyOf(tags);
    extra = Map.copyOf(extra);
    stems = List.copyOf(stems);
  }

  /** Where a recording stands. */
  public enum Status {
    /** Has its audio. Whether it may be used is for rights to say. */
    READY,
    /** Its audio is still to come. */
    WAITING,
    /** Its audio was refused. */
    BLOCKED,
    /** The same recording as another one. */
    DUPLICATE
  }

  /** A stem of the recording, aligned with its start. */
  public record Stem(String name, BlobId blob, double seconds) {}
}
