package org.descant.shards;

import java.nio.file.Path;
import java.util.List;
import org.descant.audio.AudioFile;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.rights.ClearedRecording;
import org.jspecify.annotations.Nullable;

/**
 * One recording on its way into a dataset.
 *
 * @param cleared the permission, for the use that the dataset is for
 * @param sound the recording itself; its hash must be the one that was cleared
 * @param annotations what is known of its music, or {@code null}
 * @param artist display name
 * @param tags words such as genre and instruments
 * @param text a description for the text condition; may be empty
 * @param title of the recording; may be empty
 */
public record DatasetSource(
    ClearedRecording cleared,
    Sound sound,
    @Nullable MusicAnnotations annotations,
    String artist,
    List<String> tags,
    String text,
    String title) {
  /** A megabyte of description is a mistake. */
  private static final int TEXT_LENGTH_MAX = 20_000;

  private static final int TAGS_MAX = 64;

  public DatasetSource {
    tags = List.copyOf(tags);
    if (text.length() > TEXT_LENGTH_MAX || tags.size() > TAGS_MAX) {
      throw new ShardException(
          "recording %s has a text of %d characters and %d tags; at most %d and %d are kept"
              .formatted(cleared.isrc(), text.length(), tags.size(), TEXT_LENGTH_MAX, TAGS_MAX));
    }
  }

  public DatasetSource(
      ClearedRecording cleared,
      Path file,
      @Nullable MusicAnnotations annotations,
      String artist,
      List<String> tags,
      String text) {
    this(cleared, new Sound.InFile(file), annotations, artist, tags, text, "");
  }

  public DatasetSource(
      ClearedRecording cleared,
      Pcm pcm,
      @Nullable MusicAnnotations annotations,
      String artist,
      List<String> tags,
      String text) {
    this(cleared, new Sound.InMemory(pcm), annotations, artist, tags, text, "");
  }

  /** The same with a title. */
  public DatasetSource titled(String title) {
    return new DatasetSource(cleared, sound, annotations, artist, tags, text, title);
  }

  /** Where the sound comes from; a file is decoded when its turn comes. */
  public sealed interface Sound {
    /** The samples at their native rate. */
    Pcm load();

    record InMemory(Pcm pcm) implements Sound {
      @Override
      public Pcm load() {
        return pcm;
      }
    }

    record InFile(Path file) implements Sound {
      @Override
      public Pcm load() {
        return AudioFile.decode(file);
      }
    }
  }
}
