package org.descant.training.stage;

import java.util.ArrayList;
import java.util.List;
import org.descant.audio.AudioException;
import org.descant.audio.Beat;
import org.descant.audio.Mode;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.BeatTracker;
import org.descant.audio.analysis.KeyEstimator;
import org.descant.audio.analysis.MelodyLine;
import org.descant.audio.analysis.TempoEstimator;
import org.descant.models.condition.Chord;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.FrameConditions.PitchSpan;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.SectionKind;
import org.descant.shards.Dataset;
import org.jspecify.annotations.Nullable;

/**
 * What the language model is told of a recording: its annotations, or what the estimators hear when
 * it has none. Immutable.
 *
 * @param annotations beats, chords, sections, key and tempo; {@code null} when nothing is known
 * @param tags with the artist's name at the end
 * @param text description
 * @param mono samples, for the energy
 * @param sampleRate of them
 * @param melody its melody, one pitch class a beat; empty when it was not listened for
 */
public record Music(
    @Nullable MusicAnnotations annotations,
    List<String> tags,
    String text,
    float[] mono,
    int sampleRate,
    List<PitchSpan> melody) {

  /**
   * What is known of a recording.
   *
   * @param heard what {@link #heard} gave for it, for one without annotations
   */
  public static Music of(Dataset dataset, int recording, @Nullable MusicAnnotations heard) {
    return of(dataset, recording, heard, false);
  }

  /** The same, with or without listening for its melody. */
  static Music of(
      Dataset dataset, int recording, @Nullable MusicAnnotations heard, boolean melody) {
    MusicAnnotations known = dataset.annotations(recording).orElse(heard);
    Pcm sound = dataset.read(recording).mono();
    var tags = new ArrayList<>(dataset.tags(recording));
    tags.add(dataset.artist(recording));
    return new Music(
        known,
        List.copyOf(tags),
        dataset.text(recording),
        sound.channel(0),
        sound.sampleRate(),
        melody ? melody(sound, known) : List.of());
  }

  /** A pitch class for each beat; for each half second where no beats are known. */
  static List<PitchSpan> melody(Pcm sound, @Nullable MusicAnnotations known) {
    double[] edges =
        known == null || known.beats().size() < 2
            ? MelodyLine.halfSeconds(sound.seconds())
            : known.beats().stream().mapToDouble(Beat::time).toArray();
    int[] pitches = MelodyLine.between(sound, edges);
    var spans = new ArrayList<PitchSpan>();
    for (int i = 0; i < pitches.length; i++) {
      int pitch = pitches[i] == MelodyLine.NOTHING ? FrameConditions.REST : pitches[i];
      spans.add(new PitchSpan(edges[i], edges[i + 1], pitch));
    }
    return spans;
  }

  /**
   * Tempo, beats and key by the estimators; no chords and no sections. {@code null} for a sound
   * that is too short or in which nothing begins.
   */
  static @Nullable MusicAnnotations heard(Pcm sound) {
    try {
      double bpm = TempoEstimator.estimate(sound).bpm();
      List<Beat> beats = BeatTracker.track(sound);
      if (!(bpm > 0) || beats.size() < 2) {
        return null;
      }
      return new MusicAnnotations(
          sound.seconds(), bpm, KeyEstimator.estimate(sound).key(), beats, List.of(), List.of());
    } catch (AudioException e) {
      return null;
    }
  }

  /** Conditions of the frames of a copy. */
  public FrameConditions frames(Copy copy, double frameRate, int frames) {
    // A copy's frame lasts tempo times as long in the recording.
    int[] energy = FrameConditions.energySteps(mono, sampleRate, frameRate / copy.tempo(), frames);
    return harmony(copy, frameRate, energy).withMelody(frameRate, copy.apply(melody));
  }

  private FrameConditions harmony(Copy copy, double frameRate, int[] energy) {
    if (annotations == null) {
      return FrameConditions.from(frameRate, List.of(), List.of(), List.of(), energy);
    }
    MusicAnnotations moved = copy.apply(annotations);
    return FrameConditions.from(
        frameRate,
        moved.beats().stream()
            .map(beat -> new FrameConditions.Beat(beat.time(), beat.positionInBar()))
            .toList(),
        moved.chords().stream()
            .map(span ->
                new FrameConditions.ChordSpan(span.start(), span.end(), Chord.parse(span.label())))
            .toList(),
        moved.sections().stream()
            .map(part ->
                new FrameConditions.SectionSpan(
                    part.start(), part.end(), SectionKind.parse(part.label())))
            .toList(),
        energy);
  }

  /** Conditions of the whole copy. */
  public GlobalConditions global(Copy copy) {
    if (annotations == null) {
      return withoutStyle(GlobalConditions.NO_KEY, false);
    }
    var key = copy.apply(annotations).key();
    return withoutStyle(key.tonic(), key.mode() == Mode.MINOR);
  }

  @SuppressWarnings("NullAway") // It reads the style array's @Nullable as its elements'.
  private GlobalConditions withoutStyle(int tonic, boolean minor) {
    return new GlobalConditions(tonic, minor, tags, text, null);
  }
}
