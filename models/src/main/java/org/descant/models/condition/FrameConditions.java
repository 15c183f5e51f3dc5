package org.descant.models.condition;

import java.util.Arrays;
import java.util.List;
import org.descant.models.ModelException;

/**
 * What is known of each codec frame before it sounds: the place in the bar and the beat, the tempo,
 * the chord now and next, the section, the energy in eight coarse steps, and one pitch class of
 * melody a beat.
 *
 * <p>All arrays have one entry per frame at the codec's frame rate. Chroma and exact loudness are
 * left out on purpose: they name the place in a training song, and the model then recites it (HOUSE
 * figures: mean loss 4.3 in training, 6.0 held out).
 *
 * @param barPhase place in the bar, 0 (downbeat) to just under 1; NaN where no beat is known
 * @param beatPhase place in the beat, 0 to just under 1; NaN where no beat is known
 * @param logTempo log2(beats per minute / 120); 0 where no beat is known
 * @param chord chord that sounds
 * @param nextChord the chord that follows it (the same one at the end)
 * @param section part of the form
 * @param energy 0 (quiet) to 7 (the recording's loudest)
 * @param melody pitch class 0 (C) to 11 of the melody in the beat, {@link #REST}, or {@link
 *     #UNTOLD}; octave, onset and length within the beat are left out for the same reason as chroma
 */
@SuppressWarnings(
    "ArrayRecordComponent") // One entry per frame; lists would cost 16 bytes for each.
public record FrameConditions(
    float[] barPhase,
    float[] beatPhase,
    float[] logTempo,
    Chord[] chord,
    Chord[] nextChord,
    SectionKind[] section,
    int[] energy,
    int[] melody) {

  /** No pitch sounds in the melody. */
  public static final int REST = 12;

  /** Nothing is said of the melody. */
  public static final int UNTOLD = 13;

  /** Steps of energy. */
  public static final int ENERGY_STEPS = 8;

  /** Decibels between two steps of energy. */
  private static final double ENERGY_STEP_DB = 4;

  /** Longest conditions: half an hour at 43 frames a second. */
  static final int FRAMES_MAX = 30 * 60 * 44;

  public FrameConditions {
    int frames = barPhase.length;
    if (frames < 1 || frames > FRAMES_MAX) {
      throw new ModelException("Conditions hold 1 to " + FRAMES_MAX + " frames, got " + frames);
    }
    if (beatPhase.length != frames
        || logTempo.length != frames
        || chord.length != frames
        || nextChord.length != frames
        || section.length != frames
        || energy.length != frames
        || melody.length != frames) {
      throw new ModelException(
          "The arrays of frame conditions must all have " + frames + " entries");
    }
    for (int step : energy) {
      if (step < 0 || step >= ENERGY_STEPS) {
        throw new ModelException("Energy steps go from 0 to 7, was " + step);
      }
    }
    for (int pitch : melody) {
      if (pitch < 0 || pitch > UNTOLD) {
        throw new ModelException(
            "A melody is a pitch class from 0 to 11, 12 for a rest or 13 for untold, was " + pitch);
      }
    }
  }

  /**
   * One beat.
   *
   * @param time seconds
   * @param position place in its bar, 1 for the downbeat
   */
  public record Beat(double time, int position) {}

  /** A chord from {@code start} to {@code end} seconds. */
  public record ChordSpan(double start, double end, Chord chord) {}

  /** A section from {@code start} to {@code end} seconds. */
  public record SectionSpan(double start, double end, SectionKind kind) {}

  /**
   * A note of the melody from {@code start} to {@code end} seconds.
   *
   * @param pitch pitch class 0 to 11, or {@link #REST}
   */
  public record PitchSpan(double start, double end, int pitch) {}

  public int frames() {
    return barPhase.length;
  }

  /**
   * The same with a melody; frames outside its spans are untold.
   *
   * @param spans in the order of time
   */
  public FrameConditions withMelody(double frameRate, List<PitchSpan> spans) {
    int[] pitches = untold(frames());
    int span = 0;
    for (int t = 0; t < pitches.length; t++) {
      double time = (t + 0.5) / frameRate;
      while (span < spans.size() && spans.get(span).end() <= time) {
        span++;
      }
      if (span < spans.size() && spans.get(span).start() <= time) {
        pitches[t] = spans.get(span).pitch();
      }
    }
    return with(pitches);
  }

  /** The same with nothing said of the melody. */
  public FrameConditions withoutMelody() {
    return with(untold(frames()));
  }

  private FrameConditions with(int[] pitches) {
    return new FrameConditions(
        barPhase, beatPhase, logTempo, chord, nextChord, section, energy, pitches);
  }

  private static int[] untold(int frames) {
    int[] pitches = new int[frames];
    Arrays.fill(pitches, UNTOLD);
    return pitches;
  }

  /** Frames {@code from .. to-1}. */
  public FrameConditions slice(int from, int to) {
    return new FrameConditions(
        Arrays.copyOfRange(barPhase, from, to),
        Arrays.copyOfRange(beatPhase, from, to),
        Arrays.copyOfRange(logTempo, from, to),
        Arrays.copyOfRange(chord, from, to),
        Arrays.copyOfRange(nextChord, from, to),
        Arrays.copyOfRange(section, from, to),
        Arrays.copyOfRange(energy, from, to),
        Arrays.copyOfRange(melody, from, to));
  }

  /** These frames, then those of {@code later}. */
  public FrameConditions then(FrameConditions later) {
    return new FrameConditions(
        concat(barPhase, later.barPhase),
        concat(beatPhase, later.beatPhase),
        concat(logTempo, later.logTempo),
        concat(chord, later.chord),
        concat(nextChord, later.nextChord),
        concat(section, later.section),
        concat(energy, later.energy),
        concat(melody, later.melody));
  }

  /**
   * Lays beats, chords and sections onto frames. Frame {@code t} stands for the time {@code (t +
   * 0.5) / frameRate}. Before the first and after the last beat the nearest beat's length goes on.
   * Lists must be in the order of time; transposition and stretching are done by the caller on what
   * he gives. Nothing is said of the melody; see {@link #withMelody}.
   *
   * @param energy one step per frame (see {@link #energySteps}); its length is the number of frames
   */
  public static FrameConditions from(
      double frameRate,
      List<Beat> beats,
      List<ChordSpan> chords,
      List<SectionSpan> sections,
      int[] energy) {
    if (!(frameRate > 0)) {
      throw new ModelException("The frame rate must be positive, was " + frameRate);
    }
    int frames = energy.length;
    float[] barPhase = new float[frames];
    float[] beatPhase = new float[frames];
    float[] logTempo = new float[frames];
    Chord[] chord = new Chord[frames];
    Chord[] nextChord = new Chord[frames];
    SectionKind[] section = new SectionKind[frames];
    int beatsPerBar = Math.max(1, beats.stream().mapToInt(Beat::position).max().orElse(4));
    int beat = 0;
    int span = 0;
    int part = 0;
    for (int t = 0; t < frames; t++) {
      double time = (t + 0.5) / frameRate;
      while (beat + 1 < beats.size() && beats.get(beat + 1).time() <= time) {
        beat++;
      }
      if (beats.size() < 2) {
        barPhase[t] = Float.NaN;
        beatPhase[t] = Float.NaN;
      } else {
        Beat here = beats.get(beat);
        double length =
            beat + 1 < beats.size()
                ? beats.get(beat + 1).time() - here.time()
                : here.time() - beats.get(beat - 1).time();
        length = Math.max(length, 0.05);
        double passed = (time - here.time()) / length;
        double inBar = (here.position() - 1 + passed) / beatsPerBar;
        beatPhase[t] = fraction(passed);
        barPhase[t] = fraction(inBar);
        logTempo[t] = (float) (Math.log(60 / length / 120) / Math.log(2));
      }

      while (span < chords.size() && chords.get(span).end() <= time) {
        span++;
      }
      boolean sounding = span < chords.size() && chords.get(span).start() <= time;
      chord[t] = sounding ? chords.get(span).chord() : Chord.NONE;
      int next = sounding ? span + 1 : span;
      nextChord[t] = next < chords.size() ? chords.get(next).chord() : chord[t];

      while (part < sections.size() && sections.get(part).end() <= time) {
        part++;
      }
      section[t] =
          part < sections.size() && sections.get(part).start() <= time
              ? sections.get(part).kind()
              : SectionKind.NONE;
    }
    return new FrameConditions(
        barPhase, beatPhase, logTempo, chord, nextChord, section, energy.clone(), untold(frames));
  }

  /**
   * Energy steps of a recording: the level over about a second around each frame, in steps of 4 dB
   * below the loudest second. Frames beyond the samples are step 0.
   */
  public static int[] energySteps(float[] mono, int sampleRate, double frameRate, int frames) {
    double[] power = new double[mono.length + 1];
    for (int i = 0; i < mono.length; i++) {
      power[i + 1] = power[i] + (double) mono[i] * mono[i];
    }
    double[] level = new double[frames];
    double loudest = 1e-9;
    for (int t = 0; t < frames; t++) {
      double centre = (t + 0.5) / frameRate * sampleRate;
      int from = (int) Math.clamp(Math.round(centre - 0.5 * sampleRate), 0L, mono.length);
      int to = (int) Math.clamp(Math.round(centre + 0.5 * sampleRate), from, mono.length);
      level[t] = to > from ? (power[to] - power[from]) / (to - from) : 0;
      loudest = Math.max(loudest, level[t]);
    }
    int[] steps = new int[frames];
    for (int t = 0; t < frames; t++) {
      double below = 10 * Math.log10(loudest / Math.max(level[t], 1e-12));
      steps[t] =
          (int) Math.clamp(ENERGY_STEPS - 1 - (long) Math.floor(below / ENERGY_STEP_DB), 0, 7);
    }
    return steps;
  }

  private static float fraction(double x) {
    float f = (float) (x - Math.floor(x));
    return f < 1 ? f : 0;
  }

  private static float[] concat(float[] a, float[] b) {
    float[] joined = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, joined, a.length, b.length);
    return joined;
  }

  private static int[] concat(int[] a, int[] b) {
    int[] joined = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, joined, a.length, b.length);
    return joined;
  }

  private static <T> T[] concat(T[] a, T[] b) {
    T[] joined = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, joined, a.length, b.length);
    return joined;
  }
}
