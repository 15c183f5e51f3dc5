package org.descant.audio.analysis;

import java.util.ArrayList;
import java.util.List;
import org.descant.audio.Pcm;

/**
 * How much of each pitch class sounds, 0 = C to 11 = B, in frames of {@link #SECONDS_PER_FRAME}.
 *
 * @param frames {@code [frame][pitch class]}, each frame's largest 1 unless it is silent
 * @param bass the same of what lies below 260 Hz
 * @param treble the same with notes weighted by their height: none up to 110 Hz, all from 440 Hz on
 * @param weights how loud each frame is, 0 to 1 of the loudest
 * @param tuningCents how far the music's A lies from 440 Hz, -50 to 50
 */
@SuppressWarnings("ArrayRecordComponent") // Curves made and read here, never compared.
record Chroma(
    float[][] frames, float[][] bass, float[][] treble, float[] weights, double tuningCents) {
  /*
   * Pitch class profiles from spectral peaks (Gómez, "Tonal Description of Music Audio Signals",
   * 2006): 11,025 Hz, FFT 8192 (1.3 Hz a bin), hop 1024. A peak's frequency is interpolated; all
   * peaks together give the tuning; then each counts for the pitch class of its frequency and, less
   * and less, for those it may be the 2nd to 5th harmonic of. Magnitudes enter as square roots, so
   * that a loud bass does not drown the chord.
   */
  static final int SAMPLE_RATE = 11_025;
  static final int HOP = 1024;
  static final double SECONDS_PER_FRAME = HOP / (double) SAMPLE_RATE;
  private static final int FFT_SIZE = 8192;
  private static final double LOW_HERTZ = 50;
  private static final double HIGH_HERTZ = 2500;
  private static final double BASS_HERTZ = 260;
  private static final double TREBLE_HERTZ = 110;
  private static final double TREBLE_RAMP = 24; // semitones until a note counts whole
  private static final double PEAK_RANGE = 0.01;
  private static final double SILENCE_RANGE = 0.003;
  private static final int HARMONICS = 5;
  private static final double HARMONIC_DECAY = 0.5;

  /** A peak found in one frame: its pitch in semitones above C, and its magnitude. */
  private record Peak(int frame, double pitch, double magnitude) {}

  static Chroma of(Pcm pcm) {
    float[] samples = pcm.mono().resampled(SAMPLE_RATE).channel(0);
    int count = Spectra.frameCount(samples.length, HOP);
    List<Peak> peaks = new ArrayList<>();
    float[] tops = new float[count];
    Spectra.forEachFrame(
        samples, FFT_SIZE, HOP, (frame, magnitudes) -> collect(frame, magnitudes, tops, peaks));
    float loudest = 0;
    for (float top : tops) {
      loudest = Math.max(loudest, top);
    }
    double tuning = tuning(peaks);
    float[][] frames = new float[count][12];
    float[][] bass = new float[count][12];
    float[][] treble = new float[count][12];
    float[] weights = new float[count];
    for (int t = 0; t < count; t++) {
      weights[t] = loudest > 0 && tops[t] > SILENCE_RANGE * loudest ? tops[t] / loudest : 0;
    }
    double bassPitch = pitch(BASS_HERTZ);
    double treblePitch = pitch(TREBLE_HERTZ);
    for (Peak peak : peaks) {
      if (weights[peak.frame] == 0) {
        continue;
      }
      double magnitude = Math.sqrt(peak.magnitude);
      double pitch = peak.pitch - tuning;
      for (int h = 1; h <= HARMONICS; h++) {
        double of = pitch - 12 * Math.log(h) / Math.log(2);
        double amount = magnitude * Math.pow(HARMONIC_DECAY, h - 1);
        add(frames[peak.frame], of, amount);
        double height = Math.clamp((of - treblePitch) / TREBLE_RAMP, 0, 1);
        add(treble[peak.frame], of, amount * height);
      }
      if (pitch < bassPitch) {
        add(bass[peak.frame], pitch, magnitude);
      }
    }
    for (int t = 0; t < count; t++) {
      normalise(frames[t]);
      normalise(bass[t]);
      normalise(treble[t]);
    }
    return new Chroma(frames, bass, treble, weights, 100 * tuning);
  }

  private static void collect(int frame, float[] magnitudes, float[] tops, List<Peak> peaks) {
    int from = (int) (LOW_HERTZ * FFT_SIZE / SAMPLE_RATE);
    int to = (int) (HIGH_HERTZ * FFT_SIZE / SAMPLE_RATE);
    for (int bin = from; bin < to; bin++) {
      tops[frame] = Math.max(tops[frame], magnitudes[bin]);
    }
    for (int bin = from; bin < to; bin++) {
      float here = magnitudes[bin];
      if (here < PEAK_RANGE * tops[frame]
          || here <= magnitudes[bin - 1]
          || here < magnitudes[bin + 1]
          || here == 0) {
        continue;
      }
      double left = Math.log(magnitudes[bin - 1] + 1e-12);
      double middle = Math.log(here);
      double right = Math.log(magnitudes[bin + 1] + 1e-12);
      double bend = left - 2 * middle + right;
      double shift = bend < 0 ? Math.clamp(0.5 * (left - right) / bend, -0.5, 0.5) : 0;
      double hertz = (bin + shift) * SAMPLE_RATE / FFT_SIZE;
      peaks.add(new Peak(frame, pitch(hertz), here));
    }
  }

  /** Semitones above the C of 16.35 Hz. */
  private static double pitch(double hertz) {
    return 12 * Math.log(hertz / 440) / Math.log(2) + 57;
  }

  /** The circular mean of how far peaks lie from whole semitones. */
  private static double tuning(List<Peak> peaks) {
    double x = 0;
    double y = 0;
    for (Peak peak : peaks) {
      double angle = 2 * Math.PI * peak.pitch;
      double weight = Math.sqrt(peak.magnitude);
      x += weight * Math.cos(angle);
      y += weight * Math.sin(angle);
    }
    return Math.atan2(y, x) / (2 * Math.PI);
  }

  /** Shares a peak between the two nearest pitch classes, mostly the nearer. */
  private static void add(float[] classes, double pitch, double amount) {
    int nearest = (int) Math.rint(pitch);
    double off = pitch - nearest;
    double weight = Math.cos(Math.PI * Math.min(1, Math.abs(off)) / 2);
    classes[Math.floorMod(nearest, 12)] += (float) (amount * weight * weight);
  }

  private static void normalise(float[] classes) {
    float top = 0;
    for (float value : classes) {
      top = Math.max(top, value);
    }
    for (int p = 0; p < classes.length && top > 0; p++) {
      classes[p] /= top;
    }
  }

  /** The mean of all frames, louder ones counting more; its sum is 1 unless all is silent. */
  static double[] mean(float[][] frames, float[] weights) {
    double[] mean = new double[12];
    double total = 0;
    for (int t = 0; t < frames.length; t++) {
      for (int p = 0; p < 12; p++) {
        mean[p] += Math.sqrt(weights[t]) * frames[t][p];
        total += Math.sqrt(weights[t]) * frames[t][p];
      }
    }
    for (int p = 0; p < 12 && total > 0; p++) {
      mean[p] /= total;
    }
    return mean;
  }

  /**
   * How much the harmony changes at each moment: 1 less the cosine of the half seconds before and
   * after, in {@code framesPerSecond} for {@code length} frames.
   */
  float[] change(double framesPerSecond, int length) {
    int half = (int) Math.round(0.5 / SECONDS_PER_FRAME);
    double[][] sums = new double[frames.length + 1][12];
    for (int t = 0; t < frames.length; t++) {
      for (int p = 0; p < 12; p++) {
        sums[t + 1][p] = sums[t][p] + Math.sqrt(weights[t]) * frames[t][p];
      }
    }
    float[] change = new float[frames.length + 1];
    for (int t = half; t + half < sums.length; t++) {
      double product = 0;
      double before = 0;
      double after = 0;
      for (int p = 0; p < 12; p++) {
        double a = sums[t][p] - sums[t - half][p];
        double b = sums[t + half][p] - sums[t][p];
        product += a * b;
        before += a * a;
        after += b * b;
      }
      double scale = Math.sqrt(before * after);
      change[t] = scale > 0 ? (float) (1 - product / scale) : 0;
    }
    float[] out = new float[length];
    for (int i = 0; i < length; i++) {
      // Sums up to t hold the frames before t: the change lies half a frame before its centre.
      double place = i / framesPerSecond / SECONDS_PER_FRAME + 0.5;
      int whole = (int) place;
      if (whole + 1 < change.length) {
        out[i] = (float) (change[whole] + (place - whole) * (change[whole + 1] - change[whole]));
      }
    }
    return out;
  }
}
