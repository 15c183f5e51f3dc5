package org.descant.audio;

import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What is known about the music of a recording. All times are seconds from its start; lists are in
 * order of time. Immutable.
 *
 * @param seconds length of the recording, more than 0, at most {@value #SECONDS_MAX}
 * @param tempoBpm beats a minute, more than 0, at most {@value #TEMPO_BPM_MAX}
 */
public record MusicAnnotations(
    double seconds,
    double tempoBpm,
    MusicalKey key,
    List<Beat> beats,
    List<ChordSpan> chords,
    List<Section> sections) {

  /** Two hours: four times what a recording may last. */
  public static final double SECONDS_MAX = 7200;

  public static final double TEMPO_BPM_MAX = 1000;

  /** More than two hours of 400 BPM. */
  public static final int ITEMS_MAX = 50_000;

  /** An item may end this much after the recording: the tail of a rounded grid. */
  private static final double OVERHANG_SECONDS_MAX = 1;

  public MusicAnnotations {
    if (!(seconds > 0) || seconds > SECONDS_MAX) {
      throw new AudioException(
          "An annotated recording must last up to %s s, was %s.".formatted(SECONDS_MAX, seconds));
    }
    if (!(tempoBpm > 0) || tempoBpm > TEMPO_BPM_MAX) {
      throw new AudioException(
          "A tempo must be up to %s BPM, was %s.".formatted(TEMPO_BPM_MAX, tempoBpm));
    }
    beats = List.copyOf(beats);
    chords = List.copyOf(chords);
    sections = List.copyOf(sections);
    checkOrder("beats", beats, Beat::time, Beat::time, seconds);
    checkOrder("chords", chords, ChordSpan::start, ChordSpan::end, seconds);
    checkOrder("sections", sections, Section::start, Section::end, seconds);
  }

  private static <T> void checkOrder(
      String what,
      List<T> items,
      ToDoubleFunction<T> start,
      ToDoubleFunction<T> end,
      double seconds) {
    if (items.size() > ITEMS_MAX) {
      throw new AudioException(
          "A recording may have up to %d %s, was given %d."
              .formatted(ITEMS_MAX, what, items.size()));
    }
    double before = 0;
    for (T item : items) {
      if (start.applyAsDouble(item) < before) {
        throw new AudioException(
            "The %s must be in order of time: one at %s s follows one at %s s."
                .formatted(what, start.applyAsDouble(item), before));
      }
      if (end.applyAsDouble(item) > seconds + OVERHANG_SECONDS_MAX) {
        throw new AudioException(
            "One of the %s ends at %s s in a recording of %s s."
                .formatted(what, end.applyAsDouble(item), seconds));
      }
      before = start.applyAsDouble(item);
    }
  }

  /**
   * These annotations as one JAMS document (Humphrey, Salamon, Nieto et al., ISMIR 2014; version
   * 0.3) with the namespaces tempo, key_mode, beat, chord_harte and segment_open.
   */
  public String toJams() {
    return Jams.write(this);
  }

  /**
   * Reads a JAMS document. The first annotation of each namespace counts; tempo and key_mode must
   * be there, the lists may be absent.
   *
   * @throws AudioException if the text is no such document, says which part
   */
  public static MusicAnnotations fromJams(String json) {
    return Jams.read(json);
  }
}
