package org.descant.synth;

/**
 * Tables and small signal tools. Tables are made once with {@link StrictMath}; everything after
 * that is exactly specified arithmetic.
 */
final class Dsp {
  static final int RATE = Arranger.SAMPLE_RATE;

  /** Control values (vibrato, envelopes of filters) are renewed every so many samples. */
  static final int BLOCK = 32;

  private static final int SINE_BITS = 12;
  private static final int SINE_SIZE = 1 << SINE_BITS;
  private static final int SINE_SHIFT = 32 - SINE_BITS;
  private static final float SINE_FRACTION = 1f / (1 << SINE_SHIFT);
  private static final float[] SINE = new float[SINE_SIZE + 1];

  private static final int TAN_SIZE = 1024;
  private static final float[] TAN = new float[TAN_SIZE + 2];

  static {
    for (int i = 0; i <= SINE_SIZE; i++) {
      SINE[i] = (float) StrictMath.sin(2 * StrictMath.PI * i / SINE_SIZE);
    }
    for (int i = 0; i < TAN.length; i++) {
      TAN[i] = (float) StrictMath.tan(StrictMath.PI * 0.45 * i / TAN_SIZE);
    }
  }

  private Dsp() {}

  /** The sine of a phase; the whole int range is one turn. */
  static float sine(int phase) {
    int index = phase >>> SINE_SHIFT;
    float fraction = (phase & ((1 << SINE_SHIFT) - 1)) * SINE_FRACTION;
    float a = SINE[index];
    return a + fraction * (SINE[index + 1] - a);
  }

  /** Phase step a sample of a frequency. */
  static int step(double hz) {
    return (int) (long) (hz / RATE * 4294967296.0);
  }

  static double hz(double pitch) {
    return 440 * StrictMath.pow(2, (pitch - 69) / 12);
  }

  static double amplitude(double db) {
    return StrictMath.pow(10, db / 20);
  }

  /** Factor a sample for a fall of 60 dB in so many seconds. */
  static double fall(double seconds) {
    return StrictMath.exp(-6.907755 / (seconds * RATE));
  }

  static int samples(double seconds) {
    return (int) (seconds * RATE);
  }

  /** tan(pi f / rate), the coefficient of the state variable filter, for 0 to 0.45 of the rate. */
  static float tangent(float hz) {
    float place = Math.clamp(hz / RATE, 0.0003f, 0.44f) * (TAN_SIZE / 0.45f);
    int index = (int) place;
    return TAN[index] + (place - index) * (TAN[index + 1] - TAN[index]);
  }

  /** White noise, ±1, from a 32-bit xorshift; also the source of random phases. */
  static final class Noise {
    private int state;

    Noise(int seed) {
      int mixed = (seed ^ 0x5bd1e995) * 0x9E3779B1;
      mixed ^= mixed >>> 15;
      state = mixed == 0 ? 1 : mixed;
    }

    int bits() {
      int x = state;
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      state = x;
      return x;
    }

    float next() {
      return bits() * 4.656613E-10f;
    }
  }

  /** State variable filter, trapezoidal (Zavalishin, The Art of VA Filter Design, ch. 4). */
  static final class Svf {
    private float g;
    private float k;
    private float a1;
    private float s1;
    private float s2;
    private float band;
    private float low;

    Svf tune(float hz, float q) {
      g = tangent(hz);
      k = 1 / q;
      a1 = 1 / (1 + g * (g + k));
      return this;
    }

    void feed(float in) {
      float v3 = in - s2;
      band = a1 * (s1 + g * v3);
      low = s2 + g * band;
      s1 = 2 * band - s1;
      s2 = 2 * low - s2;
    }

    float low(float in) {
      feed(in);
      return low;
    }

    float high(float in) {
      feed(in);
      return in - k * band - low;
    }

    /** Band-pass with gain 1 at its centre. */
    float band(float in) {
      feed(in);
      return k * band;
    }

    /** Bell: what the band holds, times {@code gain - 1}, added. */
    float bell(float in, float gain) {
      feed(in);
      return in + (gain - 1) * k * band;
    }
  }

  /** One period of a wave, without harmonics above its limit. */
  static final class Wave {
    private static final int BITS = 11;
    private static final int SIZE = 1 << BITS;
    private static final int SHIFT = 32 - BITS;
    private static final float FRACTION = 1f / (1 << SHIFT);
    private final float[] table = new float[SIZE + 1];

    /** Harmonic {@code k} has amplitude {@code harmonics[k - 1]}, all in sine phase. */
    Wave(double[] harmonics) {
      for (int k = 1; k <= harmonics.length; k++) {
        float amplitude = (float) harmonics[k - 1];
        if (amplitude != 0) {
          for (int i = 0; i < SIZE; i++) {
            table[i] += amplitude * SINE[(k * i * (SINE_SIZE / SIZE)) & (SINE_SIZE - 1)];
          }
        }
      }
      table[SIZE] = table[0];
    }

    float at(int phase) {
      int index = phase >>> SHIFT;
      float fraction = (phase & ((1 << SHIFT) - 1)) * FRACTION;
      float a = table[index];
      return a + fraction * (table[index + 1] - a);
    }
  }

  /** Saw waves, one an octave, so that no harmonic passes half the rate. */
  static final class Saws {
    private static final Wave[] WAVES = new Wave[11];

    static {
      for (int octave = 0; octave < WAVES.length; octave++) {
        double[] harmonics = new double[Math.max(1, 900 >> octave)];
        for (int k = 1; k <= harmonics.length; k++) {
          harmonics[k - 1] = 2 / (StrictMath.PI * k) * (k % 2 == 0 ? -1 : 1);
        }
        WAVES[octave] = new Wave(harmonics);
      }
    }

    private Saws() {}

    static Wave of(double hz) {
      int octave = 0;
      while (octave < WAVES.length - 1 && (900 >> octave) * hz > 20_500) {
        octave++;
      }
      return WAVES[octave];
    }
  }
}
