package org.descant.models.codec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.phase.FrameSynthesis;
import org.descant.models.phase.GivenPhases;
import org.descant.models.phase.OverlapAdd;
import org.descant.models.phase.PhaseRecovery;
import org.descant.models.phase.RowFft;

/**
 * Codes to sound, piece by piece: the network's decoder, {@link PhaseRecovery} or the network's own
 * phases for the mid, {@link StereoImage} for the side.
 *
 * <p>Works in units of frames that begin at fixed places, whatever was pushed: the first are short,
 * for an early first sound, the others long, for speed. A unit has the same shape each time, the
 * last is filled up, and what the convolutions reach back to is kept; so the samples are the same
 * bits however the codes were cut, and no frame is computed twice. Output lags by up to a unit, one
 * frame for each of the decoder's blocks, and {@link PhaseRecovery#LOOK_AHEAD} STFT frames where
 * phases are recovered.
 */
final class CodecStream implements Codec.StreamingDecoder {
  private static final int UNIT_MIN = 16;
  private static final int UNIT_MAX = 64;

  /** STFT frames whose phases are found together: as many as the cache likes. */
  private static final int BLOCK = 64;

  /**
   * The network's side: rows of features for units of codes, each followed by the phases of its
   * STFT frames, in turns, where the network makes them.
   */
  interface Renderer {
    /**
     * Takes {@code unit} frames of which the first {@code codes[0].length} are real and the others
     * lie beyond the end; returns the rows of the frames that became final, none before frame 0.
     */
    float[] render(int[][] codes, int unit);
  }

  private final CodecConfig config;
  private final Renderer renderer;
  private final int featureSize;
  private final int rowSize;
  private final FrameSynthesis synthesis;
  private final OverlapAdd side;
  private final StereoImage image;

  private int[][] waiting = new int[0][0];
  private int books;
  private long taken; // frames given to the renderer
  private long rendered; // frames it gave back
  private float[] images = new float[0]; // stereo numbers of frames whose phases are open
  private int stftFramesDone; // STFT frames of the first of them that are finished
  private boolean finished;

  CodecStream(CodecConfig config, Renderer renderer) {
    this.config = config;
    this.renderer = renderer;
    this.featureSize = CodecFeatures.size(config.stereoBands());
    this.rowSize = rowSize(config);
    this.synthesis =
        switch (config.phases()) {
          case RECOVERED ->
              new PhaseRecovery(
                  CodecFeatures.FFT, BLOCK, config.griffinLimRounds(), CodecFeatures.LN_SILENCE);
          case NETWORK -> new GivenPhases(CodecFeatures.FFT, BLOCK, CodecFeatures.LN_SILENCE);
        };
    this.side =
        new OverlapAdd(synthesis.fft(), CodecFeatures.HOP, BLOCK + PhaseRecovery.LOOK_AHEAD);
    this.image =
        new StereoImage(
            Math.max(1, config.stereoBands()), CodecFeatures.FFT, CodecFeatures.SAMPLE_RATE);
  }

  /**
   * Numbers of a rendered latent frame: its features, and the network's phases if it makes them.
   */
  static int rowSize(CodecConfig config) {
    int size = CodecFeatures.size(config.stereoBands());
    return switch (config.phases()) {
      case RECOVERED -> size;
      case NETWORK -> size + CodecFeatures.STFT_FRAMES * CodecFeatures.BINS;
    };
  }

  private int channels() {
    return config.stereoBands() == 0 ? 1 : 2;
  }

  @Override
  public float[][] push(int[][] codes) {
    requireOpen();
    requireCodes(codes);
    if (books == 0) {
      books = codes.length;
      waiting = new int[books][0];
    }
    for (int k = 0; k < books; k++) {
      int held = waiting[k].length;
      waiting[k] = Arrays.copyOf(waiting[k], held + codes[k].length);
      System.arraycopy(codes[k], 0, waiting[k], held, codes[k].length);
    }
    Samples samples = new Samples();
    while (waiting[0].length >= unit()) {
      advance(take(unit()), Long.MAX_VALUE, samples);
    }
    return samples.joined();
  }

  @Override
  public float[][] finish() {
    requireOpen();
    finished = true;
    Samples samples = new Samples();
    if (books > 0) {
      long total = taken + waiting[0].length;
      while (rendered < total) {
        advance(take(Math.min(unit(), waiting[0].length)), total, samples);
      }
    }
    return samples.joined();
  }

  private void requireOpen() {
    if (finished) {
      throw new ModelException("This stream was finished; start another one");
    }
  }

  private void requireCodes(int[][] codes) {
    if (codes.length < 1 || codes.length > config.codebooks()) {
      throw new ModelException(
          "The codec decodes 1 to " + config.codebooks() + " codebooks, got " + codes.length);
    }
    if (books != 0 && codes.length != books) {
      throw new ModelException("A stream keeps its number of codebooks, " + books);
    }
    for (int[] book : codes) {
      if (book.length != codes[0].length) {
        throw new ModelException("All codebooks must have the same number of frames");
      }
      for (int code : book) {
        if (code < 0 || code >= config.codebookSize()) {
          throw new ModelException(
              "Codes go from 0 to " + (config.codebookSize() - 1) + ", got " + code);
        }
      }
    }
  }

  /** Doubled as the stream goes on; above the least never more than half of what was taken. */
  private int unit() {
    int unit = UNIT_MIN;
    while (unit < UNIT_MAX && taken >= 4L * unit) {
      unit *= 2;
    }
    return unit;
  }

  private int[][] take(int frames) {
    int[][] part = new int[books][];
    for (int k = 0; k < books; k++) {
      part[k] = Arrays.copyOf(waiting[k], frames);
      waiting[k] = Arrays.copyOfRange(waiting[k], frames, waiting[k].length);
    }
    return part;
  }

  /** One unit; {@code total} frames are all there are, if that is known. */
  private void advance(int[][] codes, long total, Samples samples) {
    int unit = unit();
    float[] rows = renderer.render(codes, unit);
    taken += unit;
    int frames = (int) Math.min(rows.length / rowSize, total - rendered);
    rendered += frames;

    int spectrum = CodecFeatures.STFT_FRAMES * CodecFeatures.BINS;
    int size = featureSize - spectrum;
    int at = images.length;
    images = Arrays.copyOf(images, at + frames * size);
    for (int l = 0; l < frames; l++) {
      System.arraycopy(rows, l * rowSize + spectrum, images, at + l * size, size);
    }
    int block = BLOCK / CodecFeatures.STFT_FRAMES;
    for (int from = 0; from < frames; from += block) {
      int count = Math.min(block, frames - from);
      float[] ln = new float[count * spectrum];
      float[] turns = new float[rowSize == featureSize ? 0 : ln.length];
      for (int l = 0; l < count; l++) {
        int row = (from + l) * rowSize;
        System.arraycopy(rows, row, ln, l * spectrum, spectrum);
        if (turns.length > 0) {
          System.arraycopy(rows, row + featureSize, turns, l * spectrum, spectrum);
        }
      }
      CodecFeatures.toLogMagnitudes(ln);
      boolean last = rendered == total && from + count == frames;
      samples.add(sound(ln, turns, count * CodecFeatures.STFT_FRAMES, last));
    }
  }

  private float[][] sound(float[] ln, float[] turns, int frames, boolean last) {
    FrameSynthesis.Finished mid =
        switch (synthesis) {
          case PhaseRecovery recovery -> recovery.append(ln, frames, last);
          case GivenPhases given -> given.append(ln, turns, frames, last);
        };
    if (config.stereoBands() == 0) {
      return new float[][] {mid.samples()};
    }
    float[] rest = side(mid.count(), last);
    float[] left = mid.samples();
    float[] right = new float[left.length];
    for (int i = 0; i < left.length; i++) {
      float middle = left[i];
      left[i] = middle + rest[i];
      right[i] = middle - rest[i];
    }
    return new float[][] {left, right};
  }

  private float[] side(int frames, boolean last) {
    RowFft fft = synthesis.fft();
    image.rebuild(
        synthesis.re(),
        synthesis.im(),
        frames,
        images,
        stftFramesDone,
        CodecFeatures.STFT_FRAMES,
        fft);
    fft.inverse(frames);
    stftFramesDone += frames;
    int whole = stftFramesDone / CodecFeatures.STFT_FRAMES;
    images = Arrays.copyOfRange(images, whole * image.size(), images.length);
    stftFramesDone -= whole * CodecFeatures.STFT_FRAMES;
    return side.emit(frames, last);
  }

  /** Parts of a waveform that become one. */
  private final class Samples {
    private final List<float[][]> parts = new ArrayList<>();

    void add(float[][] part) {
      parts.add(part);
    }

    float[][] joined() {
      if (parts.size() == 1) {
        return parts.getFirst();
      }
      int length = parts.stream().mapToInt(part -> part[0].length).sum();
      float[][] all = new float[channels()][length];
      int at = 0;
      for (float[][] part : parts) {
        for (int c = 0; c < all.length; c++) {
          System.arraycopy(part[c], 0, all[c], at, part[c].length);
        }
        at += part[0].length;
      }
      return all;
    }
  }

  @Override
  public void close() {
    finished = true;
  }
}
