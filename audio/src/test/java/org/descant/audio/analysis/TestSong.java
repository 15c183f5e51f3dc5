package org.descant.audio.analysis;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;

/**
 * A small song in code with known tempo, key and beats: diatonic chords that come home, a bass, a
 * melody, and drums in some styles. The seed picks melody and variations; the chords depend on key
 * and progression alone.
 */
record TestSong(Pcm pcm, double tempoBpm, MusicalKey key, List<Double> beats, int beatsPerBar) {
  static final int RATE = 22_050;

  /** What plays. */
  enum Style {
    ROCK,
    DANCE,
    BALLAD,
    PADS,
    WALTZ
  }

  private static final int[][] MAJOR_ROOTS = {{0, 7, 9, 5}, {0, 5, 7, 0}, {0, 9, 5, 7}};
  private static final int[][] MINOR_ROOTS = {{0, 8, 3, 10}, {0, 5, 7, 0}, {0, 3, 8, 7}};
  private static final int[] MAJOR_SCALE = {0, 2, 4, 5, 7, 9, 11};
  private static final int[] MINOR_SCALE = {0, 2, 3, 5, 7, 8, 10};

  static TestSong of(Style style, double tempoBpm, MusicalKey key, double seconds, long seed) {
    return of(style, tempoBpm, key, seconds, seed, 0);
  }

  static TestSong of(
      Style style, double tempoBpm, MusicalKey key, double seconds, long seed, int progression) {
    Player player = new Player(seconds, seed);
    int perBar = style == Style.WALTZ ? 3 : 4;
    double beat = 60 / tempoBpm;
    double offset = 0.1 + player.random.nextDouble() * 0.4;
    boolean minor = key.mode() == Mode.MINOR;
    int[] roots = (minor ? MINOR_ROOTS : MAJOR_ROOTS)[progression];
    int[] scale = minor ? MINOR_SCALE : MAJOR_SCALE;
    List<Double> beats = new ArrayList<>();
    int degree = 0;
    for (int bar = 0; offset + bar * perBar * beat < seconds; bar++) {
      double start = offset + bar * perBar * beat;
      int root = roots[bar % roots.length];
      int[] chord = triad(root, scale);
      for (int b = 0; b < perBar; b++) {
        beats.add(start + b * beat);
      }
      int home = 48 + key.tonic();
      bassAndChords(player, style, start, beat, perBar, home, root, chord);
      drums(player, style, start, beat);
      for (int eighth = 0; eighth < 2 * perBar; eighth++) {
        if (player.random.nextInt(100) < (eighth % 2 == 0 ? 75 : 30)) {
          degree = Math.clamp(degree + player.random.nextInt(-2, 3), -3, 9);
          boolean strong = eighth % perBar == 0;
          int pitch =
              strong
                  ? chord[Math.floorMod(degree, 3)]
                  : scale[Math.floorMod(degree, 7)] + 12 * Math.floorDiv(degree, 7);
          player.note(home + 24 + pitch, start + eighth * beat / 2, beat * 0.9, 0.11, 3, 5);
        }
      }
    }
    beats.removeIf(time -> time >= seconds);
    return new TestSong(Pcm.ofMono(player.out, RATE), tempoBpm, key, beats, perBar);
  }

  private static int[] triad(int root, int[] scale) {
    int at = 0;
    for (int i = 0; i < scale.length; i++) {
      at = scale[i] == root ? i : at;
    }
    int[] chord = new int[3];
    for (int k = 0; k < 3; k++) {
      int step = at + 2 * k;
      chord[k] = scale[step % 7] + 12 * (step / 7);
    }
    return chord;
  }

  private static void bassAndChords(
      Player player,
      Style style,
      double start,
      double beat,
      int perBar,
      int home,
      int root,
      int[] chord) {
    switch (style) {
      case ROCK -> {
        for (int e = 0; e < 8; e++) {
          player.note(home - 12 + root, start + e * beat / 2, beat * 0.5, 0.16, 4, 4);
        }
        for (int b = 0; b < 4; b++) {
          for (int pitch : chord) {
            player.note(home + pitch, start + b * beat, beat, 0.06, 6, 3);
          }
        }
      }
      case DANCE -> {
        for (int b = 0; b < 4; b++) {
          player.note(home - 12 + root, start + (b + 0.5) * beat, beat * 0.5, 0.18, 3, 4);
          for (int pitch : chord) {
            player.note(home + 12 + pitch, start + (b + 0.5) * beat, beat * 0.4, 0.05, 6, 6);
          }
        }
      }
      case BALLAD, WALTZ -> {
        player.note(home - 12 + root, start, beat * 2, 0.2, 4, 1.5);
        if (style == Style.BALLAD) {
          player.note(home - 12 + root, start + 2 * beat, beat * 2, 0.16, 4, 1.5);
        }
        for (int b = style == Style.WALTZ ? 1 : 0; b < perBar; b++) {
          if (style == Style.WALTZ) {
            for (int pitch : chord) {
              player.note(home + pitch, start + b * beat, beat * 0.8, 0.07, 4, 3);
            }
          } else {
            player.note(home + chord[b % 3], start + b * beat, beat, 0.12, 4, 2);
            player.note(home + chord[(b + 1) % 3], start + (b + 0.5) * beat, beat, 0.1, 4, 2);
          }
        }
      }
      case PADS -> {
        player.note(home - 12 + root, start, beat * perBar, 0.15, 2, 0.2);
        for (int pitch : chord) {
          player.note(home + pitch, start, beat * perBar, 0.07, 5, 0.2);
        }
      }
    }
  }

  private static void drums(Player player, Style style, double start, double beat) {
    if (style == Style.ROCK) {
      player.kick(start, 0.5);
      player.kick(start + (player.random.nextBoolean() ? 2 : 2.5) * beat, 0.45);
      player.noise(start + beat, 0.25, 18);
      player.noise(start + 3 * beat, 0.25, 18);
      for (int e = 0; e < 8; e++) {
        player.noise(start + e * beat / 2, 0.05, 60);
      }
    } else if (style == Style.DANCE) {
      for (int b = 0; b < 4; b++) {
        player.kick(start + b * beat, 0.55);
        player.noise(start + (b + 0.5) * beat, 0.08, 50);
      }
      player.noise(start + beat, 0.15, 20);
      player.noise(start + 3 * beat, 0.15, 20);
    }
  }

  /** Adds sounds to a buffer. */
  private static final class Player {
    private final float[] out;
    private final SplittableRandom random;

    Player(double seconds, long seed) {
      out = new float[(int) (seconds * RATE)];
      random = new SplittableRandom(seed);
    }

    /** A plucked tone with falling harmonics; {@code decay} per second. */
    void note(int midi, double at, double length, double gain, int harmonics, double decay) {
      double hertz = 440 * Math.pow(2, (midi - 69) / 12.0);
      int from = (int) (at * RATE);
      int count = (int) (length * RATE);
      for (int i = 0; i < count && from + i < out.length; i++) {
        double t = i / (double) RATE;
        double envelope =
            Math.min(1, t / 0.005) * Math.exp(-decay * t) * Math.min(1, (count - i) / 400.0);
        double sum = 0;
        for (int h = 1; h <= harmonics && h * hertz < RATE / 2.2; h++) {
          sum += Math.sin(2 * Math.PI * h * hertz * t) / (h * Math.sqrt(h));
        }
        out[from + i] += (float) (gain * envelope * sum);
      }
    }

    void kick(double at, double gain) {
      int from = (int) (at * RATE);
      for (int i = 0; i < RATE / 4 && from + i < out.length; i++) {
        double t = i / (double) RATE;
        double phase = 2 * Math.PI * (50 * t - 4 * Math.exp(-30 * t));
        out[from + i] += (float) (gain * Math.exp(-14 * t) * Math.sin(phase));
      }
    }

    void noise(double at, double gain, double decay) {
      int from = (int) (at * RATE);
      for (int i = 0; i < RATE / 4 && from + i < out.length; i++) {
        double t = i / (double) RATE;
        out[from + i] += (float) (gain * Math.exp(-decay * t) * (random.nextDouble() * 2 - 1));
      }
    }
  }
}
