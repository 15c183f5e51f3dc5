package org.descant.catalog;

import java.util.SplittableRandom;
import org.descant.audio.Pcm;

/** Short tunes on the 16-bit grid: one seed, one tune; other seeds sound different. */
final class Sounds {
  private static final int RATE = 22_050;

  private Sounds() {}

  static Pcm tune(long seed, double seconds) {
    SplittableRandom random = new SplittableRandom(seed);
    int frames = (int) (seconds * RATE);
    float[][] channels = new float[2][frames];
    int noteFrames = RATE / 6;
    for (int from = 0; from < frames; from += noteFrames) {
      double hertz = 130 * Math.pow(2, random.nextInt(36) / 12.0);
      double pan = random.nextDouble();
      double bright = random.nextDouble(0.1, 0.9);
      for (int i = from; i < Math.min(frames, from + noteFrames); i++) {
        double t = (i - from) / (double) RATE;
        double sample =
            0.15
                * Math.exp(-5 * t)
                * (Math.sin(2 * Math.PI * hertz * t)
                    + bright * Math.sin(4 * Math.PI * hertz * t)
                    + bright * bright * Math.sin(6 * Math.PI * hertz * t)
                    + 0.3 * (random.nextDouble() - 0.5) * Math.exp(-60 * t));
        channels[0][i] = grid(sample * (1 - pan / 2));
        channels[1][i] = grid(sample * (0.5 + pan / 2));
      }
    }
    return new Pcm(channels, RATE);
  }

  static Pcm louder(Pcm pcm, double gain) {
    float[][] channels = new float[pcm.channelCount()][pcm.frames()];
    for (int c = 0; c < channels.length; c++) {
      for (int i = 0; i < channels[c].length; i++) {
        channels[c][i] = (float) (pcm.channels()[c][i] * gain);
      }
    }
    return new Pcm(channels, pcm.sampleRate());
  }

  private static float grid(double sample) {
    return (float) (Math.rint(sample * 32768) / 32768) + 0f; // no negative zero
  }
}
