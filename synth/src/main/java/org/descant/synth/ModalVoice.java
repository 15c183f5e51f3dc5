package org.descant.synth;

import java.util.List;

/**
 * Struck strings, bars and bells: a sum of decaying sines.
 *
 * <p>Each partial is a two-pole resonator y[n] = 2r cos(w) y[n-1] - r² y[n-2] that starts as a
 * sine, so that it costs two multiplications a sample and stops when it falls below hearing.
 * Strings are stretched by stiffness (Fletcher 1964): f_k = k f sqrt(1 + B k²), their low partials
 * sound twice, a little apart, which gives the beating and the two-stage decay of double strings
 * (Weinreich 1977).
 *
 * @param ratios of bars and bells; empty for a string
 * @param stiffness B at middle C
 * @param softness how fast high partials fall off in level; falls with velocity
 * @param seconds decay time of the fundamental at middle C
 * @param damping how much faster high partials decay
 * @param detune cents between the strings of one note
 * @param knock level of the hammer's noise
 * @param release seconds of the damper
 */
record ModalVoice(
    List<Double> ratios,
    double stiffness,
    double softness,
    double seconds,
    double damping,
    double detune,
    double knock,
    double release)
    implements Voice {

  private static final int PARTIALS_MAX = 28;
  private static final double INAUDIBLE = 2e-5;

  @Override
  public double ring() {
    return 3 * release;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    boolean string = ratios.isEmpty();
    double pitchOver = (note.pitch() - 60) / 12.0;
    double b = stiffness * StrictMath.pow(2, pitchOver * 1.2);
    double base = seconds * StrictMath.pow(2, -pitchOver * 0.75);
    double soft = softness * (1.75 - 1.25 * note.velocity()) * StrictMath.pow(2, pitchOver * 0.35);
    double level = 0.12 * (0.25 + 0.75 * note.velocity()) * note.velocity();
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    int written = 0;
    int count = string ? PARTIALS_MAX : ratios.size();
    for (int k = 1; k <= count; k++) {
      double ratio = string ? k * StrictMath.sqrt(1 + b * k * k) : ratios.get(k - 1);
      double f = hz * ratio;
      if (f > 15_000) {
        break;
      }
      double strike = string ? 0.15 + StrictMath.abs(StrictMath.sin(k * 0.37)) : 1;
      double a = level * strike * StrictMath.exp(-soft * (ratio - 1)) / StrictMath.sqrt(k);
      double t60 = base / (1 + damping * (ratio - 1));
      if (string && k <= 8) {
        double apart = StrictMath.pow(2, detune / 2400);
        written = Math.max(written, mode(out, limit, f / apart, a * 0.62, t60 * 0.7));
        written = Math.max(written, mode(out, limit, f * apart, a * 0.48, t60 * 1.5));
      } else {
        written = Math.max(written, mode(out, limit, f, a, t60));
      }
    }
    written = Math.max(written, knock(out, limit, level, noise));
    damp(out, note.length(), written);
    return written;
  }

  private static int mode(float[] out, int limit, double hz, double amplitude, double t60) {
    if (amplitude < INAUDIBLE) {
      return 0;
    }
    double r = Dsp.fall(t60);
    double w = 2 * StrictMath.PI * hz / Dsp.RATE;
    double life = StrictMath.log(INAUDIBLE / amplitude) / StrictMath.log(r);
    int n = (int) Math.min(limit, life);
    double c1 = 2 * r * StrictMath.cos(w);
    double c2 = -r * r;
    double y1 = 0;
    double y2 = -amplitude * StrictMath.sin(w) / r;
    for (int i = 0; i < n; i++) {
      double y = c1 * y1 + c2 * y2;
      out[i] += (float) y;
      y2 = y1;
      y1 = y;
    }
    return n;
  }

  private int knock(float[] out, int limit, double level, Dsp.Noise noise) {
    int n = Math.min(limit, Dsp.samples(0.03));
    if (knock == 0) {
      return 0;
    }
    Dsp.Svf filter = new Dsp.Svf().tune(1400, 0.8f);
    float a = (float) (knock * level);
    float fall = (float) Dsp.fall(0.03);
    for (int i = 0; i < n; i++) {
      out[i] += filter.band(noise.next()) * a;
      a *= fall;
    }
    return n;
  }

  private void damp(float[] out, int from, int to) {
    double fall = Dsp.fall(release);
    double gain = 1;
    for (int i = from; i < to; i++) {
      out[i] *= (float) gain;
      gain *= fall;
    }
  }
}
