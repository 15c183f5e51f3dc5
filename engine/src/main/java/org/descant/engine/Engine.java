package org.descant.engine;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.engine.ModelInfo.TrainedOn;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.Codec;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.codec.StyleEmbedding;
import org.descant.models.condition.Conditioning;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.models.condition.Guidance;
import org.descant.models.condition.Melody;
import org.descant.models.condition.Planner;
import org.descant.models.flow.FlowModel;
import org.descant.models.hub.PulledModel;
import org.descant.models.lm.Decoder;
import org.descant.models.lm.Sampling;
import org.descant.models.lm.SpanLayout;
import org.descant.models.lm.TokenLmConfig;
import org.descant.models.published.TunedModel;
import org.descant.rights.Isrc;
import org.descant.tensor.NativeRuntime;
import org.jspecify.annotations.Nullable;

/**
 * A loaded model that answers requests, one session at a time: callers wait for their turn. A
 * session may hold several clips, which share every step. Thread-safe.
 */
public final class Engine implements AutoCloseable {
  /** Frames of codes per push into the codec: about 0.37 s, so the first sound comes early. */
  private static final int FRAMES_PER_PUSH = 16;

  /** A flow model's window begins with this part of the one before. */
  private static final int OVERLAP_PART = 4;

  /** Sets the noise of a clip's windows apart. */
  private static final long WINDOW_SEED = 0x9e3779b97f4a7c15L;

  /** Below this level samples pass as they are; above it they bend, and never reach full scale. */
  private static final float LIMITER_KNEE = 0.85f;

  /** Who waits for a turn looks this often whether it is still wanted. */
  private static final int TURN_POLL_MS = 100;

  /** A melody may begin this part of a beat late rather than wait for the next. */
  private static final double BEAT_TOLERANCE = 0.05;

  private static final List<Sampling> SAMPLING =
      List.of(
          new Sampling(0.95f, 200, 0.95f),
          new Sampling(0.95f, 200, 0.95f),
          new Sampling(0.9f, 200, 0.95f),
          new Sampling(0.9f, 200, 0.95f));

  private final HouseModel model;
  private final ModelInfo info;
  private final ReentrantLock turn = new ReentrantLock(true);
  private boolean closed; // guarded by turn

  private Engine(HouseModel model, @Nullable String pulledFrom) {
    this.model = model;
    this.info = info(model.card(), pulledFrom);
  }

  /**
   * Loads a model folder.
   *
   * @param threads libtorch's threads inside one operation
   * @throws EngineException when the model was tuned from one without a rights manifest
   */
  public static Engine open(Path modelFolder, int threads) {
    TunedModel.find(modelFolder)
        .ifPresent(tuned -> {
          throw new EngineException(
              "%s may only be studied (`descant models play`): it was tuned from %s, which has no rights manifest."
                  .formatted(tuned.name(), tuned.base().name()));
        });
    NativeRuntime.init(threads);
    String pulledFrom = PulledModel.find(modelFolder).map(PulledModel::name).orElse(null);
    HouseModel model = HouseModel.load(modelFolder);
    try {
      return new Engine(model, pulledFrom);
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  public ModelInfo info() {
    return info;
  }

  /** Listens to a generation while it grows. */
  @FunctionalInterface
  public interface Listener {
    /** More samples, in order; called on the generating thread. */
    void chunk(Pcm samples);
  }

  /**
   * The request with nothing left open: tempo and key are those of a recording the model learned
   * from whose tags are nearest to what was asked, drawn by the seed among the nearest three.
   *
   * @throws EngineException when this model cannot do what is asked: follow a melody, fill a span,
   *     or one as long, go in steps, or begin from a sound
   */
  public GenerationRequest resolve(GenerationRequest request) {
    requireAble(request);
    Set<String> words = new HashSet<>();
    for (String word :
        (request.text() + " " + String.join(" ", request.tags())).split("[^\\p{L}\\p{N}]+")) {
      words.add(word.toLowerCase(Locale.ROOT));
    }
    List<TrainedOn> nearest =
        info.recordings().stream()
            .filter(r -> r.tempoBpm() > 0 && !r.key().isEmpty())
            .sorted(
                Comparator.comparingLong((TrainedOn r) -> -overlap(r, words))
                    .thenComparing(r -> r.isrc().toString()))
            .limit(3)
            .toList();
    SplittableRandom random = new SplittableRandom(request.seed());
    double tempo = 100;
    MusicalKey key = new MusicalKey(0, Mode.MAJOR);
    if (!nearest.isEmpty()) {
      TrainedOn chosen = nearest.get(random.nextInt(nearest.size()));
      tempo =
          Math.clamp(chosen.tempoBpm(), GenerationRequest.TEMPO_MIN, GenerationRequest.TEMPO_MAX);
      key = MusicalKey.parse(chosen.key());
    }
    List<String> tags = request.tags();
    if (tags.isEmpty()) {
      tags =
          info.recordings().stream()
              .flatMap(r -> r.tags().stream())
              .filter(tag -> words.contains(tag.toLowerCase(Locale.ROOT)))
              .distinct()
              .limit(GenerationRequest.TAGS_MAX)
              .toList();
    }
    return new GenerationRequest(
        request.text(),
        request.seconds(),
        request.tempoBpm() != null ? request.tempoBpm() : Double.valueOf(tempo),
        request.key() != null ? request.key() : key,
        tags,
        request.style(),
        request.seed(),
        request.guidance(),
        request.melody(),
        request.around(),
        model.isFlow() && request.steps() == null
            ? Integer.valueOf(GenerationRequest.STEPS_DEFAULT)
            : request.steps(),
        request.source());
  }

  private void requireAble(GenerationRequest request) {
    if (model.isFlow()) {
      requireFlow(request);
    } else {
      requireTokens(request);
    }
  }

  private void requireFlow(GenerationRequest request) {
    if (request.melody() != null || request.around() != null) {
      throw new EngineException(
          "The model "
              + info.name()
              + " is a flow model, which follows no melody, goes on from no clip and fills no span;"
              + " give it a clip to begin from and the seconds of it to keep, or take a token"
              + " model.");
    }
    Source source = request.source();
    if (source != null && source.sound().seconds() < request.seconds()) {
      throw new EngineException(
          "The sound to begin from lasts %.2f seconds; ask for at most that."
              .formatted(source.sound().seconds()));
    }
  }

  private void requireTokens(GenerationRequest request) {
    if (request.steps() != null || request.source() != null) {
      throw new EngineException(
          "The model %s draws tokens one after the other; steps, a sound to begin from and seconds"
                  .formatted(info.name())
              + " to keep belong to flow models.");
    }
    TokenLmConfig config = model.languageModel().config();
    if (request.melody() != null && !config.melody()) {
      throw new EngineException(
          "The model "
              + info.name()
              + " did not learn to follow a melody; leave the melody out, or take one trained with"
              + " lm.model.melody.");
    }
    Surroundings around = request.around();
    if (around == null || around.to() >= around.sound().seconds()) {
      return; // nothing comes after: plain music
    }
    if (!config.spans()) {
      throw new EngineException(
          "The model "
              + info.name()
              + " did not learn to fill spans; let the clip go on at its end instead, or take one"
              + " trained with lm.spans.");
    }
    double longest = SpanLayout.longestMiddle(layoutFrames()) / model.codec().frameRate();
    if (request.seconds() > longest) {
      throw new EngineException(
          "The model %s fills spans of at most %.1f s, asked were %.1f s; ask for a shorter one."
              .formatted(info.name(), longest, request.seconds()));
    }
  }

  /** Frames that the language model sees at once. */
  private int layoutFrames() {
    TokenLmConfig config = model.languageModel().config();
    return config.context() - config.codebooks() + 1;
  }

  /**
   * Makes one clip.
   *
   * @param cancelled looked at before every frame, and while it waits for its turn
   * @throws CancellationException when {@code cancelled} said so, or the thread was interrupted
   *     while it waited
   */
  public Generation generate(
      GenerationRequest request, Listener listener, BooleanSupplier cancelled) {
    return generate(List.of(request), (clip, chunk) -> listener.chunk(chunk), cancelled).getFirst();
  }

  /**
   * Makes several clips of one length and one guidance side by side, without listeners. The same
   * list gives the same samples; one of its clips made alone may differ, since sums over another
   * number of rows round otherwise and a draw can tip over.
   *
   * @throws EngineException when there are none, or they differ in length, guidance or steps
   */
  public List<Generation> generateAll(List<GenerationRequest> requests) {
    if (requests.isEmpty()) {
      throw new EngineException("There is nothing to make; give at least one request.");
    }
    GenerationRequest first = requests.getFirst();
    for (GenerationRequest request : requests) {
      if (requests.size() > 1 && request.around() != null) {
        throw new EngineException(
            "A clip that goes on from another, or fills a span of it, is made alone.");
      }
      if (request.seconds() != first.seconds()
          || !request.guidance().equals(first.guidance())
          || !Objects.equals(request.steps(), first.steps())) {
        throw new EngineException(
            "Clips that are made side by side have one length, one guidance and one number of"
                + " steps; make those that differ one after the other.");
      }
    }
    return generate(requests, (clip, chunk) -> {}, () -> false);
  }

  private interface Listeners {
    void chunk(int clip, Pcm samples);
  }

  private List<Generation> generate(
      List<GenerationRequest> requests, Listeners listeners, BooleanSupplier cancelled) {
    List<GenerationRequest> resolved = requests.stream().map(this::resolve).toList();
    takeTurn(cancelled);
    try {
      if (closed) {
        throw new EngineException("The model " + info.name() + " is closed; open it again.");
      }
      return new Session(resolved, listeners).run(cancelled);
    } finally {
      turn.unlock();
    }
  }

  private void takeTurn(BooleanSupplier cancelled) {
    try {
      while (!turn.tryLock(TURN_POLL_MS, TimeUnit.MILLISECONDS)) {
        if (cancelled.getAsBoolean()) {
          throw new CancellationException("The generation was cancelled while it waited.");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("The generation was interrupted while it waited.");
    }
  }

  /**
   * What a session makes and what is around it, on one line of frames: {@code before}, what is
   * made, {@code after}.
   *
   * @param seenFrom first frame that the language model sees, at most the length of {@code before}
   * @param seenTo the frame after the last that it sees
   * @param from first sample that is given out
   * @param to the sample after the last
   */
  @SuppressWarnings("ArrayRecordComponent") // Made for one session, never compared.
  private record Whole(
      int[][] before, int made, int[][] after, int seenFrom, int seenTo, long from, long to) {
    int frames() {
      return before[0].length + made + after[0].length;
    }

    /** What the language model is given of what is there. */
    Decoder.Given given() {
      int end = before[0].length;
      return new Decoder.Given(part(before, seenFrom, end), part(after, 0, seenTo - end - made));
    }
  }

  /** Lays out the sound that is there, and reads its codes; the turn is taken. */
  private Whole whole(GenerationRequest request) {
    MagnitudeCodec codec = model.codec();
    int size = codec.samplesPerFrame();
    Surroundings around = request.around();
    if (around == null) {
      long samples = Math.round(request.seconds() * codec.sampleRate());
      int frames = Math.toIntExact(Math.ceilDiv(samples, size));
      int books = model.isFlow() ? codec.codebooks() : model.languageModel().config().codebooks();
      int[][] none = new int[books][0];
      return new Whole(none, frames, none, 0, frames, 0, samples);
    }
    Pcm sound = around.sound().resampled(codec.sampleRate());
    int[][] codes =
        Arrays.copyOf(codec.encode(sound.channels()), model.languageModel().config().codebooks());
    int count = codes[0].length;
    long end = sound.frames();
    int room = layoutFrames();
    if (around.goesOn()) {
      // The sound's last frame may be cut off; it is made anew.
      int before = (int) (end / size);
      long to = end + Math.round(request.seconds() * codec.sampleRate());
      int made = Math.toIntExact(Math.ceilDiv(to - (long) before * size, size));
      int seenFrom = Math.max(0, before - room);
      return new Whole(
          part(codes, 0, before),
          made,
          part(codes, count, count),
          seenFrom,
          before + made,
          around.onlyNew() ? end : 0,
          to);
    }
    long first = Math.round(around.from() * codec.sampleRate());
    long last = Math.round(around.to() * codec.sampleRate());
    int before = (int) (first / size);
    int after = Math.min(count, Math.toIntExact(Math.ceilDiv(last, size)));
    int left = room - (after - before);
    int later = Math.min(count - after, Math.max(left / 2, left - before));
    int earlier = Math.min(before, left - later);
    if (after == count) {
      later = 0;
      earlier = Math.min(before, room);
    }
    return new Whole(
        part(codes, 0, before),
        after - before,
        part(codes, after, count),
        before - earlier,
        after + later,
        around.onlyNew() ? first : 0,
        around.onlyNew() ? last : end);
  }

  /** Frames {@code from .. to-1}. */
  private static int[][] part(int[][] codes, int from, int to) {
    return Arrays.stream(codes)
        .map(book -> Arrays.copyOfRange(book, from, to))
        .toArray(int[][]::new);
  }

  private static int[][] joined(int[][]... parts) {
    int[][] all = new int[parts[0].length][];
    for (int k = 0; k < all.length; k++) {
      int book = k;
      all[k] = Arrays.stream(parts).flatMapToInt(part -> Arrays.stream(part[book])).toArray();
    }
    return all;
  }

  /** One run of the model with its codec streams. */
  private final class Session {
    private final List<GenerationRequest> requests;
    private final Listeners listeners;
    private final List<Clip> clips = new ArrayList<>();
    private final Whole whole;
    private final long start = System.nanoTime();
    private long firstChunkNanos;

    Session(List<GenerationRequest> requests, Listeners listeners) {
      this.requests = requests;
      this.listeners = listeners;
      this.whole = whole(requests.getFirst());
    }

    List<Generation> run(BooleanSupplier cancelled) {
      Runnable check =
          () -> {
            if (cancelled.getAsBoolean()) {
              throw new CancellationException("The generation was cancelled.");
            }
          };
      List<Conditioning> conditions = requests.stream().map(this::conditions).toList();
      try {
        for (int i = 0; i < requests.size(); i++) {
          clips.add(new Clip(i));
        }
        return model.isFlow() ? flow(conditions, check) : tokens(conditions, check);
      } finally {
        clips.forEach(Clip::close);
      }
    }

    private List<Generation> tokens(List<Conditioning> conditions, Runnable check) {
      long[] seeds = requests.stream().mapToLong(GenerationRequest::seed).toArray();
      Guidance guidance = requests.getFirst().guidance();
      try (Decoder decoder =
          model
              .languageModel()
              .decoder(
                  conditions,
                  guidance,
                  sampling(),
                  seeds,
                  Collections.nCopies(requests.size(), whole.given()))) {
        clips.forEach(clip -> clip.push(whole.before()));
        int given = decoder.framesGiven();
        int pushed = given;
        while (!decoder.done()) {
          check.run();
          int ready = decoder.step();
          if (ready - pushed >= FRAMES_PER_PUSH || decoder.done()) {
            for (int i = 0; i < clips.size(); i++) {
              clips.get(i).push(decoder.codes(i, pushed, ready));
            }
            pushed = ready;
          }
        }
        List<Generation> all = new ArrayList<>();
        for (int i = 0; i < clips.size(); i++) {
          int[][] made = decoder.codes(i, given, decoder.frames());
          clips.get(i).push(whole.after());
          all.add(clips.get(i).finish(joined(whole.before(), made, whole.after())));
        }
        return all;
      }
    }

    /**
     * Window by window: each begins with the end of the one before, which is held by the inpainting
     * mask, so the evaluations of a long clip are 4/3 of those that its frames need. What leaves is
     * the sound of the latents' codes, so that credits and the search for copies look at what is
     * heard.
     */
    private List<Generation> flow(List<Conditioning> conditions, Runnable check) {
      FlowModel flow = model.flow();
      int size = flow.config().latent();
      int context = flow.config().context();
      GenerationRequest first = requests.getFirst();
      var sampler =
          new FlowModel.Sampler(FlowModel.Walk.EULER, Objects.requireNonNull(first.steps()));
      List<Begun> begun = requests.stream().map(request -> new Begun(request, size)).toList();
      int frames = whole.frames();
      int done = 0;
      for (int window = 0; done < frames; window++) {
        int from = Math.max(0, done - context / OVERLAP_PART);
        int to = Math.min(frames, from + context);
        List<FlowModel.Clip> asked = new ArrayList<>();
        for (int i = 0; i < begun.size(); i++) {
          Conditioning all = conditions.get(i);
          asked.add(
              new FlowModel.Clip(
                  new Conditioning(all.frames().slice(from, to), all.global()),
                  begun.get(i).given(from, done, to),
                  requests.get(i).seed() + window * WINDOW_SEED));
        }
        float[][] made = flow.sample(asked, first.guidance(), sampler, check);
        for (int i = 0; i < made.length; i++) {
          begun.get(i).take(made[i], from, done, to);
        }
        for (int at = done; at < to; at += FRAMES_PER_PUSH) {
          check.run();
          for (int i = 0; i < clips.size(); i++) {
            clips.get(i).push(begun.get(i).codes(at, Math.min(to, at + FRAMES_PER_PUSH)));
          }
        }
        done = to;
      }
      List<Generation> made = new ArrayList<>();
      for (int i = 0; i < clips.size(); i++) {
        made.add(clips.get(i).finish(begun.get(i).codes(0, frames)));
      }
      return made;
    }

    /** A clip's latents: those of its source, and over them those that are made. */
    private final class Begun {
      private final int size;
      private final float[] latents;
      private final boolean[] keep = new boolean[whole.frames()];
      private final int[][] codes = new int[model.codec().codebooks()][whole.frames()];
      private final float noise;

      Begun(GenerationRequest request, int size) {
        this.size = size;
        this.latents = new float[whole.frames() * size];
        Source source = request.source();
        if (source == null) {
          this.noise = 1;
          return;
        }
        MagnitudeCodec codec = model.codec();
        this.noise = (float) source.strength();
        Pcm sound = source.sound().resampled(codec.sampleRate());
        float[] all = codec.encodeLatents(sound.channels());
        System.arraycopy(all, 0, latents, 0, Math.min(all.length, latents.length));
        int last = (int) Math.min(keep.length, Math.round(source.keepTo() * codec.frameRate()));
        for (int t = (int) Math.round(source.keepFrom() * codec.frameRate()); t < last; t++) {
          keep[t] = true;
        }
      }

      /** What a window begins from, of which the frames up to {@code done} are made. */
      FlowModel.@Nullable Given given(int from, int done, int to) {
        boolean[] kept = Arrays.copyOfRange(keep, from, to);
        Arrays.fill(kept, 0, done - from, true);
        float[] rows = Arrays.copyOfRange(latents, from * size, to * size);
        return noise < 1
            ? new FlowModel.Variation(rows, noise, kept)
            : new FlowModel.Inpainting(rows, kept);
      }

      void take(float[] made, int from, int done, int to) {
        System.arraycopy(made, (done - from) * size, latents, done * size, (to - done) * size);
        int[][] part = model.codec().quantise(Arrays.copyOfRange(latents, done * size, to * size));
        for (int k = 0; k < codes.length; k++) {
          System.arraycopy(part[k], 0, codes[k], done, to - done);
        }
      }

      int[][] codes(int from, int to) {
        return part(codes, from, to);
      }
    }

    private List<Sampling> sampling() {
      int books = model.codec().codebooks();
      List<Sampling> all = new ArrayList<>(SAMPLING);
      while (all.size() < books) {
        all.add(SAMPLING.getLast());
      }
      return all.subList(0, books);
    }

    // NullAway does not see, in bytecode, that the record takes a null style.
    @SuppressWarnings("NullAway")
    private Conditioning conditions(GenerationRequest request) {
      MusicalKey key = key(request);
      boolean minor = key.mode() == Mode.MINOR;
      Surroundings around = request.around();
      FrameConditions plan =
          Planner.plan(
              model.codec().frameRate(),
              tempo(request),
              key.tonic(),
              minor,
              request.tags(),
              whole.frames() / model.codec().frameRate(),
              around == null ? request.seed() : around.planSeed());
      Melody melody = request.melody();
      if (melody != null) {
        plan = plan.withMelody(model.codec().frameRate(), melody(melody, tempo(request)));
      }
      return new Conditioning(
          plan.slice(whole.seenFrom(), whole.seenTo()),
          new GlobalConditions(
              key.tonic(), minor, tags(request), request.text(), style(request.style())));
    }

    /** The melody begins with the first beat of what is made. */
    private List<FrameConditions.PitchSpan> melody(Melody melody, double tempoBpm) {
      double begin = whole.before()[0].length / model.codec().frameRate();
      double beat = 60 / tempoBpm;
      double first = Math.ceil(begin / beat - BEAT_TOLERANCE) * beat;
      return melody.spans(tempoBpm).stream()
          .map(note ->
              new FrameConditions.PitchSpan(note.start() + first, note.end() + first, note.pitch()))
          .toList();
    }

    /** A reference brings the tag of its artist along: that is what was allowed. */
    private List<String> tags(GenerationRequest request) {
      StyleReference style = request.style();
      if (style == null) {
        return request.tags();
      }
      List<String> tags = new ArrayList<>(request.tags());
      for (TrainedOn recording : info.recordings()) {
        if (recording.isrc().equals(style.cleared().isrc())) {
          tags.add(recording.artist());
          if (request.tags().isEmpty()) {
            tags.addAll(recording.tags());
          }
        }
      }
      return tags.stream().distinct().toList();
    }

    private float @Nullable [] style(@Nullable StyleReference style) {
      if (style == null) {
        return null;
      }
      Pcm sound = style.sound().resampled(model.codec().sampleRate());
      return StyleEmbedding.of(model.codec(), sound.channels());
    }

    /** Codes to samples, cut to the length that was asked for. */
    private final class Clip {
      private final int index;
      private final Codec.StreamingDecoder stream = model.codec().stream();
      private final List<float[][]> parts = new ArrayList<>();
      private long decoded;
      private long given;

      Clip(int index) {
        this.index = index;
      }

      void push(int[][] codes) {
        for (int at = 0; at < codes[0].length; at += FRAMES_PER_PUSH) {
          give(stream.push(part(codes, at, Math.min(codes[0].length, at + FRAMES_PER_PUSH))));
        }
      }

      private void give(float[][] samplesOut) {
        int from = (int) Math.clamp(whole.from() - decoded, 0, samplesOut[0].length);
        int count = (int) Math.min(samplesOut[0].length, whole.to() - decoded) - from;
        decoded += samplesOut[0].length;
        if (count <= 0) {
          return;
        }
        float[][] part = new float[samplesOut.length][count];
        for (int c = 0; c < part.length; c++) {
          for (int i = 0; i < count; i++) {
            part[c][i] = limited(samplesOut[c][from + i]);
          }
        }
        if (given == 0 && firstChunkNanos == 0) {
          firstChunkNanos = System.nanoTime() - start;
        }
        given += count;
        parts.add(part);
        listeners.chunk(index, new Pcm(part, model.codec().sampleRate()));
      }

      Generation finish(int[][] codes) {
        give(stream.finish());
        float[][] whole = new float[parts.getFirst().length][(int) given];
        int at = 0;
        for (float[][] part : parts) {
          for (int c = 0; c < whole.length; c++) {
            System.arraycopy(part[c], 0, whole[c], at, part[c].length);
          }
          at += part[0].length;
        }
        return new Generation(
            requests.get(index),
            new Pcm(whole, model.codec().sampleRate()),
            codes,
            firstChunkNanos / 1_000_000,
            (System.nanoTime() - start) / 1_000_000);
      }

      void close() {
        stream.close();
      }
    }
  }

  /** A soft knee: the identity below {@link #LIMITER_KNEE}, then a curve that nears full scale. */
  private static float limited(float sample) {
    float level = Math.abs(sample);
    if (level <= LIMITER_KNEE) {
      return sample;
    }
    float over = (level - LIMITER_KNEE) / (1 - LIMITER_KNEE);
    float bent = LIMITER_KNEE + (1 - LIMITER_KNEE) * (over / (1 + over));
    return Math.copySign(Math.min(bent, 0.999f), sample);
  }

  private static double tempo(GenerationRequest request) {
    Double tempo = request.tempoBpm();
    if (tempo == null) {
      throw new IllegalStateException("the request was not resolved");
    }
    return tempo;
  }

  private static MusicalKey key(GenerationRequest request) {
    MusicalKey key = request.key();
    if (key == null) {
      throw new IllegalStateException("the request was not resolved");
    }
    return key;
  }

  private static long overlap(TrainedOn recording, Set<String> words) {
    return recording.tags().stream()
        .flatMap(tag -> List.of(tag.toLowerCase(Locale.ROOT).split("[^\\p{L}\\p{N}]+")).stream())
        .filter(words::contains)
        .count();
  }

  private static ModelInfo info(ModelCard card, @Nullable String pulledFrom) {
    List<TrainedOn> recordings =
        card.recordings().stream()
            .map(r ->
                new TrainedOn(
                    Isrc.of(r.isrc()),
                    r.title(),
                    r.artist(),
                    r.tags(),
                    r.tempoBpm(),
                    r.key(),
                    r.heldOut()))
            .toList();
    ModelCard.Reliability known = card.attribution();
    return new ModelInfo(
        card.id(),
        card.name(),
        card.datasetRoot(),
        recordings,
        card.evaluation(),
        known == null
            ? null
            : new ModelInfo.Reliability(
                known.method(), known.score(), known.groups(), known.command()),
        pulledFrom);
  }

  /** Waits for the session that is at work. Closing again does nothing. */
  @Override
  public void close() {
    turn.lock();
    try {
      if (!closed) {
        closed = true;
        model.close();
      }
    } finally {
      turn.unlock();
    }
  }
}
