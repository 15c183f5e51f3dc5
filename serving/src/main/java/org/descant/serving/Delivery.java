package org.descant.serving;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.descant.audio.AudioWriter;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.database.Notifications;
import org.descant.engine.EngineException;
import org.descant.engine.Generation;
import org.descant.engine.GenerationRequest;
import org.descant.engine.ModelInfo;
import org.descant.engine.StyleReference;
import org.descant.ledger.Transfer;
import org.descant.ledger.Usage;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
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

  private static final Duration CLOSE_WAIT_MAX = Duration.ofSeconds(60);

  private final House house;
  private final ModelInfo model;
  private final ModelRights modelRights;
  private final StyleGate styles;
  private final OrderGate orders;
  private final CopyCheck copies;
  private final Credits credits;
  private final ClipLineage lineage;
  private final ClipStore clips;
  private final ClipFiles files;
  private final OwnClips ownClips;
  private final Notifications changes;
  private final DoorLock door;
  private final Settlement settlement;
  private final LiveSessions live = new LiveSessions();

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
    this.credits = new Credits(house, model);
    this.lineage = new ClipLineage(house);
    this.clips = new ClipStore(house.database());
    this.files = new ClipFiles(house.clips(), house.key());
    this.ownClips = new OwnClips(clips, files, model);
    this.orders =
        new OrderGate(house.engine(), ownClips, new SourceGate(clips, files, model), styles);
    this.copies = new CopyCheck(house.catalog(), house.attributor(), model.trainedOn());
    this.door = DoorLock.take(house.database().jdbi());
    this.settlement = new Settlement(house.ledger(), clips, files, lineage, credits, door);
    try {
      this.changes = house.rights().onChange(change -> live.forEach(Session::recheck));
    } catch (RuntimeException e) {
      door.close();
      throw e;
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
   * are stored. What comes is a stream: heard while it is made, and so made once. Audio that has
   * left cannot be taken back, so when it comes out too close to a recording it ends refused, and
   * whoever asked may ask with another seed; {@link #finished} does that by itself.
   *
   * @throws RefusedException with the reasons, when somebody has not agreed
   * @throws EngineException when the order asks for other seeds to be tried
   */
  public Session open(Order asked) {
    if (Boolean.TRUE.equals(asked.retry())) {
      throw new EngineException(
          "A stream is made once, as what was heard cannot be taken back; leave retry out, or ask"
              + " for a finished clip.");
    }
    return open(asked, 1, null);
  }

  /**
   * As {@link #open}, for a clip that nobody hears before it is finished. Other seeds are tried,
   * unless the order says no, when it comes out too close to a recording.
   */
  public Attempts finished(Order asked) {
    return new Attempts(this, asked, open(asked, 1, null));
  }

  /**
   * Opens one attempt.
   *
   * @param attempt from 1
   * @param askedSeed the first attempt's seed; null when this is the first
   */
  Session open(Order asked, int attempt, @Nullable Long askedSeed) {
    asked.check();
    modelRights.requirePlayable();
    OrderGate.Passed passed = orders.pass(asked);
    GenerationRequest request = passed.request();
    lineage.recordStyle(request.style());
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
    List<CreditLine> expected = credits.lines(credits.expected(request.style()));
    Session session =
        new Session(
            id,
            usage,
            passed.order(),
            request,
            passed.begun(),
            expected,
            attempt,
            askedSeed == null ? request.seed() : askedSeed);
    live.enter(session);
    try {
      clips.open(id, usage, passed.order(), model.id(), door.door(), expected);
      house.ledger().pending(usage);
    } catch (RuntimeException e) {
      live.leave(session);
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
    return settlement.recover(before);
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
    private final int attempt;
    private final long askedSeed;
    private final AtomicBoolean taken = new AtomicBoolean();
    private final AtomicReference<@Nullable RuntimeException> stopped = new AtomicReference<>();

    private Session(
        String id,
        Usage usage,
        Order order,
        GenerationRequest request,
        SourceGate.@Nullable Allowed begun,
        List<CreditLine> expected,
        int attempt,
        long askedSeed) {
      this.id = id;
      this.usage = usage;
      this.order = order;
      this.request = request;
      this.begun = begun;
      this.expected = expected;
      this.attempt = attempt;
      this.askedSeed = askedSeed;
    }

    public String id() {
      return id;
    }

    long seed() {
      return request.seed();
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
        Clip clip = settlement.deliver(paid.draft(), usage, paid.transfers());
        listener.credits(clip.credits(), false);
        listener.money(usage.amountMicros(), clip.transfers(), false);
        return clip;
      } finally {
        live.leave(this);
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
        Clip.Copied copied = copies.require(generation.audio());
        throwIfStopped();
        Credits.Division division =
            credits.divide(
                SourceGate.withSource(house.attributor().attribute(generation.codes()), begun),
                request.style());
        Clip draft = draft(generation, copied, division);
        throwIfStopped();
        clips.draft(draft);
        return new Paid(
            draft,
            house
                .ledger()
                .post(usage.id(), modelRights.splits(division.weights(), request.style())));
      } catch (CancellationException cancelled) {
        RuntimeException reason = stopped.get();
        throw settlement.voided(id, usage.id(), reason == null ? cancelled : reason);
      } catch (RuntimeException failure) {
        throw settlement.voided(id, usage.id(), failure);
      } catch (Error failure) {
        settlement.voided(
            id,
            usage.id(),
            new ServingException("The clip " + id + " could not be made.", failure));
        throw failure;
      }
    }

    /** Gives the request up before it ran; does nothing when it ran already. */
    public void abandon(String reason) {
      if (taken.compareAndSet(false, true)) {
        settlement.voided(id, usage.id(), new CancellationException(reason));
        live.leave(this);
      }
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
    private Clip draft(Generation generation, Clip.Copied copied, Credits.Division division) {
      Pcm audio = generation.audio();
      ClipFiles.Hashes hashes =
          files.sign(audio, credits.facts(id, request, division.weights(), usage.at()));
      StyleReference style = request.style();
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
          askedSeed,
          attempt,
          model.id(),
          model.name(),
          model.datasetRoot(),
          usage.at().toString(),
          credits.lines(division.weights()),
          division.rule(),
          division.attribution(),
          division.reliability(),
          List.of(),
          usage.currency(),
          copied,
          files.file(id, "wav").toString(),
          files.file(id, "flac").toString(),
          hashes.wav(),
          hashes.flac(),
          Clip.peaks(audio),
          generation.realTimeFactor(),
          generation.firstChunkMs());
    }
  }

  /** Stops what is being made, voids what waits, and then gives the door up. */
  @Override
  public void close() {
    if (!live.shut()) {
      return;
    }
    live.forEach(
        session -> session.stop(new ServingException("Stopped: the server is being closed.")));
    live.forEach(session -> session.abandon("the server was closed before its turn came"));
    changes.close();
    live.await(CLOSE_WAIT_MAX); // recover() voids what is still at work, once this process is gone
    door.close();
  }
}
