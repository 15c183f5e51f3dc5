package org.descant.models.codec.discriminator;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * Judges waveforms, [batch, samples]: five multi-period networks ({@link PeriodDiscriminator}) and
 * three multi-band networks ({@link BandDiscriminator}) on complex STFTs, the set of Kumar et al.
 * 2023. As there, the mean is taken off and the peak made 0.8 first, so level tells nothing.
 */
public final class SoundDiscriminator implements Discriminator {
  private static final int[] PERIODS = {2, 3, 5, 7, 11};
  private static final int[] WINDOWS = {2048, 1024, 512};
  private static final double PEAK = 0.8;

  /** Shortest excerpt: more than half of the longest window mirrors at its ends. */
  public static final int SAMPLES_MIN = 2048;

  private final ParameterStore store;
  private final List<PeriodDiscriminator> periods = new ArrayList<>();
  private final List<BandDiscriminator> spectra = new ArrayList<>();
  private final List<Tensor> hanns = new ArrayList<>();

  /**
   * A network that knows nothing yet.
   *
   * @param periodChannels of the multi-period networks' first layer
   * @param bandChannels of the multi-band networks
   */
  public SoundDiscriminator(int periodChannels, int bandChannels, long seed) {
    store = new ParameterStore(seed);
    for (int period : PERIODS) {
      periods.add(new PeriodDiscriminator(store, period, periodChannels));
    }
    for (int window : WINDOWS) {
      spectra.add(new BandDiscriminator(store, "stft" + window, 2, bandChannels, window / 2 + 1));
    }
    store.build();
    try (Scope scope = Scope.open()) {
      for (int window : WINDOWS) {
        hanns.add(Tensor.hannWindow(window).retain());
      }
    }
  }

  @Override
  public ParameterStore parameters() {
    return store;
  }

  @Override
  public List<Verdict> judge(Tensor soundBN) {
    if (soundBN.size(1) < SAMPLES_MIN) {
      throw new ModelException(
          "The discriminator judges %d samples at least, was given %d"
              .formatted(SAMPLES_MIN, soundBN.size(1)));
    }
    Tensor centred = soundBN.sub(soundBN.mean(1, true));
    Tensor even = centred.mul(PEAK).div(centred.abs().amax(1, true).add(1e-9));
    List<Verdict> verdicts = new ArrayList<>();
    for (PeriodDiscriminator period : periods) {
      verdicts.add(period.judge(even.unsqueeze(1)));
    }
    for (int i = 0; i < spectra.size(); i++) {
      Tensor spectrum = even.stft(hanns.get(i), WINDOWS[i] / 4).viewAsReal(); // [B, bins, T, 2]
      verdicts.add(spectra.get(i).judge(spectrum.permute(0, 3, 2, 1).contiguous()));
    }
    return verdicts;
  }

  @Override
  public double products() {
    return periods.stream().mapToDouble(PeriodDiscriminator::products).sum()
        + spectra.stream().mapToDouble(BandDiscriminator::products).sum();
  }

  @Override
  public void close() {
    store.close();
    hanns.forEach(Tensor::close);
  }
}
