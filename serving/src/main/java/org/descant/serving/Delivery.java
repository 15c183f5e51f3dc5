package org.descant.serving;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.descant.audio.AudioWriter;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.CopyMatch;
import org.descant.audio.analysis.Fingerprint;
import org.descant.audio.analysis.Waveform;
import org.descant.catalog.CatalogEntry;
import org.descant.database.Notifications;
import org.descant.engine.Generation;
import org.descant.engine.GenerationRequest;
import org.descant.engine.ModelInfo;
import org.descant.engine.StyleReference;
import org.descant.ledger.Accounts;
import org.descant.ledger.Transfer;
import org.descant.ledger.Usage;
import org.descant.ledger.UsageState;
import org.descant.provenance.Artefact;
import org.descant.provenance.CredentialFacts;
import org.descant.provenance.Lineage.Node;
import org.descant.rights.Credit;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.jspecify.annotations.Nullable;

/*
 * The order of one delivery, and what a crash leaves at each point:
 *
 *   1. decisions            nothing
 *   2. row, pending usage   an open row and perhaps a pending usage: recover() voids both
 *   3. chunks               the same: what was heard is not charged when it did not end well
 *   4. signed files aside   the same, and recover() removes the files
 *   5. draft in the row     the same
 *   6. usage posted         from here on it only goes forward: recover() finishes it
 *   7. files get their names, lineage, log, row DELIVERED
 *
 * Steps 6 and 7 may be done twice: a usage is posted once, the lineage keeps one of each id.
 */
/**
 * The only class through which audio leaves. A stream opens after its provisional credits and its
 * pending usage are durable, and its end posts or voids them; a finished file exists only with its
 * credits, its content credential and its usage. Thread-safe; sessions queue for the engine.
 */
public final class Delivery implements AutoCloseable {
  /** What a second of new sound costs: a tenth of a cent. */
  public static final long PRICE_MICROS_PER_SECOND = 1_000;

  /** A clip that repeats a training recording for longer than this is not delivered. */
  public static final double COPIED_SECONDS_MAX = 3;

  /**
   * Attribution decides the shares only when its rank correlation with leave-one-out retraining
   * reaches this; below, all recordings that the model learned from share equally.
   */
  public static final double RELIABILITY_MIN = 0.3;

  /** The part of all credit and money that goes to the recording whose style was asked for. */
  public static final double STYLE_SHARE = 0.5;

  private static final int PEAKS_PER_SECOND = 20;
  private static final int TEXT_CHARS_SHOWN = 200;
  private static final Duration CLOSE_WAIT_MAX = Duration.ofSeconds(60);

  /** About 0.4 MB for a minute of sound: at most about 100 MB. */
  private static final int FINGERPRINTS_MAX = 256;

  private final House house;
  private final ModelInfo model;
  private final ModelRights modelRights;
  private final StyleGate styles;
  private final SourceGate sources;
  private final ClipStore clips;
  private final ClipFiles files;
  private final OwnClips ownClips;
  private final Notifications changes;
  private final DoorLock door;
  private final List<Session> live = new ArrayList<>(); // guarded by itself
  private boolean closed; // guarded by live
  private final Cache<Isrc, Fingerprint> fingerprints =
      Caffeine.newBuilder().maximumSize(FINGERPRINTS_MAX).build();

  /**
   * Opens the door for one model.
   *
   * @throws RefusedException when the model or its dataset is not one of this home's
   */
  public Delivery(House house) {
    this.house = house;
    this.model = house.engine().info();
    this.modelRights = ModelRights.resolve(house, model);
    this.styles = new StyleGate(house);
    this.clips = new ClipStore(house.database());
    this.files = new ClipFiles(house.clips(), house.key());
    this.ownClips = new OwnClips(clips, files, model);
    this.sources = new SourceGate(clips, files, model);
    this.door = DoorLock.take(house.database().jdbi());
    try {
      this.changes = house.rights().onChange(change -> recheckLive());
    } catch (RuntimeException e) {
      door.close();
      throw e;
    }
  }

  /** A credit as it is shown. */
  public record CreditLine(
      String party, String name, String role, String recording, String title, double share) {}

  /** A transfer as it is shown; amounts in millionths. */
  public record TransferLine(
      String from, String to, String toName, long amount, String currency, String reason) {}

  /**
   * What is known of a finished clip.
   *
   * @param style ISRC of the reference, and the decision that allowed it; empty when there is none
   * @param shareRule how credits and money were divided: {@code attribution} or {@code
   *     equal-share}, and {@code half-to-style, } in front when a style was asked for
   * @param attribution weight of every training recording by ISRC, largest first, whatever rule
   *     divided; half of it is that of the clip which a flow model began from
   * @param reliability how sure attribution is with the model, null when nobody has measured it
   * @param wav this machine's path of the file when it was made
   * @param wavSha256 lower-case hex, of the file with its credential
   * @param madeFrom id of the clip that it goes on from, of which a span was made anew, or which a
   *     flow model began from; empty when it began from nothing
   * @param melodyOf id of the clip whose melody it follows; empty when none
   * @param peaks pairs of lowest and highest sample, {@value #PEAKS_PER_SECOND} a second
   */
  public record Clip(
      String id,
      String usage,
      String text,
      double seconds,
      int sampleRate,
      double tempo,
      String key,
      List<String> tags,
      String style,
      String styleDecision,
      String madeFrom,
      String melodyOf,
      long seed,
      String model,
      String modelName,
      String datasetRoot,
      String at,
      List<CreditLine> credits,
      String shareRule,
      Map<String, Double> attribution,
      @Nullable Reliability reliability,
      List<TransferLine> transfers,
      String currency,
      Copied copied,
      String wav,
      String flac,
      String wavSha256,
      String flacSha256,
      List<float[]> peaks,
      double realTimeFactor,
      long firstChunkMs) {

    /** The longest span that is like a training recording. */
    public record Copied(double seconds, String recording) {}

    /**
     * How far attribution can be trusted.
     *
     * @param score rank correlation with leave-one-out retraining, over {@code groups} of
     *     recordings
     * @param threshold the score from which attribution decides the shares
     */
    public record Reliability(
        String method,
        double score,
        int groups,
        String command,
        double threshold,
        boolean decides) {}

    /** Puts the attribution in its order, which the database does not keep. */
    public Clip {
      Map<String, Double> sorted = new LinkedHashMap<>();
      attribution.entrySet().stream()
          .sorted(
              Map.Entry.<String, Double>comparingByValue()
                  .reversed()
                  .thenComparing(Map.Entry.comparingByKey()))
          .forEach(weight -> sorted.put(weight.getKey(), weight.getValue()));
      attribution = sorted;
      // A row from before clips could be made from clips has neither.
      madeFrom = Objects.requireNonNullElse(madeFrom, "");
      melodyOf = Objects.requireNonNullElse(melodyOf, "");
    }

    Clip withTransfers(List<TransferLine> lines) {
      return new Clip(
          id,
          usage,
          text,
          seconds,
          sampleRate,
          tempo,
          key,
          tags,
          style,
          styleDecision,
          madeFrom,
          melodyOf,
          seed,
          model,
          modelName,
          datasetRoot,
          at,
          credits,
          shareRule,
          attribution,
          reliability,
          lines,
          currency,
          copied,
          wav,
          flac,
          wavSha256,
          flacSha256,
          peaks,
          realTimeFactor,
          firstChunkMs);
    }
  }

  /** Hears a delivery happen; called on the delivering thread, in order. */
  public interface Listener {
    /** Samples, ready to be played. */
    void chunk(Pcm samples);

    /** Who is behind it: provisional when the stream opens, final at its end. */
    void credits(List<CreditLine> credits, boolean provisional);

    /** Where the price goes; no transfers while it is provisional. */
    void money(long totalMicros, List<TransferLine> transfers, boolean provisional);
  }

  /**
   * Asks the gate and makes the request durable: after this returns, credits and a pending usage
   * are stored.
   *
   * @throws RefusedException with the reasons, when somebody has not agreed
   */
  public Session open(Order asked) {
    asked.check();
    modelRights.requirePlayable();
    Clip around = ownClips.find(asked.around());
    Clip melody = ownClips.find(asked.melodyOf());
    SourceGate.Allowed begun = sources.source(asked);
    Order order =
        around != null
            ? asked.completedBy(around)
            : begun != null ? asked.after(begun.clip()) : asked;
    styles.requireNamesOpen(order);
    StyleReference reference = styles.reference(order.style());
    GenerationRequest wanted =
        order.request(
            reference,
            around == null
                ? null
                : order.surroundings(ownClips.sound(around), ownClips.planSeed(around)),
            begun == null ? null : begun.source());
    if (melody != null) {
      wanted = wanted.withMelodyOf(ownClips.sound(melody), melody.tempo());
    }
    GenerationRequest request = house.engine().resolve(wanted);
    recordStyle(request.style());
    String id = "clip-" + UUID.randomUUID();
    Usage usage =
        new Usage(
            "usage-" + id.substring(5),
            id,
            "stream",
            request.seconds(),
            Math.round(request.seconds() * PRICE_MICROS_PER_SECOND),
            Usage.EUR,
            Instant.now());
    List<CreditLine> expected =
        lines(house.rights().credits().fold(withStyle(equalWeights(), request.style())));
    Session session = new Session(id, usage, order, request, begun, expected);
    synchronized (live) {
      if (closed) {
        throw new ServingException("The door is closed: nothing new is made; start again.");
      }
      live.add(session);
    }
    try {
      clips.open(id, usage, order, model.id(), door.door(), expected);
      house.ledger().pending(usage);
    } catch (RuntimeException e) {
      session.leave();
      try {
        clips.voided(id, "its usage could not be booked");
      } catch (RuntimeException unsettled) {
        e.addSuppressed(unsettled);
      }
      throw e;
    }
    return session;
  }

  /** Whether anybody's style may be asked for today, and if not, why: in the catalogue's order. */
  public List<StyleAnswer> styles() {
    return styles.answers();
  }

  /** One recording's answer to "may its style be asked for?". */
  public record StyleAnswer(
      String isrc, String title, String artist, boolean allowed, List<String> reasons) {}

  /** A recording whose owners have said no since the model learned from it. */
  public record FlagLine(String isrc, String title, String playableUntil, List<String> reasons) {}

  /**
   * The recordings for which the model is on notice: it may be played until the run-off that their
   * agreements grant is over.
   *
   * @throws RefusedException when it may not be played any more
   */
  public List<FlagLine> flagged() {
    return modelRights.requirePlayable().stream()
        .map(flag ->
            new FlagLine(
                flag.isrc().toString(),
                house.catalog().show(flag.isrc().toString()).title(),
                flag.playableUntil().toString(),
                flag.reasons()))
        .toList();
  }

  /** A finished clip. */
  public Optional<Clip> find(String clipId) {
    return clips.find(clipId);
  }

  /**
   * The clip that a file is: one that was delivered here, byte for byte, whatever its name and
   * whichever model made it.
   *
   * @throws RefusedException when it is none
   */
  public Clip identify(Path file) {
    return ownClips.identify(file);
  }

  /** The newest finished clips. */
  public List<Clip> newest(int count) {
    return clips.newest(count);
  }

  /** The file of a finished clip, {@code wav} or {@code flac}; it carries its credential. */
  public Path file(Clip clip, String ending) {
    return files.file(clip.id(), ending);
  }

  /** What the model is. */
  public ModelInfo model() {
    return model;
  }

  /**
   * Ends what processes that are gone left unfinished since before {@code before}: what is not paid
   * for is voided and its files are removed, what is paid for is finished. Clips that a living
   * process is at are left alone.
   *
   * @return how many were voided
   */
  public int recover(Instant before) {
    int[] count = {0};
    for (ClipStore.Unfinished left : clips.unfinished(before)) {
      boolean gone =
          door.ifGone(
              left.door(),
              () -> {
                Usage usage = house.ledger().usage(left.usageId()).orElse(null);
                if (usage != null && house.ledger().state(usage.id()) == UsageState.POSTED) {
                  Clip draft = left.draft();
                  if (draft == null) {
                    throw new IllegalStateException("paid for without a draft: " + left.id());
                  }
                  finish(draft, usage, house.ledger().transfers(usage.id()));
                  return;
                }
                if (usage != null) {
                  house.ledger().voided(usage.id());
                }
                files.remove(left.id());
                clips.voided(left.id(), "the process that made it ended before it was complete");
                count[0]++;
              });
      if (!gone) {
        System.getLogger(Delivery.class.getName())
            .log(
                System.Logger.Level.DEBUG,
                () -> "the clip " + left.id() + " is being made by another process");
      }
    }
    return count[0];
  }

  /**
   * A listening example of a study: to a local file whose name says so, never over HTTP, never
   * paid.
   *
   * @param folder where {@code <name>.study.wav} is written
   */
  public static Path study(Generation generation, Path folder, String name) {
    return study(generation.audio(), folder, name);
  }

  /** The same for the sound of a model that this house may only study. */
  public static Path study(Pcm sound, Path folder, String name) {
    Path file = folder.resolve(name + ".study.wav");
    AudioWriter.wav16(sound, file);
    return file;
  }

  /**
   * A listening example of a model's release, lossless: to a local file whose name says that it is
   * a study's, never over HTTP, never paid.
   *
   * @param folder where {@code <name>.study.flac} is written
   */
  public static Path releaseExample(Pcm sound, Path folder, String name) {
    Path file = folder.resolve(name + ".study.flac");
    AudioWriter.flac(sound, file);
    return file;
  }

  /** A durable request on its way to a clip; {@link #run} is called once. */
  public final class Session {
    private final String id;
    private final Usage usage;
    private final Order order;
    private final GenerationRequest request;
    private final SourceGate.@Nullable Allowed begun;
    private final List<CreditLine> expected;
    private final AtomicBoolean taken = new AtomicBoolean();
    private final AtomicReference<@Nullable RuntimeException> stopped = new AtomicReference<>();

    private Session(
        String id,
        Usage usage,
        Order order,
        GenerationRequest request,
        SourceGate.@Nullable Allowed begun,
        List<CreditLine> expected) {
      this.id = id;
      this.usage = usage;
      this.order = order;
      this.request = request;
      this.begun = begun;
      this.expected = expected;
    }

    public String id() {
      return id;
    }

    /** How long the sound will be, what it goes on from included when that is delivered too. */
    public double seconds() {
      return request.soundSeconds();
    }

    /**
     * Makes the clip. On success its files, credits, credential, usage and lineage are there; on
     * any failure the usage is voided and nothing is kept.
     *
     * @throws RefusedException when a consent fell while it was being made, or it repeats a
     *     training recording for too long
     * @throws ServingException when the door was closed meanwhile, or the clip cannot be written
     */
    public Clip run(Listener listener) {
      if (!taken.compareAndSet(false, true)) {
        throwIfStopped();
        throw new IllegalStateException("the session " + id + " was run or abandoned already");
      }
      try {
        Paid paid = makeAndPay(listener);
        Clip clip = finish(paid.draft(), usage, paid.transfers());
        listener.credits(clip.credits(), false);
        listener.money(usage.amountMicros(), clip.transfers(), false);
        return clip;
      } finally {
        leave();
      }
    }

    private record Paid(Clip draft, List<Transfer> transfers) {}

    private Paid makeAndPay(Listener listener) {
      try {
        recheck(); // consent may have fallen since it was opened, unheard
        throwIfStopped();
        listener.credits(expected, true);
        listener.money(usage.amountMicros(), List.of(), true);
        Generation generation =
            house.engine().generate(request, listener::chunk, () -> stopped.get() != null);
        List<RecordingWeight> weights = new ArrayList<>();
        Clip draft = draft(generation, weights);
        throwIfStopped();
        clips.draft(draft);
        return new Paid(
            draft, house.ledger().post(usage.id(), modelRights.splits(weights, request.style())));
      } catch (CancellationException cancelled) {
        RuntimeException reason = stopped.get();
        throw giveUp(reason == null ? cancelled : reason);
      } catch (RuntimeException failure) {
        throw giveUp(failure);
      } catch (Error failure) {
        giveUp(new ServingException("The clip " + id + " could not be made.", failure));
        throw failure;
      }
    }

    /** Gives the request up before it ran; does nothing when it ran already. */
    public void abandon(String reason) {
      if (taken.compareAndSet(false, true)) {
        giveUp(new CancellationException(reason));
        leave();
      }
    }

    private void leave() {
      synchronized (live) {
        live.remove(this);
        live.notifyAll();
      }
    }

    /** Voids the usage; what cannot be undone now is left to recover(). Returns its argument. */
    private RuntimeException giveUp(RuntimeException why) {
      boolean interrupted = Thread.interrupted(); // or the database would not hear us
      try {
        house.ledger().voided(usage.id());
        files.remove(id);
        clips.voided(id, String.valueOf(why.getMessage()));
      } catch (RuntimeException unsettled) {
        why.addSuppressed(unsettled);
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
      return why;
    }

    private void stop(RuntimeException reason) {
      stopped.compareAndSet(null, reason);
    }

    private void throwIfStopped() {
      RuntimeException reason = stopped.get();
      if (reason != null) {
        throw reason;
      }
    }

    /** Asks everything again that was asked when it was opened. */
    private void recheck() {
      try {
        modelRights.requirePlayable();
        styles.requireNamesOpen(order);
        StyleReference style = request.style();
        if (style != null) {
          styles.requireOpen(style.cleared().isrc());
        }
      } catch (RefusedException refused) {
        stop(
            new RefusedException(
                "Stopped: somebody has just taken their yes back. " + refused.getMessage(),
                refused.reasons()));
      }
    }

    /** The clip as it will be, without its transfers; its signed files lie aside. */
    private Clip draft(Generation generation, List<RecordingWeight> weights) {
      Pcm audio = generation.audio();
      Clip.Copied copied = longestCopy(audio);
      if (copied.seconds() > COPIED_SECONDS_MAX) {
        throw new RefusedException(
            "This one came out too close to an existing recording, so it is not delivered; another"
                + " seed gives another clip.",
            List.of(
                "%.1f s are like %s; %.0f s is the most that may be."
                    .formatted(copied.seconds(), copied.recording(), COPIED_SECONDS_MAX)));
      }
      throwIfStopped();
      List<RecordingWeight> attributed =
          SourceGate.withSource(house.attributor().attribute(generation.codes()), begun);
      ModelInfo.Reliability known = model.reliability();
      boolean decides = known != null && known.score() >= RELIABILITY_MIN;
      StyleReference style = request.style();
      weights.addAll(withStyle(decides ? attributed : equalWeights(), style));
      ClipFiles.Hashes hashes = files.sign(audio, facts(weights));

      Map<String, Double> attribution = new LinkedHashMap<>();
      attributed.forEach(w -> attribution.put(w.isrc().toString(), w.weight()));
      MusicalKey key = request.key();
      Double tempo = request.tempoBpm();
      return new Clip(
          id,
          usage.id(),
          request.text(),
          audio.seconds(),
          audio.sampleRate(),
          tempo == null ? 0 : tempo,
          key == null ? "" : key.toString(),
          request.tags(),
          style == null ? "" : style.cleared().isrc().toString(),
          style == null ? "" : style.cleared().decisionId(),
          begun == null ? Objects.requireNonNullElse(order.around(), "") : begun.clip().id(),
          Objects.requireNonNullElse(order.melodyOf(), ""),
          request.seed(),
          model.id(),
          model.name(),
          model.datasetRoot(),
          usage.at().toString(),
          lines(house.rights().credits().fold(weights)),
          (style == null ? "" : "half-to-style, ") + (decides ? "attribution" : "equal-share"),
          attribution,
          known == null
              ? null
              : new Clip.Reliability(
                  known.method(),
                  known.score(),
                  known.groups(),
                  known.command(),
                  RELIABILITY_MIN,
                  decides),
          List.of(),
          usage.currency(),
          copied,
          files.file(id, "wav").toString(),
          files.file(id, "flac").toString(),
          hashes.wav(),
          hashes.flac(),
          peaks(audio),
          generation.realTimeFactor(),
          generation.firstChunkMs());
    }

    private CredentialFacts facts(List<RecordingWeight> weights) {
      return new CredentialFacts(
          id,
          request.text().isBlank() ? "A Descant clip" : shortened(request.text()),
          model.id(),
          model.name(),
          model.datasetRoot(),
          request.text(),
          credited(weights),
          usage.at());
    }
  }

  /** What is paid for becomes a delivered clip; may be done again. */
  private Clip finish(Clip draft, Usage usage, List<Transfer> transfers) {
    try {
      files.publish(draft.id());
      Clip clip = draft.withTransfers(transferLines(transfers));
      record(clip, usage, transfers);
      clips.delivered(clip);
      return clip;
    } catch (RuntimeException e) {
      throw new ServingException(
          "The clip "
              + draft.id()
              + " is made and paid for, but could not be recorded to its end; the next start"
              + " finishes it.",
          e);
    }
  }

  /** Clip, usage and transfers join the thread; the clip's facts go into the log by their hash. */
  private void record(Clip clip, Usage usage, List<Transfer> transfers) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("text", shortened(clip.text()));
    facts.put("seconds", clip.seconds());
    facts.put("tempo", clip.tempo());
    facts.put("key", clip.key());
    facts.put("seed", clip.seed());
    facts.put("wavSha256", clip.wavSha256());
    facts.put("flacSha256", clip.flacSha256());
    facts.put("shareRule", clip.shareRule());
    Set<String> parents = new TreeSet<>(Set.of(clip.model()));
    for (String parent : List.of(clip.styleDecision(), clip.madeFrom(), clip.melodyOf())) {
      if (!parent.isEmpty()) {
        parents.add(parent);
      }
    }
    List<Node> nodes = new ArrayList<>();
    nodes.add(new Node(Artefact.of(Artefact.Kind.CLIP, clip.id(), facts), parents));
    nodes.add(
        new Node(
            Artefact.of(
                Artefact.Kind.USAGE,
                usage.id(),
                Map.of(
                    "kind", usage.kind(),
                    "seconds", usage.seconds(),
                    "amountMicros", usage.amountMicros(),
                    "currency", usage.currency(),
                    "at", usage.at().toString())),
            Set.of(clip.id())));
    for (Transfer transfer : transfers) {
      nodes.add(
          new Node(
              Artefact.of(
                  Artefact.Kind.TRANSFER,
                  transfer.id(),
                  Map.of(
                      "from", transfer.fromAccount(),
                      "to", transfer.toAccount(),
                      "amountMicros", transfer.amountMicros(),
                      "currency", transfer.currency(),
                      "rule", transfer.rule(),
                      "reason", transfer.reason())),
              Set.of(usage.id())));
    }
    house.lineage().record(nodes);
    house.log().append(ClipStore.json(Map.of("clip", clip.id(), "facts", facts)));
  }

  /** The decision that allows a style joins the thread before anything rests on it. */
  private void recordStyle(@Nullable StyleReference style) {
    if (style == null || house.lineage().find(style.cleared().decisionId()).isPresent()) {
      return;
    }
    String isrc = style.cleared().isrc().toString();
    List<Node> nodes = new ArrayList<>();
    if (house.lineage().find(isrc).isEmpty()) {
      CatalogEntry entry = house.catalog().show(isrc);
      nodes.add(
          new Node(
              Artefact.of(
                  Artefact.Kind.RECORDING,
                  isrc,
                  Map.of(
                      "title", entry.title(),
                      "artist", entry.artist(),
                      "pcmHash", style.cleared().pcmHash())),
              Set.of()));
    }
    nodes.add(
        new Node(
            Artefact.of(
                Artefact.Kind.DECISION,
                style.cleared().decisionId(),
                Map.of("use", style.cleared().use().name(), "isrc", isrc, "allowed", true)),
            Set.of(isrc)));
    house.lineage().record(nodes);
  }

  private void recheckLive() {
    List<Session> sessions;
    synchronized (live) {
      sessions = List.copyOf(live);
    }
    sessions.forEach(Session::recheck);
  }

  private List<RecordingWeight> equalWeights() {
    return model.trainedOn().stream().map(isrc -> new RecordingWeight(isrc, 1)).toList();
  }

  /** The weights with {@link #STYLE_SHARE} of their sum given to the reference, if there is one. */
  private static List<RecordingWeight> withStyle(
      List<RecordingWeight> weights, @Nullable StyleReference style) {
    if (style == null) {
      return weights;
    }
    double sum = weights.stream().mapToDouble(RecordingWeight::weight).sum();
    Map<Isrc, Double> all = new LinkedHashMap<>();
    weights.forEach(w -> all.merge(w.isrc(), w.weight() / sum * (1 - STYLE_SHARE), Double::sum));
    all.merge(style.cleared().isrc(), STYLE_SHARE, Double::sum);
    return all.entrySet().stream().map(e -> new RecordingWeight(e.getKey(), e.getValue())).toList();
  }

  private Clip.Copied longestCopy(Pcm clip) {
    Fingerprint made = Fingerprint.of(clip);
    CopyMatch longest = CopyMatch.NONE;
    String of = "";
    for (Isrc isrc : model.trainedOn()) {
      Fingerprint known =
          fingerprints.get(isrc, each -> Fingerprint.of(house.catalog().audio(each)));
      CopyMatch match = CopiedSpan.longest(made, known);
      if (match.seconds() > longest.seconds()) {
        longest = match;
        of = isrc.toString();
      }
    }
    return new Clip.Copied(longest.seconds(), of);
  }

  private List<CredentialFacts.CreditedRecording> credited(List<RecordingWeight> weights) {
    double sum = weights.stream().mapToDouble(RecordingWeight::weight).sum();
    return weights.stream()
        .filter(weight -> weight.weight() > 0)
        .sorted(Comparator.comparingDouble(RecordingWeight::weight).reversed())
        .limit(CredentialFacts.RECORDINGS_MAX)
        .map(weight -> {
          CatalogEntry entry = house.catalog().show(weight.isrc().toString());
          return new CredentialFacts.CreditedRecording(
              weight.isrc().toString(), entry.title(), entry.artist(), weight.weight() / sum);
        })
        .toList();
  }

  private List<CreditLine> lines(List<Credit> credits) {
    Map<Isrc, String> titles = new LinkedHashMap<>();
    return credits.stream()
        .map(credit ->
            new CreditLine(
                credit.partyId(),
                credit.name(),
                credit.role(),
                credit.isrc().toString(),
                titles.computeIfAbsent(
                    credit.isrc(), isrc -> house.catalog().show(isrc.toString()).title()),
                credit.share()))
        .toList();
  }

  private List<TransferLine> transferLines(List<Transfer> transfers) {
    return transfers.stream()
        .map(transfer ->
            new TransferLine(
                transfer.fromAccount(),
                transfer.toAccount(),
                name(transfer.toAccount()),
                transfer.amountMicros(),
                transfer.currency(),
                transfer.reason()))
        .toList();
  }

  private String name(String account) {
    if (!Accounts.isParty(account)) {
      return switch (account) {
        case Accounts.PLATFORM -> "the platform";
        case Accounts.PUBLIC_DOMAIN -> "kept apart for the public domain";
        default -> account;
      };
    }
    String party = Accounts.partyOf(account);
    return house.rights().party(party).map(p -> p.name()).orElse(party);
  }

  static List<float[]> peaks(Pcm audio) {
    float[][] peaks =
        Waveform.peaks(audio, Math.max(1, (int) Math.round(audio.seconds() * PEAKS_PER_SECOND)));
    List<float[]> pairs = new ArrayList<>();
    for (int i = 0; i < peaks[0].length; i++) {
      pairs.add(new float[] {peaks[0][i], peaks[1][i]});
    }
    return pairs;
  }

  private static String shortened(String text) {
    if (text.length() <= TEXT_CHARS_SHOWN) {
      return text;
    }
    int end = Character.isHighSurrogate(text.charAt(TEXT_CHARS_SHOWN - 1)) ? 1 : 0;
    return text.substring(0, TEXT_CHARS_SHOWN - end) + "…";
  }

  /** Stops what is being made, voids what waits, and then gives the door up. */
  @Override
  public void close() {
    List<Session> sessions;
    synchronized (live) {
      if (closed) {
        return;
      }
      closed = true;
      sessions = List.copyOf(live);
    }
    sessions.forEach(
        session -> session.stop(new ServingException("Stopped: the server is being closed.")));
    sessions.forEach(session -> session.abandon("the server was closed before its turn came"));
    changes.close();
    awaitSessions();
    door.close();
  }

  private void awaitSessions() {
    long end = System.nanoTime() + CLOSE_WAIT_MAX.toNanos();
    synchronized (live) {
      while (!live.isEmpty()) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return; // recover() voids what is still at work, once this process is gone
        }
        try {
          live.wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }
}
