package org.descant.models.published.codec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.codec.Codec;
import org.descant.tensor.DType;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * A {@link Dac} as any other codec: two channels are mixed to one, and decoding goes in pieces of
 * about 12 seconds, each with the frames on both sides that its samples depend on, so that memory
 * does not grow with the recording. A stream decodes the same pieces and lags by one of them; the
 * network looks ahead as far as back and was not made for streams.
 *
 * <p>One thread at a time. {@link #close} closes the model.
 */
public final class DacCodec implements Codec, AutoCloseable {
  private static final int PIECE_SAMPLES = 1 << 19;

  private final Dac dac;
  private final int piece;
  private final int reach;

  /**
   * @param dac is closed with this
   * @throws ModelException when its frames are not a whole number of samples
   */
  public DacCodec(Dac dac) {
    this(dac, Math.max(1, PIECE_SAMPLES / dac.samplesPerFrame()));
  }

  /**
   * @param piece frames decoded at once
   */
  DacCodec(Dac dac, int piece) {
    if (!dac.hasWholeFrames()) {
      throw new ModelException(
          "This DAC has odd ratios, or others for decoding than for encoding, so its sound has not"
              + " a whole number of samples a frame; use it as tensors.");
    }
    this.dac = dac;
    this.piece = piece;
    this.reach = dac.decoderReach();
  }

  @Override
  public int sampleRate() {
    return dac.sampleRate();
  }

  @Override
  public int channels() {
    return 1;
  }

  @Override
  public int samplesPerFrame() {
    return dac.samplesPerFrame();
  }

  @Override
  public int codebooks() {
    return dac.codebooks();
  }

  @Override
  public int codebookSize() {
    return dac.codebookSize();
  }

  @Override
  public int[][] encode(float[][] channels) {
    if (channels.length < 1
        || channels.length > 2
        || channels[0].length == 0
        || channels[channels.length - 1].length != channels[0].length) {
      throw new ModelException("A DAC encodes one or two channels of the same length, not empty.");
    }
    int samples = channels[0].length;
    if (samples > Dac.SAMPLES_MAX - samplesPerFrame()) {
      throw new ModelException(
          "A DAC encodes at most %,d samples at once, not %,d; cut the recording."
              .formatted(Dac.SAMPLES_MAX - samplesPerFrame(), samples));
    }
    float[] mono = new float[Math.ceilDiv(samples, samplesPerFrame()) * samplesPerFrame()];
    for (float[] channel : channels) {
      for (int i = 0; i < samples; i++) {
        mono[i] += channel[i] / channels.length;
      }
    }
    try (Scope scope = Scope.open()) {
      Tensor codes = dac.encode(Tensor.of(mono, 1, 1, mono.length), codebooks()).codes();
      int[][] arrays = new int[codebooks()][];
      for (int k = 0; k < arrays.length; k++) {
        arrays[k] = codes.select(0, 0).select(0, k).to(DType.I32).contiguous().toInts();
      }
      return arrays;
    }
  }

  @Override
  public float[][] decode(int[][] codes) {
    requireEqualLengths(codes);
    int frames = codes[0].length;
    float[] wave = new float[Math.multiplyExact(frames, samplesPerFrame())];
    for (int from = 0; from < frames; from += piece) {
      float[] part = decode(codes, from, Math.min(frames, from + piece));
      System.arraycopy(part, 0, wave, from * samplesPerFrame(), part.length);
    }
    return new float[][] {wave};
  }

  private static void requireEqualLengths(int[][] codes) {
    if (codes.length == 0 || Arrays.stream(codes).anyMatch(c -> c.length != codes[0].length)) {
      throw new ModelException("Codes are a list for each codebook, all of the same length.");
    }
  }

  /** The samples of some frames; they hear what lies around them. */
  private float[] decode(int[][] codes, int from, int to) {
    int first = Math.max(0, from - reach);
    int end = Math.min(codes[0].length, to + reach);
    long[] flat = new long[codes.length * (end - first)];
    for (int k = 0; k < codes.length; k++) {
      for (int t = first; t < end; t++) {
        flat[k * (end - first) + t - first] = codes[k][t];
      }
    }
    try (Scope scope = Scope.open()) {
      Tensor wave = dac.decode(Tensor.of(flat, 1, codes.length, end - first));
      int hop = samplesPerFrame();
      return wave.narrow(2, (long) (from - first) * hop, (long) (to - from) * hop)
          .contiguous()
          .toFloats();
    }
  }

  @Override
  public StreamingDecoder stream() {
    return new Stream();
  }

  private final class Stream implements StreamingDecoder {
    private final List<int[][]> pushed = new ArrayList<>();
    private int done;
    private int known;

    @Override
    public float[][] push(int[][] codes) {
      requireEqualLengths(codes);
      if (!pushed.isEmpty() && pushed.getFirst().length != codes.length) {
        throw new ModelException("A stream keeps its number of codebooks from the first push on.");
      }
      pushed.add(codes);
      known += codes[0].length;
      int ready = (known - reach) / piece * piece;
      return ready > done ? render(ready) : new float[1][0];
    }

    @Override
    public float[][] finish() {
      return known > done ? render(known) : new float[1][0];
    }

    private float[][] render(int end) {
      int[][] all = joined();
      float[] wave = new float[(end - done) * samplesPerFrame()];
      for (int from = done; from < end; from += piece) {
        float[] part = decode(all, from, Math.min(end, from + piece));
        System.arraycopy(part, 0, wave, (from - done) * samplesPerFrame(), part.length);
      }
      done = end;
      return new float[][] {wave};
    }

    /** All codes so far; they are small beside the sound. */
    private int[][] joined() {
      int[][] all = new int[pushed.getFirst().length][known];
      int at = 0;
      for (int[][] codes : pushed) {
        for (int k = 0; k < all.length; k++) {
          System.arraycopy(codes[k], 0, all[k], at, codes[k].length);
        }
        at += codes[0].length;
      }
      pushed.clear();
      pushed.add(all);
      return all;
    }

    @Override
    public void close() {
      pushed.clear();
    }
  }

  /** Closes the model. */
  @Override
  public void close() {
    dac.close();
  }
}
