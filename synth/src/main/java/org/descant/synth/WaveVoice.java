package org.descant.synth;

import java.util.concurrent.ConcurrentHashMap;

/**
 * Sustained tones: organ, choir, bowed strings, winds. One period of each pitch is made from a
 * source spectrum shaped by fixed resonances (formants), in a dark and a bright version; the
 * envelope moves between them. Several players, apart by some cents and in free phases, make a
 * section. Vibrato sets in after a while; breath or bow adds noise.
 *
 * @param tone the spectrum
 * @param players voices at once
 * @param cents how far apart they are tuned
 * @param vibrato depth in cents
 * @param attack seconds
 * @param release seconds
 * @param breath level of noise
 */
record WaveVoice(
    Tone tone,
    int players,
    double cents,
    double vibrato,
    double attack,
    double release,
    double breath)
    implements Voice {

  private static final int HARMONICS_MAX = 60;
  private static final ConcurrentHashMap<Key, Dsp.Wave> WAVES = new ConcurrentHashMap<>();

  private record Key(Tone tone, int pitch, boolean bright) {}

  /** Source spectra and resonances: centre Hz, width Hz, level. */
  enum Tone {
    ORGAN(0, new double[][] {}, 1, 0.9, 0.55, 0.5, 0, 0.3, 0, 0.22),
    PIPES(0, new double[][] {}, 1, 0.45, 0.2, 0.35, 0.06, 0.1, 0.03, 0.16),
    AH(1.1, new double[][] {{680, 130, 1}, {1120, 130, 0.6}, {2750, 250, 0.22}, {3400, 300, 0.1}}),
    OO(1.5, new double[][] {{330, 110, 1}, {760, 120, 0.35}, {2500, 300, 0.05}}),
    VIOLIN(
        0.95,
        new double[][] {{290, 110, 0.8}, {520, 180, 0.9}, {1100, 400, 0.55}, {2600, 900, 0.5}}),
    VIOLA(
        1.0, new double[][] {{220, 90, 0.9}, {420, 150, 0.9}, {900, 300, 0.6}, {2000, 700, 0.32}}),
    CELLO(1.0, new double[][] {{110, 60, 0.8}, {220, 100, 1}, {480, 200, 0.7}, {1500, 700, 0.3}}),
    FLUTE(2.1, new double[][] {{700, 800, 1}, {1600, 700, 0.25}}),
    CLARINET(0, new double[][] {}, 1, 0.06, 0.62, 0.05, 0.34, 0.07, 0.2, 0.06, 0.1, 0.05, 0.06),
    REED(0.75, new double[][] {{600, 500, 0.8}, {1500, 700, 0.7}, {3000, 900, 0.3}}),
    TRUMPET(0.8, new double[][] {{1200, 700, 1}, {2300, 800, 0.5}, {500, 400, 0.6}}),
    GLASS(0, new double[][] {}, 1, 0, 0.2, 0.3, 0, 0.02, 0, 0.07, 0, 0.03);

    private final double slope;

    @SuppressWarnings("ImmutableEnumChecker") // Never written after the constructor.
    private final double[][] formants;

    @SuppressWarnings("ImmutableEnumChecker") // Never written after the constructor.
    private final double[] drawbars;

    Tone(double slope, double[][] formants, double... drawbars) {
      this.slope = slope;
      this.formants = formants;
      this.drawbars = drawbars;
    }

    Dsp.Wave wave(int pitch, boolean bright) {
      double hz = Dsp.hz(pitch);
      int count = (int) Math.clamp(15_000 / hz, 1, HARMONICS_MAX);
      double[] harmonics = new double[count];
      double power = 0;
      for (int k = 1; k <= count; k++) {
        double a = harmonic(k, k * hz);
        if (!bright) {
          a *= StrictMath.exp(-0.16 * (k - 1)) / (1 + k * hz / 6000);
        }
        harmonics[k - 1] = a;
        power += a * a;
      }
      double scale = 0.5 / StrictMath.sqrt(power + 1e-12);
      for (int k = 0; k < count; k++) {
        harmonics[k] *= scale;
      }
      return new Dsp.Wave(harmonics);
    }

    private double harmonic(int k, double hz) {
      if (drawbars.length > 0) {
        return k <= drawbars.length ? drawbars[k - 1] : 0;
      }
      double shape = 0.06;
      for (double[] formant : formants) {
        double off = (hz - formant[0]) / formant[1];
        shape += formant[2] / (1 + off * off);
      }
      return shape * StrictMath.pow(k, -slope);
    }
  }

  @Override
  public double ring() {
    return 1.3 * release;
  }

  @Override
  public int play(Note note, double hz, Dsp.Noise noise, float[] out) {
    Dsp.Wave dark = wave(note.pitch(), false);
    Dsp.Wave bright = wave(note.pitch(), true);
    int limit = Math.min(out.length, note.length() + Dsp.samples(ring()));
    float[] envelope = envelope(note, limit);
    float brightness = 0.15f + 0.75f * note.velocity();
    float level = (float) (0.34 * (0.25 + 0.75 * note.velocity()) / StrictMath.sqrt(players));
    for (int player = 0; player < players; player++) {
      double apart = players == 1 ? 0 : cents * (2.0 * player / (players - 1) - 1);
      apart += 2 * noise.next();
      double tuned = hz * StrictMath.pow(2, apart / 1200);
      int phase = noise.bits();
      int wobble = noise.bits();
      int wobbleStep = Dsp.step(Dsp.BLOCK * (4.6 + 0.9 * noise.next()));
      double depth = tuned * vibrato / 1731;
      for (int from = 0; from < limit; from += Dsp.BLOCK) {
        int to = Math.min(limit, from + Dsp.BLOCK);
        float onset = Math.clamp((from - 9000) / 14_000f, 0f, 1f);
        int step = Dsp.step(tuned + depth * onset * Dsp.sine(wobble));
        wobble += wobbleStep;
        for (int i = from; i < to; i++) {
          float e = envelope[i];
          float mix = brightness * e;
          float d = dark.at(phase);
          out[i] += level * e * (d + mix * (bright.at(phase) - d));
          phase += step;
        }
      }
    }
    if (breath > 0) {
      Dsp.Svf filter = new Dsp.Svf().tune((float) Math.min(hz * 2 + 700, 5000), 1.2f);
      float air = (float) (breath * 0.1 * note.velocity());
      for (int i = 0; i < limit; i++) {
        out[i] += filter.band(noise.next()) * air * envelope[i];
      }
    }
    return limit;
  }

  private Dsp.Wave wave(int pitch, boolean bright) {
    return WAVES.computeIfAbsent(new Key(tone, pitch, bright), k -> k.tone.wave(k.pitch, k.bright));
  }

  private float[] envelope(Note note, int limit) {
    float[] envelope = new float[limit];
    double seconds = attack * (1.3 - 0.6 * note.velocity());
    float rise = (float) (1 - Dsp.fall(Math.max(seconds, 0.004) * 2));
    float fall = (float) Dsp.fall(release);
    float value = 0;
    float smooth = 0;
    float sag = 1;
    for (int i = 0; i < limit; i++) {
      if (i < note.length()) {
        value += rise * (1.0f - value);
        sag = 1 - 0.12f * Math.min(1f, i / 66_000f);
      } else {
        value *= fall;
      }
      smooth += 0.02f * (value - smooth);
      envelope[i] = smooth * sag;
    }
    int fade = Math.min(limit, 256);
    for (int i = 0; i < fade; i++) {
      envelope[limit - 1 - i] *= i / (float) fade;
    }
    return envelope;
  }
}
