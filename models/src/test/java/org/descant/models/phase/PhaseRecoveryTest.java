package org.descant.models.phase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PhaseRecoveryTest {
  private static final int BINS = 1025;
  private static final float SILENCE = (float) Math.log(1e-2);
  private final Stft stft = new Stft(2048, 512);

  @Test
  void transformIsTheDefinition() {
    SplittableRandom random = new SplittableRandom(1);
    for (int size : new int[] {4, 8, 16, 64, 512}) {
      RealFft fft = new RealFft(size);
      float[] x = noise(random, size);
      float[] re = new float[size / 2 + 1];
      float[] im = new float[size / 2 + 1];
      fft.forward(x, 0, re, im, 0);
      double[][] truth = transform(x);
      for (int k = 0; k <= size / 2; k++) {
        assertThat((double) re[k]).as("%d/%d", k, size).isCloseTo(truth[0][k], within(1e-4));
        assertThat((double) im[k]).as("%d/%d", k, size).isCloseTo(truth[1][k], within(1e-4));
      }
    }
  }

  @Test
  void transformOfManyFramesIsTheDefinitionAndComesBack() {
    SplittableRandom random = new SplittableRandom(2);
    for (int size : new int[] {4, 8, 16, 64, 512}) {
      int frames = 5;
      RowFft fft = new RowFft(size, 7);
      float[][] x = new float[frames][];
      for (int t = 0; t < frames; t++) {
        x[t] = noise(random, size);
        for (int n = 0; n < size; n++) {
          fft.samples(n)[t] = x[t][n];
        }
      }
      fft.forward(frames);
      int half = size / 2;
      float[][] re = new float[half + 1][frames];
      float[][] im = new float[half + 1][frames];
      for (int k = 0; k <= half / 2; k++) {
        fft.unpack(k, re[k], im[k], re[half - k], im[half - k], frames);
      }
      for (int t = 0; t < frames; t++) {
        double[][] truth = transform(x[t]);
        for (int k = 0; k <= half; k++) {
          assertThat((double) re[k][t]).as("%d/%d", k, size).isCloseTo(truth[0][k], within(1e-4));
          assertThat((double) im[k][t]).as("%d/%d", k, size).isCloseTo(truth[1][k], within(1e-4));
        }
      }
      for (int k = 0; k <= half / 2; k++) {
        fft.pack(k, re[k], im[k], re[half - k], im[half - k], frames);
      }
      fft.inverse(frames);
      for (int t = 0; t < frames; t++) {
        for (int n = 0; n < size; n++) {
          assertThat(fft.samples(n)[t] / half).isCloseTo(x[t][n], within(1e-5f));
        }
      }
    }
    assertThatThrownBy(() -> new RowFft(12, 1)).hasMessageContaining("power of two");
  }

  private static float[] noise(SplittableRandom random, int size) {
    float[] x = new float[size];
    for (int i = 0; i < size; i++) {
      x[i] = (float) (random.nextDouble() - 0.5);
    }
    return x;
  }

  private static double[][] transform(float[] x) {
    double[][] bins = new double[2][x.length / 2 + 1];
    for (int k = 0; k < bins[0].length; k++) {
      for (int i = 0; i < x.length; i++) {
        bins[0][k] += x[i] * Math.cos(2 * Math.PI * i * k / x.length);
        bins[1][k] -= x[i] * Math.sin(2 * Math.PI * i * k / x.length);
      }
    }
    return bins;
  }

  @Test
  void overlapAddInvertsAnalysisWhateverThePieces() {
    float[] signal = Signals.noise(0.5, 0.5, 3);
    int frames = signal.length / 512;
    float[] re = new float[frames * BINS];
    float[] im = new float[re.length];
    stft.analyse(signal, frames, re, im);
    RowFft fft = new RowFft(2048, 6);
    OverlapAdd overlapAdd = new OverlapAdd(fft, 512, 6);
    float[] out = new float[0];
    for (int t = 0; t < frames; ) {
      int n = Math.min(1 + t % 6, frames - t);
      for (int k = 0; k <= 512; k++) {
        int j = 1024 - k;
        fft.pack(k, row(re, t, n, k), row(im, t, n, k), row(re, t, n, j), row(im, t, n, j), n);
      }
      fft.inverse(n);
      t += n;
      out = joined(out, overlapAdd.emit(n, t == frames));
    }
    assertThat(out).hasSize(frames * 512);
    for (int i = 0; i < out.length - 512; i++) {
      assertThat(out[i]).isCloseTo(signal[i], within(1e-4f));
    }
  }

  private static float[] row(float[] framesTM, int from, int count, int bin) {
    float[] row = new float[count];
    for (int t = 0; t < count; t++) {
      row[t] = framesTM[(from + t) * BINS + bin];
    }
    return row;
  }

  private static float[] joined(float[] head, float[] tail) {
    float[] joined = Arrays.copyOf(head, head.length + tail.length);
    System.arraycopy(tail, 0, joined, head.length, tail.length);
    return joined;
  }

  /** The paper's heap, bin by bin, against the two passes. */
  @Test
  void phasesAreThoseOfHeapIntegration() {
    SplittableRandom random = new SplittableRandom(4);
    int fft = 64;
    int bins = fft / 2 + 1;
    for (int trial = 0; trial < 200; trial++) {
      int frames = 6;
      float silence = 0;
      float[] ln = new float[frames * bins];
      double quiet = trial % 3 * 0.3;
      for (int i = 0; i < ln.length; i++) {
        ln[i] = random.nextDouble() < quiet ? 0 : (float) (0.01 + 10 * random.nextDouble());
      }
      int known = trial % 2;
      float[] turns = new float[ln.length];
      for (int m = 0; m < bins; m++) {
        turns[m] = (float) (random.nextDouble() - 0.5);
      }
      double[] heap = heapIntegration(ln, turns, frames, known, silence, fft);
      new RealTimePghi(fft, fft / 4).integrate(ln, turns, frames, known, silence);
      for (int i = known * bins; i < ln.length; i++) {
        if (ln[i] > silence) {
          double off = heap[i] - turns[i];
          assertThat(off - Math.rint(off))
              .as("trial %d, cell %d", trial, i)
              .isCloseTo(0, within(1e-3));
        }
      }
    }
  }

  private record Cell(int index, double level) {}

  private static double[] heapIntegration(
      float[] ln, float[] turns, int frames, int known, float silence, int fft) {
    int bins = fft / 2 + 1;
    int hop = fft / 4;
    double gamma = 0.25645 * fft * fft;
    double[] phase = new double[ln.length];
    for (int i = 0; i < known * bins; i++) {
      phase[i] = turns[i];
    }
    double[] inTime = new double[ln.length];
    double[] inFrequency = new double[ln.length];
    for (int t = 0; t < frames; t++) {
      for (int m = 0; m < bins; m++) {
        int up = t * bins + Math.min(bins - 1, m + 1);
        int down = t * bins + Math.max(0, m - 1);
        int after = Math.min(frames - 1, t + 1) * bins + m;
        int before = Math.max(0, t - 1) * bins + m;
        int cell = t * bins + m;
        inTime[cell] = hop * fft / gamma * (ln[up] - ln[down]) / (up - down) / (2 * Math.PI);
        inFrequency[cell] =
            -gamma / (hop * fft) * (ln[after] - ln[before]) / ((after - before) / bins);
        inFrequency[cell] = inFrequency[cell] / (2 * Math.PI) + 0.5;
      }
    }
    for (int t = known; t < frames; t++) {
      boolean[] done = new boolean[bins];
      PriorityQueue<Cell> queue =
          new PriorityQueue<>(Comparator.comparingDouble((Cell c) -> -c.level()));
      for (int m = 0; m < bins; m++) {
        int past = (t - 1) * bins + m;
        if (t > 0 && ln[past] > silence) {
          queue.add(new Cell(past, ln[past]));
        }
      }
      while (true) {
        while (!queue.isEmpty()) {
          int cell = queue.remove().index();
          int m = cell % bins;
          if (cell < t * bins) {
            int next = cell + bins;
            if (!done[m] && ln[next] > silence) {
              double advance = (double) hop * m / fft;
              phase[next] = phase[cell] + (inTime[cell] + inTime[next]) / 2 + advance;
              done[m] = true;
              queue.add(new Cell(next, ln[next]));
            }
            continue;
          }
          for (int side = -1; side <= 1; side += 2) {
            int to = m + side;
            if (to >= 0 && to < bins && !done[to] && ln[cell + side] > silence) {
              phase[cell + side] =
                  phase[cell] + side * (inFrequency[cell] + inFrequency[cell + side]) / 2;
              done[to] = true;
              queue.add(new Cell(cell + side, ln[cell + side]));
            }
          }
        }
        int loudest = -1;
        for (int m = 0; m < bins; m++) {
          int cell = t * bins + m;
          if (!done[m] && ln[cell] > silence && (loudest < 0 || ln[cell] > ln[loudest])) {
            loudest = cell;
          }
        }
        if (loudest < 0) {
          break;
        }
        phase[loudest] = 0;
        done[loudest % bins] = true;
        queue.add(new Cell(loudest, ln[loudest]));
      }
    }
    return phase;
  }

  @Test
  void phasesOfAChordAndAChirpComeBack() {
    float[] signal = Signals.chordAndChirp(4);
    int frames = signal.length / 512;
    float[] magnitude = magnitudes(signal, frames);
    double[] off = new double[3];
    int[] rounds = {0, 5, 16};
    for (int i = 0; i < rounds.length; i++) {
      float[] rebuilt = rebuild(magnitude, rounds[i], 64);
      off[i] = Signals.spectralConvergence(stft, magnitude, frames, rebuilt);
    }
    System.out.printf(
        "spectral convergence by rounds: 0 %.4f, 5 %.4f, 16 %.4f%n", off[0], off[1], off[2]);
    assertThat(off[0]).isLessThan(0.15);
    assertThat(off[1]).isLessThan(0.08);
    assertThat(off[2]).isLessThan(off[1]);
  }

  @Test
  void silenceStaysSilentAndSoundAfterItComesBack() {
    float[] signal = new float[3 * Signals.RATE];
    float[] tone = Signals.chordAndChirp(1);
    System.arraycopy(tone, 0, signal, Signals.RATE, tone.length);
    int frames = signal.length / 512;
    float[] magnitude = magnitudes(signal, frames);
    float[] rebuilt = rebuild(magnitude, 5, 32);
    for (int i = 0; i < Signals.RATE - 4096; i++) {
      assertThat(rebuilt[i]).isZero();
    }
    assertThat(Signals.spectralConvergence(stft, magnitude, frames, rebuilt)).isLessThan(0.15);
  }

  @Test
  void blocksMeetWithoutClicksAndTheSameBlocksGiveTheSameBits() {
    float[] signal = Signals.chordAndChirp(3);
    int frames = signal.length / 512;
    float[] magnitude = magnitudes(signal, frames);
    float[] whole = rebuild(magnitude, 5, 32);
    assertThat(whole).hasSize(frames * 512).isEqualTo(rebuild(magnitude, 5, 32));

    // A block of 32 frames leaves 4 open: seams are at 28, 60, 92 … hops.
    int block = 32 * 512;
    double atSeams = 0;
    double elsewhere = 0;
    for (int i = 1; i < whole.length - 1024; i++) {
      double jump = Math.abs(whole[i] - whole[i - 1]);
      if ((i + 4 * 512 + 1024) % block < 2048) {
        atSeams = Math.max(atSeams, jump);
      } else {
        elsewhere = Math.max(elsewhere, jump);
      }
    }
    assertThat(atSeams).isLessThan(1.5 * elsewhere);
  }

  @Test
  void noFrameGivesNoSampleAndOneGivesOneHop() {
    PhaseRecovery recovery = new PhaseRecovery(2048, 8, 2, SILENCE);
    assertThat(recovery.append(new float[0], 0, true).samples()).isEmpty();
    float[] one = new float[BINS];
    Arrays.fill(one, 1);
    PhaseRecovery.Finished finished = new PhaseRecovery(2048, 8, 2, SILENCE).append(one, 1, true);
    assertThat(finished.count()).isEqualTo(1);
    assertThat(finished.samples()).hasSize(512);
  }

  private float[] magnitudes(float[] signal, int frames) {
    float[] re = new float[frames * BINS];
    float[] im = new float[re.length];
    stft.analyse(signal, frames, re, im);
    float[] magnitude = new float[re.length];
    for (int i = 0; i < re.length; i++) {
      magnitude[i] = (float) Math.hypot(re[i], im[i]);
    }
    return magnitude;
  }

  private static float[] rebuild(float[] magnitude, int rounds, int block) {
    int frames = magnitude.length / BINS;
    PhaseRecovery recovery = new PhaseRecovery(2048, block, rounds, SILENCE);
    float[] out = new float[0];
    for (int t = 0; t < frames; t += block) {
      int n = Math.min(block, frames - t);
      float[] ln = new float[n * BINS];
      for (int i = 0; i < ln.length; i++) {
        ln[i] = (float) Math.log(magnitude[t * BINS + i] + 1e-9);
      }
      out = joined(out, recovery.append(ln, n, t + n == frames).samples());
    }
    return out;
  }
}
