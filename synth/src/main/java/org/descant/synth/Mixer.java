package org.descant.synth;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.synth.Score.Part;

/**
 * Plays an arrangement to stems and their sum.
 *
 * <p>What the bus does (level to a loudness, gentle compression, a limiter with look-ahead, the
 * last fade) is one gain curve computed from the sum and applied to every stem alike; then each
 * stem is rounded to 16 bits and the mix is the integer sum. So the stems add up to the mix
 * exactly.
 */
final class Mixer {
  private static final int BLOCK = 64;
  private static final double CEILING = 0.89;
  private static final double PEAK_MAX = 0.966;
  private static final double THRESHOLD = 0.16;
  private static final double FADE_SECONDS = 1.4;

  /** What the limiter may give way in one block, down and up. */
  private static final double ATTACK = 1.05;

  private static final double RELEASE = 1.006;

  private final Score score;
  private final int frames;
  private final LinkedHashMap<String, float[][]> stems = new LinkedHashMap<>();
  private final Arranger.Arrangement arrangement;

  private Mixer(Score score) {
    this.score = score;
    this.arrangement = Arranger.arrange(score);
    this.frames = arrangement.frames();
  }

  static Rendering render(Score score) {
    Mixer mixer = new Mixer(score);
    mixer.play();
    float[][] bus = mixer.sum();
    double[] gains = mixer.gains(bus);
    return mixer.finish(gains);
  }

  private void play() {
    int[] kicks = kicks();
    double samplesPerBeat = Dsp.RATE * 60.0 / score.track().tempoBpm();
    for (Map.Entry<String, List<Note>> entry : arrangement.notes().entrySet()) {
      Part part = score.band().parts().get(entry.getKey());
      if (part == null) {
        throw new SynthException("Part " + entry.getKey() + " is not in the band.");
      }
      int seed = part.name().hashCode() + (int) score.seed() * 131;
      float[][] played =
          Channel.render(
              part, entry.getValue(), frames, samplesPerBeat, kicks, score.band().room(), seed);
      float[][] stem = stems.putIfAbsent(part.stem(), played);
      if (stem != null) {
        add(stem, played);
      }
    }
  }

  private static void add(float[][] to, float[][] from) {
    for (int c = 0; c < to.length; c++) {
      for (int i = 0; i < to[c].length; i++) {
        to[c][i] += from[c][i];
      }
    }
  }

  private int[] kicks() {
    List<Integer> kicks = new ArrayList<>();
    for (Map.Entry<String, List<Note>> entry : arrangement.notes().entrySet()) {
      Part part = score.band().parts().get(entry.getKey());
      if (part != null && Voices.drums(part.instrument())) {
        for (Note note : entry.getValue()) {
          if (note.pitch() == DrumKit.Piece.KICK.code()) {
            kicks.add(note.start());
          }
        }
      }
    }
    return kicks.stream().mapToInt(Integer::intValue).toArray();
  }

  private float[][] sum() {
    float[][] bus = new float[2][frames];
    for (float[][] stem : stems.values()) {
      add(bus, stem);
    }
    return bus;
  }

  /** Gain at every block's edge, linear between them; neither the mix nor a stem may clip. */
  private double[] gains(float[][] bus) {
    int blocks = (frames + BLOCK - 1) / BLOCK;
    double[] gains = new double[blocks + 1];
    double level = Dsp.amplitude(score.band().lufs() - lufs(bus));
    double[] power = new double[blocks];
    double[] peak = new double[blocks];
    for (int i = 0; i < frames; i++) {
      double l = bus[0][i];
      double r = bus[1][i];
      power[i / BLOCK] += (l * l + r * r) / (2 * BLOCK);
      peak[i / BLOCK] = Math.max(peak[i / BLOCK], Math.max(Math.abs(l), Math.abs(r)));
    }
    for (float[][] stem : stems.values()) {
      for (int i = 0; i < frames; i++) {
        double most = Math.max(Math.abs(stem[0][i]), Math.abs(stem[1][i]));
        peak[i / BLOCK] = Math.max(peak[i / BLOCK], most);
      }
    }
    compress(gains, power, level);
    limit(gains, peak);
    int fadeBlocks = (int) (FADE_SECONDS * Dsp.RATE / BLOCK);
    for (int b = 0; b <= blocks; b++) {
      double left = Math.min(1, (blocks - b) / (double) fadeBlocks);
      gains[b] *= left * left;
    }
    return gains;
  }

  /** Ratio 2:1 above the threshold; the level is made up for by what was taken on average. */
  private static void compress(double[] gains, double[] power, double level) {
    double follower = 0;
    double logSum = 0;
    for (int b = 0; b < power.length; b++) {
      double now = power[b] * level * level;
      follower += (now > follower ? 0.12 : 0.012) * (now - follower);
      double rms = Math.sqrt(follower);
      gains[b] = rms > THRESHOLD ? Math.sqrt(THRESHOLD / rms) : 1;
      logSum += gains[b];
    }
    double makeUp = level * power.length / logSum;
    for (int b = 0; b < power.length; b++) {
      gains[b] *= makeUp;
    }
    gains[power.length] = gains[power.length - 1];
  }

  private static void limit(double[] gains, double[] peak) {
    for (int b = 0; b < peak.length; b++) {
      double most = peak[b] > 0 ? CEILING / peak[b] : Double.MAX_VALUE;
      gains[b] = Math.min(gains[b], most);
      gains[b + 1] = Math.min(gains[b + 1], most);
    }
    for (int b = peak.length - 1; b >= 0; b--) {
      gains[b] = Math.min(gains[b], gains[b + 1] * ATTACK);
    }
    for (int b = 0; b < peak.length; b++) {
      gains[b + 1] = Math.min(gains[b + 1], gains[b] * RELEASE);
    }
  }

  private Rendering finish(double[] gains) {
    int[][] mix = new int[2][frames];
    LinkedHashMap<String, Pcm> rounded = new LinkedHashMap<>();
    for (Map.Entry<String, float[][]> entry : stems.entrySet()) {
      float[][] stem = entry.getValue();
      for (int c = 0; c < 2; c++) {
        for (int i = 0; i < frames; i++) {
          double way = (i % BLOCK) / (double) BLOCK;
          int b = i / BLOCK;
          double gain = gains[b] + (gains[b + 1] - gains[b]) * way;
          int value = (int) Math.floor(stem[c][i] * gain * 32768 + 0.5);
          value = Math.clamp(value, -32768, 32767);
          stem[c][i] = value / 32768f;
          mix[c][i] += value;
        }
      }
      rounded.put(entry.getKey(), new Pcm(stem, Dsp.RATE));
    }
    float[][] sum = new float[2][frames];
    for (int c = 0; c < 2; c++) {
      for (int i = 0; i < frames; i++) {
        sum[c][i] = mix[c][i] / 32768f;
        if (Math.abs(sum[c][i]) > PEAK_MAX) {
          throw new SynthException(
              "%s: the mix reaches %s at frame %d; turn a part down."
                  .formatted(score.track().slug(), sum[c][i], i));
        }
      }
    }
    return new Rendering(new Pcm(sum, Dsp.RATE), rounded, arrangement.truth());
  }

  /**
   * Integrated loudness after ITU-R BS.1770-4 for this module's own use: {@code audio}'s meter need
   * not give the same bits on every CPU, this one must.
   */
  static double lufs(float[][] stereo) {
    int hop = Dsp.RATE / 10;
    int hops = stereo[0].length / hop;
    double[] power = new double[hops];
    for (float[] side : stereo) {
      weigh(side, power, hop);
    }
    double[] blocks = new double[Math.max(0, hops - 3)];
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = (power[i] + power[i + 1] + power[i + 2] + power[i + 3]) / (4 * hop);
    }
    double absolute = StrictMath.pow(10, (-70 + 0.691) / 10);
    double relative = mean(blocks, absolute) / 10;
    return -0.691 + 10 * StrictMath.log10(mean(blocks, Math.max(absolute, relative)) + 1e-20);
  }

  private static double mean(double[] blocks, double gate) {
    double sum = 0;
    int count = 0;
    for (double block : blocks) {
      if (block > gate) {
        sum += block;
        count++;
      }
    }
    return count == 0 ? 0 : sum / count;
  }

  /** The K filter: a shelf of 4 dB above 1.7 kHz and a high-pass at 38 Hz. */
  private static void weigh(float[] side, double[] power, int hop) {
    double k = StrictMath.tan(StrictMath.PI * 1681.974450955533 / Dsp.RATE);
    double vh = StrictMath.pow(10, 3.999843853973347 / 20);
    double vb = StrictMath.pow(vh, 0.4996667741545416);
    double q = 0.7071752369554196;
    double a0 = 1 + k / q + k * k;
    double b0 = (vh + vb * k / q + k * k) / a0;
    double b1 = 2 * (k * k - vh) / a0;
    double b2 = (vh - vb * k / q + k * k) / a0;
    double a1 = 2 * (k * k - 1) / a0;
    double a2 = (1 - k / q + k * k) / a0;
    double h = StrictMath.tan(StrictMath.PI * 38.13547087602444 / Dsp.RATE);
    double hq = 0.5003270373238773;
    double h0 = 1 + h / hq + h * h;
    double h1 = 2 * (h * h - 1) / h0;
    double h2 = (1 - h / hq + h * h) / h0;
    double s1 = 0;
    double s2 = 0;
    double t1 = 0;
    double t2 = 0;
    for (int i = 0; i < power.length * hop; i++) {
      double x = side[i];
      double y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      double z = y + t1;
      t1 = -2 * y - h1 * z + t2;
      t2 = y - h2 * z;
      power[i / hop] += z * z;
    }
  }
}
