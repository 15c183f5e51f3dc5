package org.descant.synth;

import java.util.List;
import org.descant.audio.MusicalKey;

/**
 * One recording of the demo catalogue. Artists and people are invented; nobody of these names is
 * meant. Immutable; {@link #render()} may be called from several threads.
 *
 * @param slug file name and identity, for example {@code "lamplighters-rag"}
 * @param artistSlug identity of the artist, shared by that artist's tracks
 * @param artist the name on the cover
 * @param tags lower-case words for genre, mood and instruments
 * @param description one sentence about the music
 * @param tempoBpm quarter notes a minute, constant through the track
 * @param key main key; a section may leave it for a while
 * @param beatsPerBar 3 or 4 quarter notes
 * @param composers names of people who wrote the music
 * @param lyricists names of people who wrote words to it; often empty
 * @param performers names of people who play it
 * @param producers names of people who produced the recording
 */
public record DemoTrack(
    String slug,
    String artistSlug,
    String artist,
    String title,
    String genre,
    List<String> tags,
    String description,
    double tempoBpm,
    MusicalKey key,
    int beatsPerBar,
    List<String> composers,
    List<String> lyricists,
    List<String> performers,
    List<String> producers) {

  public DemoTrack {
    tags = List.copyOf(tags);
    composers = List.copyOf(composers);
    lyricists = List.copyOf(lyricists);
    performers = List.copyOf(performers);
    producers = List.copyOf(producers);
  }

  /** Plays the score: 48 to 60 seconds of 44.1 kHz stereo, the same bits on every machine. */
  public Rendering render() {
    return DemoCatalogue.render(slug);
  }
}
