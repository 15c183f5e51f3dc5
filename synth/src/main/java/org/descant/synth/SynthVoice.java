package org.descant.synth;

/**
 * Subtractive synthesis: detuned saws or pulses and a sub sine, through a resonant low-pass with
 * its own envelope.
 *
 * @param saws oscillators
 * @param cents how far apart they are tuned
 * @param pulse 0 saw; else width of a pulse, 0 to 1
 * @param sub level of a sine an octave below
 * @param cutoff Hz at rest, for middle C; follows the pitch by half
 * @param sweep octaves that the envelope opens
 * @param resonance Q
 * @param filterSeconds decay of the filter's envelope
 * @param attack seconds
 * @param seconds decay of the level to its sustain
 * @param sustain 0 to 1
 * @param release seconds
 */
record SynthVoice(
    int saws,
    double cents,
    double pulse,
    double sub,
    double cutoff,
    double sweep,
    double resonance,
    double filterSeconds,
    double attack,
    double seconds,
    double sustain,
    double release)
    implements Voice {

  @Override
  public double ring() {
    return 1.2 * release;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    oscillators(hz, noise, out, limit);
    filter(note, hz, out, limit);
    return limit;
  }

  private void oscillators(double hz, Dsp.Noise noise, float[] out, int limit) {
    float level = (float) (0.5 / StrictMath.sqrt(saws));
    for (int saw = 0; saw < saws; saw++) {
      double apart = saws == 1 ? 0 : cents * (2.0 * saw / (saws - 1) - 1);
      double tuned = hz * StrictMath.pow(2, apart / 1200);
      Dsp.Wave wave = Dsp.Saws.of(tuned);
      int step = Dsp.step(tuned);
      int phase = saws == 1 ? 0 : noise.bits();
      if (pulse > 0) {
        int width = (int) (long) (pulse * 4294967296.0);
        for (int i = 0; i < limit; i++) {
          out[i] += level * (wave.at(phase) - wave.at(phase + width));
          phase += step;
        }
      } else {
        for (int i = 0; i < limit; i++) {
          out[i] += level * wave.at(phase);
          phase += step;
        }
      }
    }
    if (sub > 0) {
      float a = (float) (sub * 0.5);
      int step = Dsp.step(hz / 2);
      int phase = 0;
      for (int i = 0; i < limit; i++) {
        out[i] += a * Dsp.sine(phase);
        phase += step;
      }
    }
  }

  private void filter(Note note, double hz, float[] out, int limit) {
    Dsp.Svf filter = new Dsp.Svf();
    double rest = cutoff * StrictMath.sqrt(hz / 261.63);
    double open = sweep * (0.35 + 0.65 * note.velocity());
    float rise = (float) (1 / Math.max(40, attack * Dsp.RATE));
    float fall = (float) Dsp.fall(seconds);
    float off = (float) Dsp.fall(release);
    double bend = 1;
    double bendFall = StrictMath.pow(Dsp.fall(filterSeconds), Dsp.BLOCK);
    float level = 0;
    float body = 1;
    float loud = 0.5f * (0.3f + 0.7f * note.velocity());
    float hold = (float) sustain;
    boolean rising = true;
    for (int from = 0; from < limit; from += Dsp.BLOCK) {
      int to = Math.min(limit, from + Dsp.BLOCK);
      double opened = rest * StrictMath.pow(2, open * bend);
      filter.tune((float) Math.min(opened, 17_000), (float) resonance);
      bend *= bendFall;
      for (int i = from; i < to; i++) {
        if (i >= note.length()) {
          level *= off;
        } else if (rising) {
          level += rise;
          if (level >= 1) {
            level = 1;
            rising = false;
          }
        } else {
          body *= fall;
          level = hold + (1 - hold) * body;
        }
        out[i] = filter.low(out[i]) * level * loud;
      }
    }
    int fade = Math.min(limit, 128);
    for (int i = 0; i < fade; i++) {
      out[limit - 1 - i] *= i / (float) fade;
    }
  }
}
