package org.descant.models.condition;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.condition.FrameConditions.PitchSpan;

/**
 * A melody as it is asked for: one pitch class a beat, or a rest. Immutable.
 *
 * @param pitches of the beats, 0 (C) to 11, {@link FrameConditions#REST} or {@link
 *     FrameConditions#UNTOLD}
 */
public record Melody(List<Integer> pitches) {
  /** Half an hour at 300 beats a minute. */
  private static final int BEATS_MAX = 9_000;

  private static final int NOTE_BEATS_MAX = 64;

  public Melody {
    if (pitches.isEmpty() || pitches.size() > BEATS_MAX) {
      throw new ModelException("A melody has 1 to " + BEATS_MAX + " beats, got " + pitches.size());
    }
    for (int pitch : pitches) {
      if (pitch < 0 || pitch > FrameConditions.UNTOLD) {
        throw new ModelException("A melody's pitch class is from 0 to 11, was " + pitch);
      }
    }
    pitches = List.copyOf(pitches);
  }

  /**
   * Reads notes such as {@code C4 E4 G4:2 - Bb3}: a letter, {@code #} or {@code b}, an octave that
   * may be left out and is not followed, and after a colon how many beats it lasts (1); {@code -}
   * is a rest.
   *
   * @throws ModelException that names the first note that cannot be read
   */
  public static Melody parse(String text) {
    List<Integer> pitches = new ArrayList<>();
    for (String note : text.strip().split("[\\s,]+")) {
      int colon = note.indexOf(':');
      int beats = colon < 0 ? 1 : number(note, note.substring(colon + 1), NOTE_BEATS_MAX);
      int pitch = pitch(note, colon < 0 ? note : note.substring(0, colon));
      for (int beat = 0; beat < beats; beat++) {
        pitches.add(pitch);
      }
    }
    return new Melody(pitches);
  }

  private static int pitch(String note, String name) {
    if (name.equals("-")) {
      return FrameConditions.REST;
    }
    int natural =
        name.isEmpty() ? -1 : "C D EF G A B".indexOf(Character.toUpperCase(name.charAt(0)));
    if (natural < 0 || name.charAt(0) == ' ') {
      throw unreadable(note);
    }
    int at = 1;
    for (; at < name.length() && (name.charAt(at) == '#' || name.charAt(at) == 'b'); at++) {
      natural += name.charAt(at) == '#' ? 1 : -1;
    }
    if (at < name.length()) {
      number(note, name.substring(at), 9);
    }
    return Math.floorMod(natural, 12);
  }

  /** A whole number from 0 to {@code max}. */
  private static int number(String note, String digits, int max) {
    if (!digits.matches("[0-9]{1,2}") || Integer.parseInt(digits) > max) {
      throw unreadable(note);
    }
    return Integer.parseInt(digits);
  }

  private static ModelException unreadable(String note) {
    return new ModelException("'" + note + "' is no note; write notes as in \"C4 E4 G4:2 - Bb3\"");
  }

  /** The melody {@code semitones} higher. */
  public Melody transposed(int semitones) {
    return new Melody(pitches.stream().map(pitch -> transposed(pitch, semitones)).toList());
  }

  /** A pitch class {@code semitones} higher; a rest, and what is untold, stay. */
  public static int transposed(int pitch, int semitones) {
    return pitch < FrameConditions.REST ? Math.floorMod(pitch + semitones, 12) : pitch;
  }

  /** Its beats in time, from 0 on; neighbours of one pitch are joined. */
  public List<PitchSpan> spans(double tempoBpm) {
    List<PitchSpan> spans = new ArrayList<>();
    int from = 0;
    for (int beat = 1; beat <= pitches.size(); beat++) {
      if (beat == pitches.size() || !pitches.get(beat).equals(pitches.get(from))) {
        spans.add(new PitchSpan(from * 60 / tempoBpm, beat * 60 / tempoBpm, pitches.get(from)));
        from = beat;
      }
    }
    return spans;
  }
}
