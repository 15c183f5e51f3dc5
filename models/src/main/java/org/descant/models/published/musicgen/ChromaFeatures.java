package org.descant.models.published.musicgen;

import java.nio.file.Files;
import java.nio.file.Path;
import org.descant.models.ModelException;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * What a MusicGen that a melody leads hears of a recording: the strongest pitch class of every
 * frame, found in the power spectrum by chroma filters (Ellis 2007, as librosa has them). The sound
 * is taken as it is; a source that was separated from its accompaniment is followed better.
 * Immutable.
 *
 * @param sampleRate of the recording, samples a second
 * @param window samples of one frame
 * @param hop samples from one frame's middle to the next
 * @param classes pitch classes
 * @param samplesMax where a recording is cut
 */
public record ChromaFeatures(int sampleRate, int window, int hop, int classes, int samplesMax) {
  private static final int WINDOW_MIN = 16;
  private static final int WINDOW_MAX = 1 << 18;
  private static final int SAMPLES_MAX = 1 << 24;

  /** The filters weigh octaves by a bell around the fifth octave above A0, this wide. */
  private static final double OCTAVE_MIDDLE = 5;

  private static final double OCTAVE_WIDTH = 2;
  private static final double LOWEST_HERTZ = 27.5;

  /**
   * Reads {@code preprocessor_config.json} beside a model's {@code config.json}; without one, its
   * published values are meant.
   *
   * @throws ModelException naming the key that cannot be served
   */
  static ChromaFeatures of(PublishedConfig root, MusicGenConfig.Melody melody) {
    Path file = root.file().resolveSibling("preprocessor_config.json");
    PublishedConfig said = Files.exists(file) ? PublishedConfig.read(file) : null;
    if (said == null) {
      return new ChromaFeatures(32_000, 16_384, 4096, melody.classes(), 30 * 32_000);
    }
    String type = "MusicgenMelodyFeatureExtractor";
    if (!said.text("feature_extractor_type", type).equals(type)) {
      throw said.refusal("feature_extractor_type", "only " + type + " is");
    }
    if (said.whole("num_chroma", 12, 1) != melody.classes()) {
      throw said.refusal("num_chroma", "the model's is " + melody.classes());
    }
    int window = said.whole("n_fft", 16_384, WINDOW_MIN);
    if (window > WINDOW_MAX || window % 2 != 0) {
      throw said.refusal(
          "n_fft", "even numbers from %d to %d are".formatted(WINDOW_MIN, WINDOW_MAX));
    }
    int rate = said.whole("sampling_rate", 32_000, 1000);
    long samples = (long) rate * said.whole("chunk_length", 30, 1);
    if (samples > SAMPLES_MAX) {
      throw said.refusal("chunk_length", "at most 2^24 samples are");
    }
    return new ChromaFeatures(
        rate, window, said.whole("hop_length", 4096, 1), melody.classes(), (int) samples);
  }

  /**
   * Hears recordings.
   *
   * @param audio fp32 [batch, samples], mono at {@link #sampleRate}; cut to {@link #samplesMax},
   *     and one shorter than a window has silence on both sides
   * @return fp32 [batch, frames, classes], 1 at each frame's strongest class and 0 elsewhere; the
   *     first class, C, in silence
   */
  public Tensor of(Tensor audio) {
    if (audio.dim() != 2 || audio.count() == 0 || audio.dtype() != DType.F32) {
      throw new ModelException("A melody must be F32 [batch, samples], not " + audio + ".");
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor sound = audio.narrow(1, 0, Math.min(audio.size(1), samplesMax));
      long missing = window - sound.size(1);
      if (missing > 0) {
        sound = sound.pad(missing / 2, missing - missing / 2, 0.0);
      }
      Tensor power =
          sound.stft(Tensor.hannWindow(window), hop).viewAsReal().square().sum(-1, false);
      Tensor strongest = filters().matmul(power).argmax(1, false);
      return scope.keep(strongest.oneHot(classes).to(DType.F32));
    }
  }

  /**
   * How much each frequency counts for each class, [classes, window / 2 + 1]: a bell around the
   * class, in every octave, as wide as its neighbour is far but at least a class; a frequency's
   * weights have length one before octaves are weighed. Frequency 0 stands an octave and a half
   * below the next.
   */
  private Tensor filters() {
    int bins = window / 2 + 1;
    double[] place = new double[bins + 1]; // in classes above A0
    for (int bin = 1; bin <= bins; bin++) {
      double hertz = (double) sampleRate * bin / window;
      place[bin] = classes * Math.log(hertz / LOWEST_HERTZ) / Math.log(2);
    }
    place[0] = place[1] - 1.5 * classes;
    double half = Math.rint(classes / 2.0);
    int fromA = 3 * (classes / 12);
    float[] weights = new float[classes * bins];
    double[] bell = new double[classes];
    for (int bin = 0; bin < bins; bin++) {
      double width = Math.max(place[bin + 1] - place[bin], 1);
      double squares = 0;
      for (int c = 0; c < classes; c++) {
        double away = place[bin] - c + half;
        away -= classes * Math.floor(away / classes) + half;
        bell[c] = Math.exp(-0.5 * Math.pow(2 * away / width, 2));
        squares += bell[c] * bell[c];
      }
      double octave = (place[bin] / classes - OCTAVE_MIDDLE) / OCTAVE_WIDTH;
      double scale = Math.exp(-0.5 * octave * octave) / Math.sqrt(squares);
      for (int c = 0; c < classes; c++) {
        weights[c * bins + bin] = (float) (bell[(c + fromA) % classes] * scale);
      }
    }
    return Tensor.of(weights, classes, bins);
  }
}
