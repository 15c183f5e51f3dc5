package org.descant.synth;

/**
 * What is in the air around the music: the crackle and hiss of an old record, or wind.
 *
 * @param hiss level of the steady noise
 * @param crackles a second
 * @param wander true lets the noise's colour wander, as wind does
 */
record AirVoice(double hiss, double crackles, boolean wander) implements Voice {

  @Override
  public double ring() {
    return 0.6;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    Dsp.Svf filter = new Dsp.Svf();
    Dsp.Svf click = new Dsp.Svf().tune(2400, 0.9f);
    int turn = noise.bits();
    float odds = (float) (1 - 2 * crackles / Dsp.RATE);
    float level = (float) (hiss * 0.2 * note.velocity());
    int edge = Dsp.samples(0.25);
    for (int from = 0; from < limit; from += Dsp.BLOCK) {
      float centre = wander ? 900 + 600 * Dsp.sine(turn) + 250 * Dsp.sine(3 * turn) : 4200;
      float swell = wander ? 0.7f + 0.3f * Dsp.sine(2 * turn) : 1;
      filter.tune(centre, wander ? 1.4f : 0.4f);
      turn += Dsp.step(0.11 * Dsp.BLOCK);
      int to = Math.min(limit, from + Dsp.BLOCK);
      for (int i = from; i < to; i++) {
        float fade = Math.min(1, Math.min(i, limit - i) / (float) edge);
        float pop = noise.next() > odds ? noise.next() * 2.5f * note.velocity() : 0;
        out[i] = fade * (filter.band(noise.next()) * level * swell + click.band(pop));
      }
    }
    return limit;
  }
}
