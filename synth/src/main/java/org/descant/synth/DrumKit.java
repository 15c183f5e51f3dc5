package org.descant.synth;

import java.util.Locale;
import java.util.Optional;

/**
 * Synthesised drums: sines that fall in pitch for skins, filtered noise for wires, brushes and
 * hands, inharmonic modulated sines for metal.
 *
 * @param kickHz where the bass drum comes to rest
 * @param kickSeconds its decay
 * @param snap brightness of skins and wires, 0 to 1
 * @param metal decay factor of cymbals
 * @param snareHz pitch of the snare's skin
 */
record DrumKit(double kickHz, double kickSeconds, double snap, double metal, double snareHz)
    implements Voice {

  /** What a groove can name, with its place on the stage. */
  enum Piece {
    KICK(0),
    SNARE(0.05f),
    RIM(-0.15f),
    CLAP(0),
    HAT(0.3f),
    OPEN(0.3f),
    RIDE(-0.35f),
    CRASH(-0.3f),
    TOM1(0.35f),
    TOM2(0),
    TOM3(-0.4f),
    SHAKER(0.45f),
    BRUSH(0.1f),
    TAMB(-0.45f),
    CONGA(0.3f),
    CLAVE(-0.25f),
    STOMP(0),
    TICK(-0.2f);

    final float pan;

    Piece(float pan) {
      this.pan = pan;
    }

    /** The piece as a note's pitch. */
    @SuppressWarnings("EnumOrdinal") // Lives no longer than one rendering.
    int code() {
      return ordinal();
    }

    static Piece of(int code) {
      return PIECES[code];
    }

    static Optional<Piece> find(String name) {
      for (Piece piece : values()) {
        if (piece.name().toLowerCase(Locale.ROOT).equals(name)) {
          return Optional.of(piece);
        }
      }
      return Optional.empty();
    }
  }

  private static final Piece[] PIECES = Piece.values();

  @Override
  public double ring() {
    return 2.5;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    float v = note.velocity();
    float loud = v * (0.35f + 0.65f * v);
    return switch (Piece.of(note.pitch())) {
      case KICK ->
          Math.max(
              skin(out, kickHz, kickHz * (2.5 + 3 * snap), 0.05, kickSeconds, 1.1f * loud),
              wire(out, noise, 2500, 0.6f, 0.012, 0.12f * loud * (float) snap, 0));
      case SNARE -> {
        int shell = skin(out, snareHz, snareHz * 0.7, 0.03, 0.16, 0.3f * loud);
        skin(out, snareHz * 1.62, snareHz * 0.4, 0.03, 0.11, 0.14f * loud);
        wire(out, noise, 7500, 0.7f, 0.13, 0.22f * loud * (float) snap, 0);
        int wires = wire(out, noise, (float) (1800 + 2600 * snap), 0.55f, 0.2, 0.36f * loud, 0);
        yield Math.max(shell, wires);
      }
      case RIM ->
          Math.max(
              skin(out, 820, 500, 0.01, 0.06, 0.3f * loud),
              wire(out, noise, 2600, 1.2f, 0.03, 0.25f * loud, 0));
      case CLAP -> {
        for (int k = 0; k < 3; k++) {
          wire(out, noise, 1300, 1.1f, 0.022, 0.5f * loud, Dsp.samples(0.011 * k));
        }
        yield wire(out, noise, 1450, 0.9f, 0.2, 0.55f * loud, Dsp.samples(0.033));
      }
      case HAT -> metal(out, noise, 9000, 0.05 * metal, 0.26f * loud, 0.001);
      case OPEN -> metal(out, noise, 8200, 0.38 * metal, 0.25f * loud, 0.001);
      case RIDE ->
          Math.max(
              skin(out, 3120, 0, 0.01, 0.5, 0.03f * loud),
              metal(out, noise, 6400, 0.9 * metal, 0.15f * loud, 0.001));
      case CRASH -> metal(out, noise, 5200, 1.9 * metal, 0.34f * loud, 0.002);
      case TOM1 -> skin(out, 205, 90, 0.09, 0.35, 0.6f * loud);
      case TOM2 -> skin(out, 150, 70, 0.09, 0.42, 0.62f * loud);
      case TOM3 -> skin(out, 102, 55, 0.1, 0.5, 0.68f * loud);
      case SHAKER -> swish(out, noise, 7200, 0.9f, 0.025, 0.05, 0.2f * loud);
      case BRUSH -> swish(out, noise, 3600, 0.5f, 0.05, 0.16, 0.2f * loud);
      case TAMB -> metal(out, noise, 7000, 0.16, 0.24f * loud, 0.004);
      case CONGA ->
          Math.max(
              wire(out, noise, 1800, 0.8f, 0.02, 0.12f * loud, 0),
              skin(out, 245, 60, 0.02, 0.24, 0.5f * loud));
      case CLAVE -> skin(out, 2450, 40, 0.01, 0.07, 0.28f * loud);
      case STOMP ->
          Math.max(
              wire(out, noise, 300, 0.7f, 0.06, 0.4f * loud, 0),
              skin(out, 72, 60, 0.03, 0.2, 0.8f * loud));
      case TICK -> wire(out, noise, 5200, 2.5f, 0.03, 0.3f * loud, 0);
    };
  }

  private static int skin(
      float[] out, double hz, double sweep, double sweepSeconds, double seconds, float level) {
    int n = Math.min(out.length, Dsp.samples(seconds * 1.3));
    double bend = sweep;
    double bendFall = Dsp.fall(sweepSeconds * 2);
    float a = level;
    float fall = (float) Dsp.fall(seconds * 1.25);
    int phase = 0;
    for (int i = 0; i < n; i++) {
      float fade = n - i < 64 ? (n - i) / 64f : 1;
      out[i] += Dsp.sine(phase) * a * fade;
      phase += Dsp.step(hz + bend);
      bend *= bendFall;
      a *= fall;
    }
    return n;
  }

  private static int wire(
      float[] out, Dsp.Noise noise, float hz, float q, double seconds, float level, int from) {
    int n = Math.min(out.length, from + Dsp.samples(seconds * 1.2));
    Dsp.Svf filter = new Dsp.Svf().tune(hz, q);
    float a = level;
    float fall = (float) Dsp.fall(seconds);
    for (int i = from; i < n; i++) {
      float rise = i - from < 24 ? (i - from) / 24f : 1;
      out[i] += filter.band(noise.next()) * a * rise * 1.6f;
      a *= fall;
    }
    return n;
  }

  private static int metal(
      float[] out, Dsp.Noise noise, float hz, double seconds, float level, double attack) {
    int n = Math.min(out.length, Dsp.samples(seconds * 1.1));
    Dsp.Svf high = new Dsp.Svf().tune(hz * 0.8f, 0.8f);
    float a = level;
    float fall = (float) Dsp.fall(seconds);
    float rise = (float) (1 / (attack * Dsp.RATE));
    float ramp = 0;
    int carrier = 0;
    int modulator = 0;
    int carrier2 = 0;
    int step = Dsp.step(hz * 0.617);
    int step2 = Dsp.step(hz * 0.893);
    int modStep = Dsp.step(hz * 0.4371);
    for (int i = 0; i < n; i++) {
      float m = Dsp.sine(modulator);
      float ring =
          Dsp.sine(carrier + (int) (m * 900_000_000f)) + Dsp.sine(carrier2 + (int) (m * 5e8f));
      float x = high.high(0.38f * ring + 0.75f * noise.next());
      float fade = n - i < 64 ? (n - i) / 64f : 1;
      out[i] += x * a * ramp * fade;
      ramp = Math.min(1, ramp + rise);
      a *= fall;
      carrier += step;
      carrier2 += step2;
      modulator += modStep;
    }
    return n;
  }

  private static int swish(
      float[] out, Dsp.Noise noise, float hz, float q, double attack, double seconds, float level) {
    int rise = Dsp.samples(attack);
    int n = Math.min(out.length, rise + Dsp.samples(seconds * 1.2));
    Dsp.Svf filter = new Dsp.Svf().tune(hz, q);
    float fall = (float) Dsp.fall(seconds);
    float a = level;
    for (int i = 0; i < n; i++) {
      float envelope = i < rise ? i / (float) rise : 1;
      if (i >= rise) {
        a *= fall;
      }
      out[i] += filter.band(noise.next()) * a * envelope * 1.5f;
    }
    return n;
  }
}
