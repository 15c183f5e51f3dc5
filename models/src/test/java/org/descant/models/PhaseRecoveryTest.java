package org.descant.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PhaseRecoveryTest {
  private final Stft stft = new Stft(2048, 512);

  @Test
  void transformIsTheDefinition() {
    SplittableRandom random = new SplittableRandom(1);
    for (int size : new int[] {4, 8, 16, 64, 512}) {
      RealFft fft = new RealFft(size);
      float[] x = new float[size];
      for (int i = 0; i < size; i++) {
        x[i] = (float) (random.nextDouble() - 0.5);
      }
      float[] re = new float[size / 2 + 1];
      float[] im = new float[size / 2 + 1];
      fft.forward(x, 0, re, im, 0);
      for (int k = 0; k <= size / 2; k++) {
        double r = 0;
        double s = 0;
        for (int i = 0; i < size; i++) {
          r += x[i] * Math.cos(2 * Math.PI * i * k / size);
          s -= x[i] * Math.sin(2 * Math.PI * i * k / size);
        }
        assertThat((double) re[k]).as("size %d bin %d", size, k).isCloseTo(r, within(1e-4));
        assertThat((double) im[k]).as("size %d bin %d", size, k).isCloseTo(s, within(1e-4));
      }
      float[] back = new float[size];
      fft.inverse(re, im, 0, back, 0);
      for (int i = 0; i < size; i++) {
        assertThat(back[i]).isCloseTo(x[i], within(1e-5f));
      }
    }
  }

  @Test
  void synthesisInvertsAnalysisWhateverThePieces() {
    float[] signal = Signals.noise(0.5, 0.5, 3);
    int frames = signal.length / 512;
    float[] re = new float[frames * stft.bins()];
    float[] im = new float[re.length];
    stft.analyse(signal, frames, re, im);
    Stft.Synthesis synthesis = stft.new Synthesis();
    float[] out = new float[0];
    for (int t = 0; t < frames; ) {
      int n = Math.min(1 + t % 5, frames - t);
      float[] r = Arrays.copyOfRange(re, t * stft.bins(), (t + n) * stft.bins());
      float[] s = Arrays.copyOfRange(im, t * stft.bins(), (t + n) * stft.bins());
      t += n;
      float[] piece = synthesis.add(r, s, n, t == frames);
      int at = out.length;
      out = Arrays.copyOf(out, at + piece.length);
      System.arraycopy(piece, 0, out, at, piece.length);
    }
    assertThat(out).hasSize(frames * 512);
    for (int i = 0; i < out.length - 512; i++) {
      assertThat(out[i]).isCloseTo(signal[i], within(1e-4f));
    }
  }

  @Test
  void phasesOfAChordAndAChirpComeBack() {
    float[] signal = Signals.chordAndChirp(4);
    int frames = signal.length / 512;
    float[] magnitude = magnitudes(signal, frames);
    double pghiOnly = Signals.spectralConvergence(stft, magnitude, frames, rebuild(magnitude, 0));
    double both = Signals.spectralConvergence(stft, magnitude, frames, rebuild(magnitude, 16));
    System.out.printf("spectral convergence: PGHI %.4f, with 16 rounds %.4f%n", pghiOnly, both);
    assertThat(pghiOnly).isLessThan(0.15);
    assertThat(both).isLessThan(0.06);
  }

  @Test
  void aStreamIsTheWholeBitForBitAndHasNoClicks() {
    float[] signal = Signals.chordAndChirp(3);
    int frames = signal.length / 512;
    float[] magnitude = magnitudes(signal, frames);
    float[] whole = rebuild(magnitude, 8);

    PhaseRecovery recovery = new PhaseRecovery(stft, 8, 1e-2f, 5);
    Stft.Synthesis synthesis = stft.new Synthesis();
    float[] streamed = new float[frames * 512];
    int at = 0;
    SplittableRandom random = new SplittableRandom(2);
    for (int t = 0; t < frames; ) {
      int n = Math.min(1 + random.nextInt(40), frames - t);
      float[] rows = Arrays.copyOfRange(magnitude, t * stft.bins(), (t + n) * stft.bins());
      t += n;
      PhaseRecovery.Frames ready = recovery.append(rows, n, t == frames);
      float[] piece = synthesis.add(ready.re(), ready.im(), ready.count(), t == frames);
      System.arraycopy(piece, 0, streamed, at, piece.length);
      at += piece.length;
    }
    assertThat(at).isEqualTo(frames * 512);
    assertThat(streamed).isEqualTo(whole);

    int block = PhaseRecovery.BLOCK * 512;
    double atSeams = 0;
    double elsewhere = 0;
    for (int i = 1; i < whole.length - 1024; i++) {
      double jump = Math.abs(whole[i] - whole[i - 1]);
      if ((i + 1024) % block < 2048) {
        atSeams = Math.max(atSeams, jump);
      } else {
        elsewhere = Math.max(elsewhere, jump);
      }
    }
    assertThat(atSeams).isLessThan(1.5 * elsewhere);
  }

  private float[] magnitudes(float[] signal, int frames) {
    float[] re = new float[frames * stft.bins()];
    float[] im = new float[re.length];
    stft.analyse(signal, frames, re, im);
    float[] magnitude = new float[re.length];
    for (int i = 0; i < re.length; i++) {
      magnitude[i] = (float) Math.hypot(re[i], im[i]);
    }
    return magnitude;
  }

  private float[] rebuild(float[] magnitude, int rounds) {
    int frames = magnitude.length / stft.bins();
    PhaseRecovery.Frames ready =
        new PhaseRecovery(stft, rounds, 1e-2f, 5).append(magnitude, frames, true);
    return stft.new Synthesis().add(ready.re(), ready.im(), ready.count(), true);
  }
}
