package org.descant.synth;

import java.util.Arrays;
import java.util.List;
import org.descant.synth.Score.Part;
import org.descant.synth.Score.Setting;

/** One part's way to its stem: every note played, then filters, drive, echo, place and room. */
final class Channel {
  private static final int CHORUS_DELAY = 700;
  private static final float CHORUS_DEPTH = 160;

  private final Part part;
  private final double samplesPerBeat;
  private final float[] left;
  private final float[] right;

  private Channel(Part part, int frames, double samplesPerBeat) {
    this.part = part;
    this.samplesPerBeat = samplesPerBeat;
    this.left = new float[frames];
    this.right = new float[frames];
  }

  /**
   * Renders a part.
   *
   * @param kicks samples of the kick drum, for parts that duck under it
   * @return {left, right}
   */
  static float[][] render(
      Part part,
      List<Note> notes,
      int frames,
      double samplesPerBeat,
      int[] kicks,
      Room.Size room,
      int seed) {
    Channel channel = new Channel(part, frames, samplesPerBeat);
    channel.play(notes, seed);
    channel.filters();
    channel.drive();
    channel.tremolo();
    channel.chorus();
    channel.level();
    channel.echo();
    channel.duck(kicks);
    if (part.get(Setting.ROOM) > 0) {
      Room.add(room, (float) part.get(Setting.ROOM), channel.left, channel.right);
    }
    return new float[][] {channel.left, channel.right};
  }

  private void play(List<Note> notes, int seed) {
    Voice voice = Voices.of(part.instrument());
    boolean wide = part.get(Setting.WIDE) > 0;
    int longest = 0;
    for (Note note : notes) {
      longest = Math.max(longest, note.length());
    }
    float[] scratch = new float[longest + Dsp.samples(voice.ring()) + Dsp.BLOCK];
    for (int i = 0; i < notes.size(); i++) {
      Note note = notes.get(i);
      double hz = Dsp.hz(note.pitch());
      float place = place(note);
      float gainLeft = (float) Math.sqrt(0.5 * (1 - place));
      float gainRight = (float) Math.sqrt(0.5 * (1 + place));
      int noise = seed * 31 + i * 7919;
      if (wide) {
        mix(voice.play(note, hz, new Dsp.Noise(noise), scratch), note, scratch, gainLeft, 0);
        mix(voice.play(note, hz, new Dsp.Noise(~noise), scratch), note, scratch, 0, gainRight);
      } else {
        int count = voice.play(note, hz, new Dsp.Noise(noise), scratch);
        mix(count, note, scratch, gainLeft, gainRight);
      }
    }
  }

  private float place(Note note) {
    double place = part.get(Setting.PAN);
    if (Voices.drums(part.instrument())) {
      place += DrumKit.Piece.of(note.pitch()).pan;
    } else {
      place += part.get(Setting.SPREAD) * (note.pitch() - 62) / 24.0;
    }
    return (float) Math.clamp(place, -0.95, 0.95);
  }

  private void mix(int count, Note note, float[] scratch, float gainLeft, float gainRight) {
    int end = Math.min(count, left.length - note.start());
    for (int i = 0; i < end; i++) {
      left[note.start() + i] += scratch[i] * gainLeft;
      right[note.start() + i] += scratch[i] * gainRight;
    }
    Arrays.fill(scratch, 0, count, 0f);
  }

  private void filters() {
    for (float[] side : List.of(left, right)) {
      if (part.has(Setting.HP)) {
        Dsp.Svf filter = new Dsp.Svf().tune((float) part.get(Setting.HP), 0.707f);
        for (int i = 0; i < side.length; i++) {
          side[i] = filter.high(side[i]);
        }
      }
      if (part.has(Setting.EQGAIN)) {
        Dsp.Svf filter = new Dsp.Svf().tune((float) part.get(Setting.EQ), 0.9f);
        float gain = (float) Dsp.amplitude(part.get(Setting.EQGAIN));
        for (int i = 0; i < side.length; i++) {
          side[i] = filter.bell(side[i], gain);
        }
      }
      if (part.has(Setting.LP)) {
        lowPass(side, part.get(Setting.LP));
      }
    }
  }

  private static void lowPass(float[] side, double hz) {
    Dsp.Svf filter = new Dsp.Svf().tune((float) hz, 0.707f);
    for (int i = 0; i < side.length; i++) {
      side[i] = filter.low(side[i]);
    }
  }

  /** Soft clipping x / (1 + |x|) at twice the rate, then the cabinet's low-pass twice. */
  private void drive() {
    float drive = (float) part.get(Setting.DRIVE);
    if (drive == 0) {
      return;
    }
    float makeUp = (float) (0.6 / Math.sqrt(drive));
    for (float[] side : List.of(left, right)) {
      float before = 0;
      for (int i = 0; i < side.length; i++) {
        float x = side[i] * drive;
        float between = 0.5f * (x + before);
        before = x;
        float clipped = x / (1 + Math.abs(x)) + between / (1 + Math.abs(between));
        side[i] = 0.5f * clipped * makeUp;
      }
      lowPass(side, part.get(Setting.CABINET));
      lowPass(side, part.get(Setting.CABINET) * 1.3);
    }
  }

  private void tremolo() {
    float depth = (float) part.get(Setting.TREMOLO);
    if (depth == 0) {
      return;
    }
    int step = Dsp.step(part.get(Setting.RATE));
    int phase = 0;
    for (int i = 0; i < left.length; i++) {
      float swing = Dsp.sine(phase);
      left[i] *= 1 - depth * 0.5f * (1 + swing);
      right[i] *= 1 - depth * 0.5f * (1 - swing);
      phase += step;
    }
  }

  private void chorus() {
    float mix = (float) part.get(Setting.CHORUS);
    if (mix == 0) {
      return;
    }
    chorus(left, mix, 0);
    chorus(right, mix, 1 << 30);
  }

  private static void chorus(float[] side, float mix, int phase) {
    float[] line = new float[2048];
    int turn = phase;
    int step = Dsp.step(0.55);
    for (int i = 0; i < side.length; i++) {
      line[i & 2047] = side[i];
      float delay = CHORUS_DELAY + CHORUS_DEPTH * Dsp.sine(turn);
      turn += step;
      int whole = (int) delay;
      float fraction = delay - whole;
      float a = line[(i - whole) & 2047];
      float b = line[(i - whole - 1) & 2047];
      side[i] = (1 - 0.35f * mix) * side[i] + 0.7f * mix * (a + fraction * (b - a));
    }
  }

  private void level() {
    float gain = (float) Dsp.amplitude(part.get(Setting.GAIN));
    for (int i = 0; i < left.length; i++) {
      left[i] *= gain;
      right[i] *= gain;
    }
  }

  /** Echo that changes sides, darker each time. */
  private void echo() {
    float level = (float) part.get(Setting.DELAY);
    if (level == 0) {
      return;
    }
    int delay = (int) (part.get(Setting.ECHO) * samplesPerBeat);
    float feedback = (float) part.get(Setting.FEEDBACK);
    float[] lineLeft = new float[delay];
    float[] lineRight = new float[delay];
    float darkLeft = 0;
    float darkRight = 0;
    int at = 0;
    for (int i = 0; i < left.length; i++) {
      float outLeft = lineLeft[at];
      float outRight = lineRight[at];
      darkLeft += 0.35f * (outLeft - darkLeft);
      darkRight += 0.35f * (outRight - darkRight);
      lineLeft[at] = 0.5f * (left[i] + right[i]) + feedback * darkRight;
      lineRight[at] = feedback * darkLeft + darkLeft;
      at = at + 1 == delay ? 0 : at + 1;
      left[i] += level * outLeft;
      right[i] += level * 0.7f * outRight;
    }
  }

  /** Dips at every kick and comes back within about a beat's half. */
  private void duck(int[] kicks) {
    float depth = (float) part.get(Setting.DUCK);
    if (depth == 0) {
      return;
    }
    int rise = (int) (samplesPerBeat * 0.55);
    int next = 0;
    int since = rise;
    for (int i = 0; i < left.length; i++) {
      if (next < kicks.length && i >= kicks[next]) {
        since = 0;
        next++;
      }
      if (since < rise) {
        float back = since / (float) rise;
        float dip = depth * (1 - back) * (1 - back) * Math.min(1, since / 150f);
        left[i] *= 1 - dip;
        right[i] *= 1 - dip;
        since++;
      }
    }
  }
}
