package org.descant.audio.analysis;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.descant.audio.AudioException;
import org.descant.audio.Beat;
import org.descant.audio.Pcm;

/** Where the beats fall, and which of them open a bar. */
public final class BeatTracker {
  /*
   * Beats by dynamic programming (Ellis, "Beat Tracking by Dynamic Programming", 2007): the chain
   * of moments with the most onset strength whose steps stay near the beat of TempoEstimator; a
   * step of another length costs TIGHTNESS times the squared logarithm of the ratio. Bars: of three
   * and four beats, and of all places where they could start, the one where harmony changes most
   * and bass begins most. Off-beat hats and chords may be louder than the beat: the moments half
   * way between are taken instead if bass and harmony say so. Linear in the length of the sound times the beat.
   */
  private static final double TIGHTNESS = 300;

  /** How far the moments between the beats must be ahead to be taken for the beats. */
  private static final double OFF_BEAT_MARGIN = 0.05;

  private static final double BASS_SHARE = 0.5;
  private static final double ALL_SHARE = 0.25;

  /** Bars of three must explain this much more than bars of four. */
  private static final double TRIPLE_MARGIN = 0.1;

  private BeatTracker() {}

  /**
   * The beats from the first onset to the last, in order. Empty if nothing begins in the sound.
   *
   * @throws AudioException if the sound is too short for a tempo (see {@link TempoEstimator})
   */
  public static List<Beat> track(Pcm pcm) {
    TempoEstimator.checkLength(pcm);
    OnsetStrength onsets = OnsetStrength.of(pcm);
    float[] change = Chroma.of(pcm).change(OnsetStrength.FRAMES_PER_SECOND, onsets.all().length);
    TempoEstimate tempo = TempoEstimator.estimate(onsets, change);
    if (tempo.confidence() == 0) {
      return List.of();
    }
    double period = 60 / tempo.bpm() * OnsetStrength.FRAMES_PER_SECOND;
    float[] strength = smoothed(onsets.all());
    List<Integer> frames = chain(strength, period);
    List<Integer> between = between(frames, strength, period);
    if (!between.isEmpty()
        && beatEvidence(between, onsets, change)
            > beatEvidence(frames, onsets, change) + OFF_BEAT_MARGIN) {
      frames = between;
    }
    return bars(frames, onsets, change, pcm.seconds());
  }

  /** Gaussian of 20 ms, scaled to a standard deviation of 1. */
  private static float[] smoothed(float[] curve) {
    float[] kernel = {0.08f, 0.24f, 0.36f, 0.24f, 0.08f};
    float[] out = new float[curve.length];
    double sum = 0;
    double squares = 0;
    for (int t = 0; t < curve.length; t++) {
      for (int k = Math.max(-2, -t); k <= Math.min(2, curve.length - 1 - t); k++) {
        out[t] += kernel[k + 2] * curve[t + k];
      }
      sum += out[t];
      squares += out[t] * out[t];
    }
    double mean = sum / curve.length;
    double deviation = Math.sqrt(Math.max(1e-12, squares / curve.length - mean * mean));
    for (int t = 0; t < out.length; t++) {
      out[t] /= (float) deviation;
    }
    return out;
  }

  private static List<Integer> chain(float[] onset, double period) {
    int shortest = Math.max(1, (int) Math.round(period / 2));
    int longest = (int) Math.round(2 * period);
    double[] penalty = new double[longest + 1];
    for (int step = shortest; step <= longest; step++) {
      double off = Math.log(step / period);
      penalty[step] = TIGHTNESS * off * off;
    }
    double[] score = new double[onset.length];
    int[] before = new int[onset.length];
    for (int t = 0; t < onset.length; t++) {
      double best = 0; // A chain may start anywhere.
      before[t] = -1;
      for (int step = shortest; step <= Math.min(longest, t); step++) {
        double value = score[t - step] - penalty[step];
        if (value > best) {
          best = value;
          before[t] = t - step;
        }
      }
      score[t] = onset[t] + best;
    }
    int last = 0;
    for (int t = 0; t < onset.length; t++) {
      last = score[t] > score[last] ? t : last;
    }
    List<Integer> frames = new ArrayList<>();
    for (int t = last; t >= 0; t = before[t]) {
      frames.add(t);
    }
    Collections.reverse(frames);
    return frames;
  }

  /** The strongest moments near the middle between neighbours. */
  private static List<Integer> between(List<Integer> frames, float[] strength, double period) {
    int around = (int) Math.round(0.08 * period);
    List<Integer> middle = new ArrayList<>();
    for (int i = 0; i + 1 < frames.size(); i++) {
      int top = (frames.get(i) + frames.get(i + 1)) / 2;
      for (int t = top - around; t <= top + around; t++) {
        top = strength[t] > strength[top] ? t : top;
      }
      middle.add(top);
    }
    return middle;
  }

  /** Sum of logarithms of how much begins, in the bass too, and how much harmony changes. */
  private static double beatEvidence(List<Integer> frames, OnsetStrength onsets, float[] change) {
    double[] changes = at(change, frames, 1);
    double most = 0;
    for (int phase = 0; phase < 4; phase++) {
      double sum = 0;
      int count = 0;
      for (int i = phase; i < changes.length; i += 4) {
        sum += changes[i];
        count++;
      }
      most = Math.max(most, count == 0 ? 0 : sum / count);
    }
    return Math.log(mean(at(onsets.all(), frames, 3)) + 0.01)
        + 1.2 * Math.log(mean(at(onsets.punch(), frames, 3)) + 0.01)
        + 2 * Math.log(most + 0.01);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static List<Beat> bars(
      List<Integer> frames, OnsetStrength onsets, float[] change, double seconds) {
    int count = frames.size();
    double[] accents = new double[count];
    addScaled(accents, at(change, frames, 4), 1);
    addScaled(accents, at(onsets.low(), frames, 2), BASS_SHARE);
    addScaled(accents, at(onsets.all(), frames, 2), ALL_SHARE);
    int beatsPerBar = alike(accents, 3) > alike(accents, 4) + TRIPLE_MARGIN ? 3 : 4;
    int first = 0;
    double best = Double.NEGATIVE_INFINITY;
    for (int phase = 0; phase < beatsPerBar; phase++) {
      double sum = 0;
      int bars = 0;
      for (int i = phase; i < count; i += beatsPerBar) {
        sum += accents[i];
        bars++;
      }
      if (bars > 0 && sum / bars > best) {
        best = sum / bars;
        first = phase;
      }
    }
    List<Beat> beats = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double time = peak(onsets.all(), frames.get(i)) / OnsetStrength.FRAMES_PER_SECOND;
      beats.add(new Beat(Math.clamp(time, 0, seconds), Math.floorMod(i - first, beatsPerBar) + 1));
    }
    return beats;
  }

  /** The highest values of a curve within so many frames of each beat. */
  private static double[] at(float[] curve, List<Integer> frames, int around) {
    double[] values = new double[frames.size()];
    for (int i = 0; i < values.length; i++) {
      int from = Math.max(0, frames.get(i) - around);
      int to = Math.min(curve.length - 1, frames.get(i) + around);
      for (int t = from; t <= to; t++) {
        values[i] = Math.max(values[i], curve[t]);
      }
    }
    return values;
  }

  /** Adds values that were brought to mean 0 and deviation 1. */
  private static void addScaled(double[] sum, double[] values, double share) {
    double mean = 0;
    double squares = 0;
    for (double value : values) {
      mean += value / values.length;
      squares += value * value / values.length;
    }
    double deviation = Math.sqrt(Math.max(1e-12, squares - mean * mean));
    for (int i = 0; i < sum.length; i++) {
      sum[i] += share * (values[i] - mean) / deviation;
    }
  }

  /** Correlation of accents with themselves, so many beats later. */
  private static double alike(double[] accents, int lag) {
    double product = 0;
    double square = 1e-12;
    for (int i = 0; i < accents.length; i++) {
      square += accents[i] * accents[i] / accents.length;
      if (i + lag < accents.length) {
        product += accents[i] * accents[i + lag] / (accents.length - lag);
      }
    }
    return product / square;
  }

  /** Where the parabola through the largest value beside a frame has its top. */
  private static double peak(float[] curve, int frame) {
    int top = frame;
    for (int t = Math.max(1, frame - 2); t <= Math.min(curve.length - 2, frame + 2); t++) {
      top = curve[t] > curve[top] ? t : top;
    }
    if (top < 1 || top > curve.length - 2) {
      return top;
    }
    double bend = curve[top - 1] - 2.0 * curve[top] + curve[top + 1];
    return bend < 0
        ? top + Math.clamp(0.5 * (curve[top - 1] - curve[top + 1]) / bend, -0.5, 0.5)
        : top;
  }
}
