package org.descant.models.published.musicgen;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.descant.models.ModelException;
import org.descant.models.lm.Sampling;
import org.descant.models.published.codec.Codes;
import org.descant.models.published.codec.EnCodec;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.text.T5Encoder;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * MusicGen (Copet et al. 2023, arXiv:2306.05284) as published on the Hub: a T5 encoder for the
 * text, a {@link MusicGenDecoder} for the codes, an EnCodec for the sound; mono and stereo; also
 * MusicGen-melody, which follows the pitch classes of a recording besides.
 *
 * <p>Codebook k of a frame is decoded k steps after codebook 0 (the delay pattern); in stereo the
 * two channels of a codebook share its delay and lie beside each other, left first. Numbers are
 * those of {@code transformers}. Reading is safe for several threads.
 */
public final class MusicGen implements AutoCloseable {
  private static final int NEW_TOKENS_MAX = 1 << 15;
  private static final int WORKERS_MAX = 256;

  private final PublishedConfig config;
  private final T5Encoder text;
  private final MusicGenDecoder decoder;
  private final EnCodec codec;
  private final Defaults defaults;
  private final @Nullable ChromaFeatures ear;

  /**
   * What {@code generation_config.json} says, or where it is silent the reference's own defaults.
   *
   * @param guidance scale of classifier-free guidance, 1 for none
   * @param sampling how a code is drawn from its scores
   * @param newTokens steps beyond the first
   * @param special the token that stands where a stream has no code
   */
  public record Defaults(double guidance, Sampling sampling, int newTokens, int special) {}

  /**
   * One call of {@link #generate}.
   *
   * @param newTokens steps to make: {@code newTokens − codebooks per channel + 1} frames come out,
   *     after those of the prompt
   * @param guidance scale of classifier-free guidance; 1 and below is none
   * @param sampling how a code is drawn; {@link Sampling#GREEDY} is the reference's {@code
   *     do_sample=False}
   * @param seed of the first clip; the others follow it
   * @param lookAtPadding see {@link MusicGenDecoder#text}
   * @param workers threads that share the clips, each decoding its part; with several, give each
   *     operation one thread ({@code NativeRuntime.init(1)}). The codes do not depend on it in
   *     fp32; in int8 the clips of one worker are rounded by one scale
   */
  public record Request(
      int newTokens,
      double guidance,
      Sampling sampling,
      long seed,
      boolean lookAtPadding,
      int workers) {
    public Request {
      if (workers < 1 || workers > WORKERS_MAX) {
        throw new ModelException(
            "Workers must be 1 to %d, not %d.".formatted(WORKERS_MAX, workers));
      }
      if (newTokens < 1 || newTokens > NEW_TOKENS_MAX) {
        throw new ModelException(
            "New tokens must be 1 to %d, not %d.".formatted(NEW_TOKENS_MAX, newTokens));
      }
      if (!(guidance >= 0 && guidance <= 100)) {
        throw new ModelException("A guidance scale is from 0 to 100, was " + guidance + ".");
      }
    }

    /** Always the likeliest code, as the reference with {@code do_sample=False}. */
    public static Request greedy(int newTokens, double guidance) {
      return new Request(newTokens, guidance, Sampling.GREEDY, 0, false, 1);
    }
  }

  /**
   * What was generated.
   *
   * @param codes I64 [batch, codebooks, frames]
   * @param audio fp32 [batch, channels, samples] at {@link #sampleRate}
   */
  public record Generated(Tensor codes, Tensor audio) {}

  private MusicGen(
      PublishedConfig config,
      T5Encoder text,
      MusicGenDecoder decoder,
      EnCodec codec,
      Defaults defaults,
      @Nullable ChromaFeatures ear) {
    this.config = config;
    this.text = text;
    this.decoder = decoder;
    this.codec = codec;
    this.defaults = defaults;
    this.ear = ear;
  }

  /**
   * Loads a model folder for decoding in fp32.
   *
   * @throws ModelException naming the key or the tensor that does not fit
   */
  public static MusicGen load(Path folder) {
    return load(folder, Form.PACKED);
  }

  /** Loads a model folder with the decoder's weights in this form. */
  public static MusicGen load(Path folder, Form form) {
    return load(folder, form, null);
  }

  /** Loads a model folder with an adapter merged into the decoder's weights, or null for none. */
  public static MusicGen load(Path folder, Form form, @Nullable LoraAdapter merged) {
    return load(folder, form, merged, 1);
  }

  /**
   * Loads a model folder with an adapter merged into the decoder's weights for good; it may be
   * closed afterwards. To switch between adapters, use {@link MusicGenDecoder#adapt}.
   *
   * @param threads that decode at most, side by side, each running libtorch's operations alone (see
   *     {@link org.descant.tensor.Crew}); as many do as the heads divide by
   */
  public static MusicGen load(Path folder, Form form, @Nullable LoraAdapter merged, int threads) {
    try (PublishedWeights weights = PublishedWeights.open(folder)) {
      return load(weights, form, weights::tensor, merged, threads);
    }
  }

  /**
   * Loads a model folder whose decoder learns: it reads its weights from these parameters, which
   * are allocated here with the folder's values, stay the caller's, and must outlive the model.
   */
  public static MusicGen load(Path folder, MusicGenParameters parameters) {
    try (PublishedWeights weights = PublishedWeights.open(folder)) {
      return load(weights, Form.PLAIN, parameters.source(weights), null, 1);
    }
  }

  /** Loads from an open folder, which may be closed afterwards. */
  public static MusicGen load(PublishedWeights weights, Form form, @Nullable LoraAdapter merged) {
    return load(weights, form, weights::tensor, merged, 1);
  }

  private static MusicGen load(
      PublishedWeights weights,
      Form form,
      MusicGenDecoder.Source source,
      @Nullable LoraAdapter merged,
      int threads) {
    List<AutoCloseable> made = new ArrayList<>();
    PublishedConfig config = weights.config();
    try {
      MusicGenConfig shape = MusicGenConfig.of(config);
      Defaults defaults = defaults(config);
      MusicGenConfig.Melody melody = shape.melody();
      ChromaFeatures ear = melody == null ? null : ChromaFeatures.of(config, melody);
      if (!shape.projected()) {
        weights.ignoreUnder("enc_to_dec_proj.");
      }
      if (melody != null && !melody.projected()) {
        weights.ignoreUnder("audio_enc_to_dec_proj.");
      }
      weights.ignore("decoder.model.decoder.embed_positions.weights");
      MusicGenDecoder decoder =
          new MusicGenDecoder(config, form, source, merged, shape.lanes(threads));
      made.add(decoder);
      T5Encoder text = T5Encoder.load(weights.under("text_encoder."), config.child("text_encoder"));
      made.add(text);
      EnCodec codec = EnCodec.load(weights.under("audio_encoder."), config.child("audio_encoder"));
      made.add(codec);
      weights.requireAllUsed();
      requireCodec(config, shape, codec);
      return new MusicGen(config, text, decoder, codec, defaults, ear);
    } catch (RuntimeException e) {
      for (AutoCloseable part : made) {
        try {
          part.close();
        } catch (Exception closing) {
          e.addSuppressed(closing);
        }
      }
      throw e;
    }
  }

  /** The streams must be what the codec can turn into sound. */
  private static void requireCodec(PublishedConfig config, MusicGenConfig shape, EnCodec codec) {
    if (shape.vocabulary() > codec.codebookSize()) {
      throw config
          .child("decoder")
          .refusal("vocab_size", "the codec's codebooks hold " + codec.codebookSize() + " codes");
    }
    if (shape.codebooksPerChannel() > codec.codebooks()) {
      throw config
          .child("decoder")
          .refusal("num_codebooks", "the codec has " + codec.codebooks() + " a channel");
    }
  }

  private static Defaults defaults(PublishedConfig root) {
    Path file = root.file().resolveSibling("generation_config.json");
    PublishedConfig decoder = root.child("decoder");
    int vocabulary = decoder.whole("vocab_size", 2048, 1);
    if (!Files.exists(file)) {
      int special = decoder.whole("pad_token_id", vocabulary, 0);
      return new Defaults(1, Sampling.GREEDY, 20, requireSpecial(decoder, special, vocabulary));
    }
    PublishedConfig said = PublishedConfig.read(file);
    for (Map.Entry<String, Double> plain :
        Map.of(
                "num_beams", 1.0,
                "repetition_penalty", 1.0,
                "encoder_repetition_penalty", 1.0,
                "no_repeat_ngram_size", 0.0,
                "min_length", 0.0,
                "num_return_sequences", 1.0,
                "typical_p", 1.0)
            .entrySet()) {
      if (said.number(plain.getKey(), plain.getValue()) != plain.getValue()) {
        throw said.refusal(plain.getKey(), "only " + plain.getValue() + " is");
      }
    }
    for (String key :
        List.of("eos_token_id", "bad_words_ids", "suppress_tokens", "forced_eos_token_id")) {
      if (said.has(key)) {
        throw said.refusal(key, "codes have no such token");
      }
    }
    int special = said.whole("pad_token_id", decoder.whole("pad_token_id", vocabulary, 0), 0);
    int first =
        said.whole(
            "decoder_start_token_id",
            said.whole("bos_token_id", decoder.whole("bos_token_id", special, 0), 0),
            0);
    if (first != special) {
      throw said.refusal(
          "pad_token_id", "it must be the token that decoding starts with, " + first);
    }
    boolean draws = said.flag("do_sample", false);
    Sampling sampling =
        draws
            ? new Sampling(
                (float) said.number("temperature", 1),
                said.whole("top_k", 50, 0),
                (float) said.number("top_p", 1))
            : Sampling.GREEDY;
    return new Defaults(
        said.number("guidance_scale", 1),
        sampling,
        said.has("max_new_tokens")
            ? said.whole("max_new_tokens", 20, 1)
            : said.whole("max_length", 21, 2) - 1,
        requireSpecial(said, special, vocabulary));
  }

  /** A special token among the codes could not be told from a code. */
  private static int requireSpecial(PublishedConfig said, int special, int vocabulary) {
    if (special != vocabulary) {
      throw said.refusal("pad_token_id", "it must be the first number that is no code");
    }
    return special;
  }

  /** Shape of the decoder. */
  public MusicGenConfig config() {
    return decoder.config();
  }

  /** The text encoder. */
  public T5Encoder textEncoder() {
    return text;
  }

  /** The code decoder. */
  public MusicGenDecoder decoder() {
    return decoder;
  }

  /** The codec of one channel. */
  public EnCodec codec() {
    return codec;
  }

  /** What the model's makers set for {@link #generate}. */
  public Defaults defaults() {
    return defaults;
  }

  /** Samples per second and channel. */
  public int sampleRate() {
    return codec.sampleRate();
  }

  /** How a melody is heard; null where none leads this model. */
  public @Nullable ChromaFeatures ear() {
    return ear;
  }

  /**
   * Encodes texts for the decoder; {@link MusicGenDecoder#withMelody} adds a melody.
   *
   * @param inputIds I64 [batch, tokens]
   * @param attentionMask [batch, tokens], 0 at padding; null when nothing is
   */
  public Text encode(Tensor inputIds, @Nullable Tensor attentionMask, boolean lookAtPadding) {
    return decoder.text(text.encode(inputIds, attentionMask), attentionMask, lookAtPadding);
  }

  /** Texts that say nothing: what a model generates without a prompt. */
  public Text nothing(int batch) {
    return decoder.text(
        Tensor.zeros(batch, 1, config().textWidth()), Tensor.zeros(batch, 1), false);
  }

  /**
   * Scores of the next codes at every position, as the reference's forward pass.
   *
   * @param told see {@link #encode}
   * @param decoderInputIds I64 [batch × codebooks, time]
   * @return [batch × codebooks, time, vocabulary]; where a melody leads, it and the text have
   *     positions before those of the codes
   */
  public Tensor logits(Text told, Tensor decoderInputIds) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (decoderInputIds.dim() != 2 || decoderInputIds.size(0) % config().codebooks() != 0) {
        throw new ModelException(
            "Decoder inputs must be [batch × %d, time], not %s."
                .formatted(config().codebooks(), decoderInputIds));
      }
      Tensor tokens = decoderInputIds.reshape(-1, config().codebooks(), decoderInputIds.size(1));
      return scope.keep(decoder.logits(tokens, told).flatten(0, 1));
    }
  }

  /** The same of tokenised texts; see {@link #encode}. */
  public Tensor logits(Tensor inputIds, @Nullable Tensor attentionMask, Tensor decoderInputIds) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      return scope.keep(logits(encode(inputIds, attentionMask, false), decoderInputIds));
    }
  }

  /** Codes and sound for what is told; see {@link #encode}. */
  public Generated generate(Text told, Request request) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor codes = codes(told, null, request);
      return new Generated(scope.keep(codes), scope.keep(audio(codes)));
    }
  }

  /**
   * Generates codes.
   *
   * @param prompt I64 [batch, codebooks, frames] to go on from, or null
   * @return I64 [batch, codebooks, frames], the prompt's frames first
   */
  public Tensor codes(Text encoded, @Nullable Tensor prompt, Request request) {
    int books = config().codebooks();
    int clips = Math.toIntExact(encoded.states().size(0));
    int given = 0;
    long[] known = {};
    if (prompt != null) {
      if (prompt.dim() != 3 || prompt.size(0) != clips || prompt.size(1) != books) {
        throw new ModelException(
            "A prompt must be [%d, %d, frames], not %s.".formatted(clips, books, prompt));
      }
      Codes.requireBelow(prompt, config().vocabulary());
      given = Math.toIntExact(prompt.size(2));
      known = prompt.toLongs();
    }
    int frames = DelayedColumns.frames(config(), given + request.newTokens());
    long[] codes = new long[clips * books * frames];
    int workers = Math.min(request.workers(), clips);
    Prompt after = new Prompt(known, given);
    if (workers == 1) {
      decode(encoded, 0, clips, after, request, codes);
      return Tensor.of(codes, clips, books, frames);
    }
    try (var pool = Executors.newFixedThreadPool(workers)) {
      List<Future<?>> parts = new ArrayList<>();
      for (int w = 0; w < workers; w++) {
        int from = clips * w / workers;
        int to = clips * (w + 1) / workers;
        parts.add(pool.submit(() -> decode(encoded, from, to, after, request, codes)));
      }
      for (Future<?> part : parts) {
        part.get();
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException problem
          ? problem
          : new ModelException("A worker could not decode: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ModelException("Decoding was interrupted; nothing was kept.", e);
    }
    return Tensor.of(codes, clips, books, frames);
  }

  /** Codes to go on from: [clips × codebooks × frames]. */
  private record Prompt(long[] codes, int frames) {}

  /** Decodes clips {@code from … to−1} into their place in {@code codes}. */
  private void decode(
      Text encoded, int from, int to, Prompt prompt, Request request, long[] codes) {
    int books = config().codebooks();
    int clips = to - from;
    int steps = prompt.frames + request.newTokens();
    DelayedColumns columns = new DelayedColumns(config(), clips, steps, defaults.special());
    SplittableRandom[] random = new SplittableRandom[clips];
    for (int c = 0; c < clips; c++) {
      random[c] = new SplittableRandom(request.seed() + from + c);
    }
    int size = config().vocabulary();
    float[] scores = new float[clips * books * size];
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        MusicGenSession session =
            decoder.session(encoded.narrow(from, clips), request.guidance(), steps)) {
      for (int step = 0; step < steps; step++) {
        session.step(columns.last(), scores);
        long[] next = new long[clips * books];
        for (int row = 0; row < next.length; row++) {
          int frame = columns.frame(row % books);
          next[row] =
              frame >= 0 && frame < prompt.frames
                  ? prompt.codes[(from * books + row) * prompt.frames + frame]
                  : request.sampling().draw(scores, row * size, size, random[row / books]);
        }
        columns.add(next);
      }
    }
    long[] made = columns.codes();
    System.arraycopy(made, 0, codes, from * books * columns.frames(), made.length);
  }

  /**
   * The sound of codes: with a stereo model the even streams are the left channel.
   *
   * @param codes I64 [batch, codebooks, frames]
   * @return fp32 [batch, channels, samples]
   */
  public Tensor audio(Tensor codes) {
    if (config().channels() == 1) {
      return codec.decode(codes.unsqueeze(0), null);
    }
    long streams = codes.size(1);
    Tensor left = codec.decode(codes.slice(1, 0, streams, 2).unsqueeze(0), null);
    Tensor right = codec.decode(codes.slice(1, 1, streams, 2).unsqueeze(0), null);
    return Tensor.cat(List.of(left, right), 1);
  }

  /** Codes that a training step or a prompt starts from: audio [batch, channels, samples]. */
  public Tensor codesOf(Tensor audio) {
    double bandwidth = bandwidth();
    if (audio.dim() != 3 || audio.size(1) != config().channels() * (long) codec.channels()) {
      throw new ModelException(
          "Audio must be [batch, %d, samples], not %s."
              .formatted(config().channels() * codec.channels(), audio));
    }
    if (config().channels() == 1) {
      return streams(codec.encode(audio, bandwidth).codes());
    }
    long each = codec.channels();
    Tensor left = streams(codec.encode(audio.narrow(1, 0, each), bandwidth).codes());
    Tensor right = streams(codec.encode(audio.narrow(1, each, each), bandwidth).codes());
    return Tensor.stack(List.of(left, right), 2).flatten(1, 2);
  }

  private Tensor streams(Tensor chunked) {
    if (chunked.size(0) != 1) {
      throw codecRefusal("chunk_length_s", "a model's codec takes the audio as one chunk");
    }
    return chunked.select(0, 0).narrow(1, 0, config().codebooksPerChannel());
  }

  /** The least bandwidth that carries as many codebooks as the decoder has. */
  private double bandwidth() {
    double bits = Math.log(codec.codebookSize()) / Math.log(2);
    for (double bandwidth : codec.bandwidths().stream().sorted().toList()) {
      if (bandwidth * 1000 / (codec.frameRate() * bits) >= config().codebooksPerChannel()) {
        return bandwidth;
      }
    }
    throw codecRefusal(
        "target_bandwidths", "none carries " + config().codebooksPerChannel() + " codebooks");
  }

  private ModelException codecRefusal(String key, String why) {
    return config.child("audio_encoder").refusal(key, why);
  }

  @Override
  public void close() {
    text.close();
    decoder.close();
    codec.close();
  }
}
