package org.descant.models.published.codec;

import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import org.descant.models.published.weights.Layer;
import org.descant.models.published.weights.Owned;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * EnCodec (Défossez et al. 2022, arXiv:2210.13438) as published at 24, 32 and 48 kHz, and any other
 * configuration of the family: waveforms to residual codes and back, in fp32.
 *
 * <p>Models with chunks code a recording in overlapping pieces, one entry of the codes' first
 * dimension each, and cross-fade them; models that normalise divide every piece by its loudness and
 * return that as a scale, without which the codes cannot be decoded. So this is not the house's
 * {@code Codec}, whose codes are one list of frames that stands by itself.
 *
 * <p>Safe for several threads at once; results belong to the caller's scope; {@link #close} frees
 * the weights.
 */
public final class EnCodec implements AutoCloseable {
  /**
   * Samples of one row of audio; ten minutes at 24 kHz. Longer recordings are cut by the caller.
   */
  public static final int SAMPLES_MAX = 1 << 24;

  /** One codebook; for the search in F64, with the squared lengths of its rows. */
  private record Codebook(Tensor rowsKD, Tensor searchDK, Tensor squares1K) {}

  private final Owned owned;
  private final EnCodecConfig config;
  private final Layer encoder;
  private final Layer decoder;
  private final List<Codebook> codebooks = new ArrayList<>();

  /**
   * What {@link #encode} gives.
   *
   * @param codes I64 [chunks, batch, codebooks, frames]
   * @param scales fp32 [chunks, batch, 1], or null when the model does not normalise
   * @param lastChunkPadding frames of zeros that fill up the last chunk; decoding may leave them
   *     out
   */
  public record Encoded(Tensor codes, @Nullable Tensor scales, int lastChunkPadding) {}

  private EnCodec(PublishedWeights weights, PublishedConfig published, Owned owned) {
    this.owned = owned;
    this.config = EnCodecConfig.of(published);
    this.encoder = SeaNet.encoder(config, weights.under("encoder."), owned);
    this.decoder = SeaNet.decoder(config, weights.under("decoder."), owned);
    for (int i = 0; i < config.codebooks(); i++) {
      PublishedWeights book = weights.under("quantizer.layers." + i + ".codebook.");
      Tensor rows = owned.keep(book.tensor("embed", config.codebookSize(), config.width()));
      Tensor exact = rows.to(DType.F64);
      codebooks.add(
          new Codebook(
              rows,
              owned.keep(exact.transpose(0, 1).contiguous()),
              owned.keep(exact.square().sum(1, false).unsqueeze(0))));
      // What training moves the rows with.
      book.ignore("inited");
      book.ignore("cluster_size");
      book.ignore("embed_avg");
    }
    weights.requireAllUsed();
  }

  /**
   * Loads a codec.
   *
   * @param weights the file, or its part under the codec's prefix (a MusicGen's "audio_encoder.")
   * @param config the configuration of that part
   * @throws ModelException naming the key or tensor that does not fit
   */
  public static EnCodec load(PublishedWeights weights, PublishedConfig config) {
    Owned owned = new Owned();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return new EnCodec(weights, config, owned);
    } catch (RuntimeException e) {
      owned.close();
      throw e;
    }
  }

  /** Samples per second. */
  public int sampleRate() {
    return config.sampleRate();
  }

  /** Channels of the waveforms, 1 or 2. */
  public int channels() {
    return config.channels();
  }

  /** Samples that one frame of codes stands for. */
  public int samplesPerFrame() {
    return Math.toIntExact(config.hop());
  }

  /** Frames per second. */
  public double frameRate() {
    return (double) config.sampleRate() / config.hop();
  }

  /** Codebooks of a full encoding. */
  public int codebooks() {
    return codebooks.size();
  }

  /** Entries of each codebook. */
  public int codebookSize() {
    return config.codebookSize();
  }

  /** The bandwidths, in kilobits per second, that {@link #encode} takes. */
  public List<Double> bandwidths() {
    return config.bandwidths();
  }

  /**
   * Encodes waveforms. The last chunk may be short and is filled up with code 0; one between it and
   * the first that the recording does not fill (it ends inside the overlap) hears silence after it
   * where it would have fewer frames. A recording shorter than a chunk has shorter chunks.
   *
   * @param audio fp32 [batch, {@link #channels()}, samples], full scale ±1
   * @param bandwidthKbps one of {@link #bandwidths()}
   * @throws ModelException when the shape or the bandwidth is not this model's
   */
  public Encoded encode(Tensor audio, double bandwidthKbps) {
    requireAudio(audio);
    if (!config.bandwidths().contains(bandwidthKbps)) {
      throw new ModelException(
          "This EnCodec has no bandwidth of %s kbit/s; it has %s."
              .formatted(bandwidthKbps, config.bandwidths()));
    }
    int used = config.codebooksFor(bandwidthKbps);
    long samples = audio.size(2);
    long chunk = config.chunkSamples() == 0 ? samples : config.chunkSamples();
    long stride = config.chunkSamples() == 0 ? samples : config.chunkStride();
    long whole = Math.ceilDiv(Math.min(chunk, samples), config.hop());
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Tensor> codes = new ArrayList<>();
      List<Tensor> scales = new ArrayList<>();
      for (long start = 0; start < samples; start += stride) {
        try (Scope inner = Scope.open()) {
          Tensor piece = audio.narrow(2, start, Math.min(chunk, samples - start));
          if (start + stride < samples && Math.ceilDiv(piece.size(2), config.hop()) < whole) {
            piece = piece.pad(0, chunk - piece.size(2), 0.0);
          }
          if (config.normalize()) {
            Tensor mono = piece.sum(1, true).div((double) config.channels());
            Tensor scale = mono.square().mean(2, true).sqrt().add(1e-8);
            piece = piece.div(scale);
            scales.add(inner.keep(scale.reshape(-1, 1)));
          }
          codes.add(inner.keep(quantize(encoder.forward(piece), used)));
        }
      }
      long frames = codes.getFirst().size(2);
      int padding = (int) (frames - codes.getLast().size(2));
      if (padding > 0) {
        codes.set(codes.size() - 1, codes.getLast().pad(0, padding, 0.0));
      }
      return new Encoded(
          scope.keep(Tensor.stack(codes, 0)),
          scales.isEmpty() ? null : scope.keep(Tensor.stack(scales, 0)),
          padding);
    }
  }

  /** Embeddings [batch, width, frames] to codes [batch, used, frames]. */
  private Tensor quantize(Tensor embeddings, int used) {
    long batch = embeddings.size(0);
    long frames = embeddings.size(2);
    Tensor rest = embeddings.transpose(1, 2).reshape(batch * frames, config.width());
    List<Tensor> codes = new ArrayList<>();
    for (Codebook book : codebooks.subList(0, used)) {
      try (Scope scope = Scope.open()) {
        Tensor nearest = nearest(book, rest);
        codes.add(scope.keep(nearest.reshape(batch, frames)));
        rest = scope.keep(rest.sub(book.rowsKD.embedding(nearest)));
      }
    }
    return Tensor.stack(codes, 1);
  }

  /**
   * The nearest rows by Euclidean distance; the first of equal ones. In F64, where the difference
   * of large squares keeps the digits that tell near rows apart: the convolutions before it cost a
   * hundred times as much.
   */
  private static Tensor nearest(Codebook book, Tensor rows) {
    return rows.to(DType.F64)
        .mul(-2.0)
        .matmul(book.searchDK)
        .addInPlace(book.squares1K)
        .argmin(1, false);
  }

  /** {@link #decode(Tensor, Tensor, int)} of everything. */
  public Tensor decode(Tensor codes, @Nullable Tensor scales) {
    return decode(codes, scales, 0);
  }

  /**
   * Decodes any number of leading codebooks.
   *
   * @param codes I64 [chunks, batch, codebooks, frames]
   * @param scales [chunks, batch, 1] for a model that normalises; null leaves the loudness at one
   * @param lastChunkPadding frames at the end of the last chunk to leave out
   * @return fp32 [batch, channels, samples]; a few samples more than were encoded where those did
   *     not fill the last frame
   * @throws ModelException when a code is out of range or the shapes are not this model's
   */
  public Tensor decode(Tensor codes, @Nullable Tensor scales, int lastChunkPadding) {
    requireCodes(codes, scales, lastChunkPadding);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      List<Tensor> pieces = new ArrayList<>();
      long chunks = codes.size(0);
      for (long i = 0; i < chunks; i++) {
        try (Scope inner = Scope.open()) {
          Tensor chunk = codes.select(0, i);
          long padding = i == chunks - 1 ? lastChunkPadding : 0;
          Tensor wave = decoder.forward(embed(chunk.narrow(2, 0, chunk.size(2) - padding)));
          pieces.add(
              inner.keep(
                  scales == null ? wave : wave.mulInPlace(scales.select(0, i).reshape(-1, 1, 1))));
        }
      }
      return scope.keep(config.chunkSamples() == 0 ? pieces.getFirst() : overlapAdd(pieces));
    }
  }

  /** Codes [batch, codebooks, frames] to embeddings [batch, width, frames]. */
  private Tensor embed(Tensor codes) {
    Tensor sum = Tensor.zeros(codes.size(0), codes.size(2), config.width());
    for (int i = 0; i < codes.size(1); i++) {
      try (Scope scope = Scope.open()) {
        sum.addInPlace(codebooks.get(i).rowsKD.embedding(codes.select(1, i).contiguous()));
      }
    }
    return sum.transpose(1, 2).contiguous();
  }

  /**
   * Cross-fades the chunks: each is weighted by a triangle over its length, and what was added at a
   * sample is divided by the weights that met there.
   */
  private Tensor overlapAdd(List<Tensor> pieces) {
    Tensor first = pieces.getFirst();
    long stride = config.chunkStride();
    long length = first.size(2);
    long total = stride * (pieces.size() - 1) + pieces.getLast().size(2);
    Tensor ramp = Tensor.linspace(0, 1, length + 2).narrow(0, 1, length);
    Tensor triangle = ramp.sub(0.5).abs().neg().add(0.5);
    Tensor sum = Tensor.zeros(first.size(0), first.size(1), total);
    Tensor weight = Tensor.zeros(total);
    long start = 0;
    for (Tensor piece : pieces) {
      try (Scope scope = Scope.open()) {
        long here = piece.size(2);
        Tensor fade = triangle.narrow(0, 0, here);
        sum.narrow(2, start, here).addInPlace(piece.mul(fade));
        weight.narrow(0, start, here).addInPlace(fade);
      }
      start += stride;
    }
    return sum.divInPlace(weight);
  }

  private void requireAudio(Tensor audio) {
    if (audio.dim() != 3
        || audio.size(1) != config.channels()
        || audio.count() == 0
        || audio.size(2) > SAMPLES_MAX
        || audio.dtype() != DType.F32) {
      throw new ModelException(
          "Audio must be F32 [batch, %d, 1 to %d samples], not %s."
              .formatted(config.channels(), SAMPLES_MAX, audio));
    }
  }

  private void requireCodes(Tensor codes, @Nullable Tensor scales, int lastChunkPadding) {
    if (codes.dim() != 4
        || codes.dtype() != DType.I64
        || codes.count() == 0
        || codes.size(2) > codebooks.size()
        || codes.size(3) > SAMPLES_MAX / config.hop()
        || (config.chunkSamples() == 0 && codes.size(0) != 1)) {
      throw new ModelException(
          "Codes must be I64 [%s, batch, 1 to %d codebooks, 1 to %d frames], not %s."
              .formatted(
                  config.chunkSamples() == 0 ? "1" : "chunks",
                  codebooks.size(),
                  SAMPLES_MAX / config.hop(),
                  codes));
    }
    if (lastChunkPadding < 0 || lastChunkPadding >= codes.size(3)) {
      throw new ModelException(
          "%d frames of padding leave nothing of %d.".formatted(lastChunkPadding, codes.size(3)));
    }
    if (scales != null && scales.count() != codes.size(0) * codes.size(1)) {
      throw new ModelException(
          "Scales %s do not belong to codes %s: one for each chunk and row is needed."
              .formatted(scales, codes));
    }
    Codes.requireBelow(codes, config.codebookSize());
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owned.close();
  }
}
