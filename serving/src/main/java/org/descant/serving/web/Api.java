package org.descant.serving.web;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.descant.catalog.CatalogEntry;
import org.descant.provenance.Artefact;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialReport;
import org.descant.provenance.Trace;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Use;
import org.descant.serving.Attempts;
import org.descant.serving.Clip;
import org.descant.serving.Delivery;
import org.descant.serving.House;
import org.descant.serving.Order;
import org.descant.serving.RefusedException;
import org.descant.serving.ServingException;
import org.descant.studio.Pages;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The routes of the HTTP API and the pages. Generations run on one platform thread, because the
 * engine makes one at a time; up to {@value #WAITING_MAX} wait, and what comes then is told to come
 * back.
 */
public final class Api implements AutoCloseable {
  private static final int WAITING_MAX = 16;
  private static final int JSON_BYTES_MAX = 64 << 10;
  private static final int FILE_BYTES_MAX = 64 << 20;

  /** Files that are looked at at once: each is read whole. */
  private static final int VERIFIED_AT_ONCE_MAX = 4;

  private static final String CLOSED_BEFORE = "the server was closed before its turn came";
  private static final int CLIPS_LISTED = 50;
  private static final int COPY_BYTES = 64 << 10;

  /** How long, and with how much sound, what is finished can still be heard as it was made. */
  private static final Duration KEPT = Duration.ofMinutes(10);

  private static final long KEPT_BYTES_MAX = 256L << 20;
  private static final Duration CLOSE_WAIT_MAX = Duration.ofSeconds(60);

  private final House house;
  private final Delivery delivery;
  private final Parties parties;
  private final Semaphore places = new Semaphore(1 + WAITING_MAX);
  private final Semaphore verifying = new Semaphore(VERIFIED_AT_ONCE_MAX);
  private final Map<String, LiveGeneration> making = new ConcurrentHashMap<>();
  private final Cache<String, LiveGeneration> made =
      Caffeine.newBuilder()
          .expireAfterWrite(KEPT)
          .maximumWeight(KEPT_BYTES_MAX)
          .weigher((String id, LiveGeneration generation) -> generation.audioBytes())
          .build();

  /** Its queue is bounded by {@link #places}. */
  private final ExecutorService worker =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("descant-generate").factory());

  public Api(House house, Delivery delivery) {
    this.house = house;
    this.delivery = delivery;
    this.parties = new Parties(house.rights(), house.ledger());
  }

  Router router(PrometheusMeterRegistry metrics) {
    Meters meters = Meters.in(metrics);
    return new Router()
        .on("GET", "/", exchange -> page(exchange, "index.html"))
        .on("GET", "/healthz", exchange -> exchange.answer(200, Map.of("status", "up")))
        .on(
            "GET",
            "/metrics",
            exchange ->
                exchange.send(
                    200,
                    "text/plain; version=0.0.4; charset=utf-8",
                    metrics.scrape().getBytes(StandardCharsets.UTF_8)))
        .on("GET", "/openapi.json", this::openApi)
        .on("GET", "/api/v1/status", this::status)
        .on("GET", "/api/v1/styles", exchange -> exchange.answer(200, delivery.styles()))
        .on("POST", "/api/v1/generations", exchange -> stream(exchange, meters))
        .on("GET", "/api/v1/generations/{id}/audio", exchange -> audio(exchange).stream(exchange))
        .on(
            "GET",
            "/api/v1/generations/{id}/events",
            exchange -> live(exchange).events().stream(exchange))
        .on("GET", "/api/v1/clips", this::clips)
        .on("POST", "/api/v1/clips", exchange -> finish(exchange, meters))
        .on("GET", "/api/v1/clips/{id}", exchange -> exchange.answer(200, shown(clip(exchange))))
        .on("GET", "/api/v1/clips/{id}/wav", exchange -> file(exchange, "wav", "audio/wav"))
        .on("GET", "/api/v1/clips/{id}/flac", exchange -> file(exchange, "flac", "audio/flac"))
        .on("GET", "/api/v1/clips/{id}/trace", this::trace)
        .on("GET", "/api/v1/parties", exchange -> exchange.answer(200, parties.list()))
        .on(
            "GET",
            "/api/v1/parties/{id}",
            exchange -> exchange.answer(200, parties.page(exchange.part("id"))))
        .on("POST", "/api/v1/parties/{id}/choices", this::choose)
        .on("POST", "/api/v1/verify", this::verify)
        .on("GET", "/{page}", exchange -> page(exchange, exchange.part("page")));
  }

  /** What is counted of the clips that are asked for. */
  private record Meters(Counter delivered, Counter refused, DistributionSummary speed) {
    static Meters in(PrometheusMeterRegistry metrics) {
      return new Meters(
          Counter.builder("descant.clips.delivered")
              .description("clips paid for")
              .register(metrics),
          Counter.builder("descant.requests.refused")
              .description("requests that somebody had not agreed to")
              .register(metrics),
          DistributionSummary.builder("descant.generation.real_time_factor")
              .description("seconds of sound per second of work")
              .register(metrics));
    }
  }

  /** A clip that is heard while it is made. */
  private void stream(Router.Exchange exchange, Meters meters) throws Exception {
    Order order = exchange.json(Order.class, JSON_BYTES_MAX);
    Delivery.Session session = opened(() -> delivery.open(order), meters);
    LiveGeneration generation = LiveGeneration.stream(session.seconds());
    begin(
        session.id(),
        generation,
        () -> session.run(generation),
        () -> session.abandon(CLOSED_BEFORE),
        meters);
    String path = "/api/v1/generations/" + session.id();
    exchange.answer(
        201,
        Map.of(
            "id", session.id(),
            "audio", path + "/audio",
            "events", path + "/events",
            "clip", "/api/v1/clips/" + session.id()));
  }

  /** A clip that is heard when it is finished; the event {@code done} tells its id. */
  private void finish(Router.Exchange exchange, Meters meters) throws Exception {
    Order order = exchange.json(Order.class, JSON_BYTES_MAX);
    Attempts attempts = opened(() -> delivery.finished(order), meters);
    LiveGeneration generation = LiveGeneration.finished();
    begin(
        attempts.id(),
        generation,
        () -> attempts.run(generation),
        () -> attempts.abandon(CLOSED_BEFORE),
        meters);
    exchange.answer(
        201,
        Map.of("id", attempts.id(), "events", "/api/v1/generations/" + attempts.id() + "/events"));
  }

  /** Takes a place in the queue and asks the gate; without a session there is no place either. */
  private <T> T opened(Supplier<T> open, Meters meters) {
    if (!places.tryAcquire()) {
      throw new Router.Busy("Many are being made just now; ask again in a minute.");
    }
    try {
      return open.get();
    } catch (RuntimeException e) {
      places.release();
      if (e instanceof RefusedException) {
        meters.refused.increment();
      }
      throw e;
    }
  }

  private void begin(
      String id, LiveGeneration generation, Supplier<Clip> run, Runnable abandon, Meters meters) {
    making.put(id, generation);
    try {
      worker.execute(() -> {
        try {
          Clip clip = run.get();
          meters.delivered.increment();
          meters.speed.record(clip.realTimeFactor());
          generation.done(clip);
        } catch (RuntimeException | Error e) {
          generation.failed(e);
        } finally {
          ended(id, generation);
        }
      });
    } catch (RejectedExecutionException closing) {
      ended(id, generation);
      abandon.run();
      throw new Router.Busy("The server is being closed; ask again when it is back.");
    }
  }

  private void ended(String id, LiveGeneration generation) {
    made.put(id, generation);
    making.remove(id);
    places.release();
  }

  private AudioStream audio(Router.Exchange exchange) {
    AudioStream audio = live(exchange).audio();
    if (audio == null) {
      throw new Router.NotFound("This clip is not heard before it is finished; follow its events.");
    }
    return audio;
  }

  private LiveGeneration live(Router.Exchange exchange) {
    String id = exchange.part("id");
    LiveGeneration generation = making.get(id);
    if (generation == null) {
      generation = made.getIfPresent(id);
    }
    if (generation == null) {
      throw new Router.NotFound(
          "No generation " + Router.shortened(id) + " is being made; a finished one is a clip.");
    }
    return generation;
  }

  private Clip clip(Router.Exchange exchange) {
    return delivery
        .find(exchange.part("id"))
        .orElseThrow(() ->
            new Router.NotFound("There is no clip " + Router.shortened(exchange.part("id")) + "."));
  }

  static String address(Clip clip, String part) {
    return "/api/v1/clips/" + clip.id() + part;
  }

  /** A clip as the API shows it: files by their address, not by this machine's paths. */
  private static Map<String, Object> shown(Clip clip) {
    Map<String, Object> shown = new LinkedHashMap<>();
    shown.put("id", clip.id());
    shown.put("usage", clip.usage());
    shown.put("text", clip.text());
    shown.put("seconds", clip.seconds());
    shown.put("tempo", clip.tempo());
    shown.put("key", clip.key());
    shown.put("tags", clip.tags());
    shown.put("style", clip.style());
    shown.put("madeFrom", clip.madeFrom());
    shown.put("melodyOf", clip.melodyOf());
    shown.put("seed", clip.seed());
    shown.put("askedSeed", clip.askedSeed());
    shown.put("attempt", clip.attempt());
    shown.put("model", Map.of("id", clip.model(), "name", clip.modelName()));
    shown.put("datasetRoot", clip.datasetRoot());
    shown.put("at", clip.at());
    shown.put("credits", clip.credits());
    shown.put("shareRule", clip.shareRule());
    shown.put("attribution", clip.attribution());
    shown.put("transfers", clip.transfers());
    shown.put("currency", clip.currency());
    shown.put("copied", clip.copied());
    shown.put("reliability", clip.reliability());
    shown.put("wav", address(clip, "/wav"));
    shown.put("flac", address(clip, "/flac"));
    shown.put("wavSha256", clip.wavSha256());
    shown.put("flacSha256", clip.flacSha256());
    shown.put("peaks", clip.peaks());
    return shown;
  }

  private void clips(Router.Exchange exchange) throws Exception {
    List<Map<String, Object>> lines = new ArrayList<>();
    for (Clip clip : delivery.newest(CLIPS_LISTED)) {
      lines.add(
          Map.of("id", clip.id(), "text", clip.text(), "seconds", clip.seconds(), "at", clip.at()));
    }
    exchange.answer(200, lines);
  }

  private void file(Router.Exchange exchange, String ending, String contentType) throws Exception {
    Clip clip = clip(exchange);
    try (FileChannel channel = FileChannel.open(delivery.file(clip, ending))) {
      ByteRange range = exchange.begin(contentType, channel.size());
      exchange.setHeader(
          "Content-Disposition", "attachment; filename=\"" + clip.id() + "." + ending + "\"");
      exchange.setHeader("Cache-Control", "private, max-age=86400, immutable");
      if (exchange.isHead()) {
        return;
      }
      OutputStream out = exchange.out();
      ByteBuffer buffer = ByteBuffer.allocate(COPY_BYTES);
      for (long at = range.from(); at <= range.to(); at += buffer.limit()) {
        buffer.clear().limit((int) Math.min(COPY_BYTES, range.to() + 1 - at));
        while (buffer.hasRemaining()) {
          if (channel.read(buffer, at + buffer.position()) < 0) {
            throw new IOException("the file of " + clip.id() + " became shorter");
          }
        }
        out.write(buffer.array(), 0, buffer.limit());
      }
      out.close();
    } catch (NoSuchFileException e) {
      throw new Router.NotFound("The file of the clip " + clip.id() + " is not here any more.");
    }
  }

  private void trace(Router.Exchange exchange) throws Exception {
    Trace trace = house.lineage().trace(clip(exchange).id());
    List<Map<String, Object>> nodes = new ArrayList<>();
    List<Trace.Step> ancestors = new ArrayList<>(trace.ancestors());
    Collections.reverse(ancestors);
    ancestors.forEach(step -> nodes.add(node(step.artefact())));
    nodes.add(node(trace.subject()));
    trace.descendants().forEach(step -> nodes.add(node(step.artefact())));
    exchange.answer(200, Map.of("nodes", nodes, "truncated", trace.truncated()));
  }

  private static Map<String, Object> node(Artefact artefact) {
    return Map.of("kind", artefact.kind().name(), "id", artefact.id(), "label", label(artefact));
  }

  /** What an artefact is, in a few words. */
  private static String label(Artefact artefact) {
    JsonNode facts = artefact.json();
    return switch (artefact.kind()) {
      case RECORDING -> facts.path("title").asString("");
      case DECISION ->
          "%s of %s: %s"
              .formatted(
                  facts.path("use").asString(""),
                  facts.path("isrc").asString(""),
                  facts.path("allowed").asBoolean(false) ? "yes" : "no");
      case DATASET ->
          "%d recordings in, %d left out"
              .formatted(facts.path("included").asInt(0), facts.path("excluded").asInt(0));
      case RUN -> facts.path("recipe").asString("");
      case MODEL, STATEMENT -> facts.path("name").asString("");
      case CLIP -> facts.path("text").asString("");
      case USAGE -> facts.path("kind").asString("");
      case TRANSFER -> facts.path("reason").asString("");
    };
  }

  private void choose(Router.Exchange exchange) throws Exception {
    Parties.ChoiceRequest request = exchange.json(Parties.ChoiceRequest.class, JSON_BYTES_MAX);
    parties.choose(exchange.part("id"), request);
    exchange.answer(200, parties.page(exchange.part("id")));
  }

  private void verify(Router.Exchange exchange) throws Exception {
    if (!verifying.tryAcquire()) {
      throw new Router.Busy("Several files are being looked at just now; ask again in a moment.");
    }
    Path file = Files.createTempFile("descant-verify", ".audio");
    try {
      try (OutputStream out = Files.newOutputStream(file)) {
        exchange.copyBody(out, FILE_BYTES_MAX);
      }
      if (Files.size(file) == 0) {
        throw new Router.BadRequest("The body is empty; send the bytes of an audio file.");
      }
      exchange.answer(200, Verification.of(house, file));
    } finally {
      verifying.release();
      Files.deleteIfExists(file);
    }
  }

  private void status(Router.Exchange exchange) throws Exception {
    var model = delivery.model();
    List<Isrc> ready =
        house.catalog().list().stream()
            .filter(entry -> entry.status() == CatalogEntry.Status.READY)
            .map(CatalogEntry::isrc)
            .toList();
    long cleared =
        house.rights().clearance().decideAll(Use.TRAIN, ready, DecisionContext.today()).stream()
            .filter(Decision::allowed)
            .count();
    Map<String, Object> known = new LinkedHashMap<>();
    known.put("id", model.id());
    known.put("name", model.name());
    known.put("datasetRoot", model.datasetRoot());
    known.put("recordings", model.trainedOn().size());
    try {
      known.put("flagged", delivery.flagged());
      known.put("playable", true);
    } catch (RefusedException resting) {
      known.put("flagged", List.of());
      known.put("playable", false);
      known.put("reasons", resting.reasons());
    }
    exchange.answer(
        200,
        Map.of(
            "model",
            known,
            "recordings",
            ready.size(),
            "cleared",
            cleared,
            "fictional",
            house.rights().parties().stream().anyMatch(Party::fictional)));
  }

  private void page(Router.Exchange exchange, String name) throws Exception {
    Pages.Page page =
        Pages.find(name)
            .orElseThrow(() -> new Router.NotFound("There is no page called " + name + "."));
    exchange.send(200, page.contentType(), page.bytes());
  }

  private void openApi(Router.Exchange exchange) throws Exception {
    try (var in = Api.class.getResourceAsStream("openapi.json")) {
      if (in == null) {
        throw new ServingException("openapi.json is missing from the jar.");
      }
      exchange.send(200, "application/json", in.readAllBytes());
    }
  }

  /**
   * The answer to "where does this file come from?".
   *
   * @param known the clip of this home that the credential names; null when there is none
   */
  public record Verification(String answer, CredentialReport credential, @Nullable Known known) {
    /** A clip that this home has recorded. */
    public record Known(String clip, boolean recorded) {}

    /** Reads a file's credential and looks its clip up. */
    public static Verification of(House house, Path file) {
      CredentialReport report = ContentCredential.verify(file, house.key().root());
      CredentialReport.Credential credential = report.credential();
      String clip = credential == null ? null : credential.clipId();
      Known known =
          clip == null || house.lineage().find(clip).isEmpty() ? null : new Known(clip, true);
      return new Verification(report.sentence(), report, known);
    }
  }

  /** Stops what is being made; what waited is voided. Close the web server first. */
  @Override
  public void close() {
    delivery.close();
    worker.shutdown();
    try {
      if (!worker.awaitTermination(CLOSE_WAIT_MAX.toSeconds(), TimeUnit.SECONDS)) {
        System.getLogger(Api.class.getName())
            .log(System.Logger.Level.WARNING, "a generation did not stop in time");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
