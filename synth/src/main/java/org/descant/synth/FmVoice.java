package org.descant.synth;

/**
 * Frequency modulation (Chowning 1973): a carrier with one decaying modulator for the tone, and a
 * second pair for the strike.
 *
 * @param ratio modulator over carrier
 * @param index peak modulation, in turns of phase
 * @param indexSeconds decay of the modulation
 * @param seconds decay of the tone at middle C; more than 30 holds like an organ
 * @param tine level of the strike's pair
 * @param tineRatio frequency of the strike over the note's
 * @param attack seconds
 * @param release seconds
 */
record FmVoice(
    double ratio,
    double index,
    double indexSeconds,
    double seconds,
    double tine,
    double tineRatio,
    double attack,
    double release)
    implements Voice {

  private static final float TURN = 4.2949673E+9f;

  @Override
  public double ring() {
    return 1.2 * release;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    double octaves = (note.pitch() - 60) / 12.0;
    int carrierStep = Dsp.step(hz);
    int modStep = Dsp.step(hz * ratio);
    int tineStep = Dsp.step(Math.min(hz * tineRatio, 11_000));
    int carrier = 0;
    int modulator = noise.bits();
    int strike = 0;
    float depth =
        (float) (index * (0.2 + 0.9 * note.velocity()) * StrictMath.pow(2, -0.45 * octaves));
    float depthFall = (float) Dsp.fall(indexSeconds);
    float fall = (float) Dsp.fall(seconds * StrictMath.pow(2, -0.5 * octaves));
    float off = (float) Dsp.fall(release);
    float level = 0.3f * note.velocity() * (0.4f + 0.6f * note.velocity());
    float tineLevel = (float) (tine * level * note.velocity());
    float tineFall = (float) Dsp.fall(0.35);
    float rise = (float) (1 / Math.max(1, attack * Dsp.RATE));
    float ramp = 0;
    for (int i = 0; i < limit; i++) {
      if (i == note.length()) {
        fall = off;
      }
      float m = Dsp.sine(modulator) * depth;
      float tone = Dsp.sine(carrier + (int) (long) (m * TURN));
      out[i] = ramp * (tone * level + Dsp.sine(strike) * tineLevel);
      ramp = Math.min(1, ramp + rise);
      carrier += carrierStep;
      modulator += modStep;
      strike += tineStep;
      depth *= depthFall;
      level *= fall;
      tineLevel *= tineFall;
    }
    return limit;
  }
}
