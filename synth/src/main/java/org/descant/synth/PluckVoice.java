package org.descant.synth;

/**
 * Plucked strings by Karplus and Strong (1983) with the extensions of Jaffe and Smith (1983): a
 * noise burst, softened by velocity and notched by the place of the pluck, runs around a delay line
 * with a low-pass and an all-pass that tunes it.
 *
 * @param bright 0 dark to 1 bright: how little the loop dampens high partials
 * @param attack 0 soft finger to 1 hard pick
 * @param place of the pluck, share of the string
 * @param seconds decay time at middle C
 * @param release seconds of fading after the note's end
 * @param body level of a low sine that gives weight
 */
record PluckVoice(
    double bright, double attack, double place, double seconds, double release, double body)
    implements Voice {

  @Override
  public double ring() {
    return 2.5 * release;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    double period = Dsp.RATE / hz;
    float s = (float) (0.5 * (1 - bright) + 0.02);
    double whole = period - s;
    int n = Math.max(2, (int) (whole - 0.3));
    double rest = whole - n;
    float allpass = (float) ((1 - rest) / (1 + rest));
    double octaves = (note.pitch() - 60) / 12.0;
    double t60 = seconds * StrictMath.pow(2, -0.6 * octaves);
    float loop = (float) StrictMath.exp(-6.907755 / (t60 * hz));
    float damped = (float) StrictMath.exp(-6.907755 / (release * hz));
    float[] line = excitation(note, n, noise);
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    int at = 0;
    float before = 0;
    float ap = 0;
    float apIn = 0;
    float level = (float) (0.55 * note.velocity());
    int sinePhase = 0;
    int sineStep = Dsp.step(hz);
    float sineLevel = (float) (body * level * 0.5);
    float sineFall = (float) Dsp.fall(t60 * 0.5);
    float ramp = 0;
    for (int i = 0; i < limit; i++) {
      if (i == note.length()) {
        loop = damped;
        sineFall = (float) Dsp.fall(release);
      }
      float x = line[at];
      float filtered = loop * ((1 - s) * x + s * before);
      before = x;
      float tuned = allpass * (filtered - ap) + apIn;
      apIn = filtered;
      ap = tuned;
      line[at] = tuned;
      at = at + 1 == n ? 0 : at + 1;
      ramp = Math.min(1, ramp + 0.01f);
      out[i] = x * level + Dsp.sine(sinePhase) * sineLevel * ramp;
      sinePhase += sineStep;
      sineLevel *= sineFall;
    }
    int fade = Math.min(limit, 64);
    for (int i = 0; i < fade; i++) {
      out[limit - 1 - i] *= i / (float) fade;
    }
    return limit;
  }

  private float[] excitation(Note note, int n, Dsp.Noise noise) {
    float[] burst = new float[n];
    float open = (float) Math.clamp(attack * (0.35 + 0.75 * note.velocity()), 0.03, 1.0);
    float held = 0;
    float held2 = 0;
    for (int i = 0; i < 2 * n; i++) {
      held += open * (noise.next() - held);
      held2 += open * (held - held2);
      burst[i % n] = held2;
    }
    int comb = Math.max(1, (int) (place * n));
    float[] plucked = new float[n];
    float mean = 0;
    for (int i = 0; i < n; i++) {
      plucked[i] = burst[i] - 0.85f * burst[(i + n - comb) % n];
      mean += plucked[i];
    }
    mean /= n;
    double power = 1e-9;
    for (int i = 0; i < n; i++) {
      plucked[i] -= mean;
      power += plucked[i] * plucked[i];
    }
    float scale = (float) (0.3 / Math.sqrt(power / n));
    for (int i = 0; i < n; i++) {
      plucked[i] *= scale;
    }
    return plucked;
  }
}
