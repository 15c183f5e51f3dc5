package org.descant.serving.web;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.engine.GenerationRequest;
import org.descant.ledger.UsageState;
import org.descant.rights.Use;
import org.descant.serving.Delivery;
import org.descant.serving.ServingException;
import org.descant.serving.TestHouse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Every route over real sockets. */
class ApiTest {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  @TempDir static Path folder;

  private static final HttpClient CLIENT =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  /** Asks to go on in HTTP/2, as far as the server can. */
  private static final HttpClient NEWER =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();

  private static TestHouse home;
  private static Delivery delivery;
  private static Api api;
  private static WebServer server;

  @BeforeAll
  static void serve() {
    home = TestHouse.in(folder);
    delivery = new Delivery(home.house());
    api = new Api(home.house(), delivery);
    server = WebServer.start(api, 0);
  }

  @AfterAll
  static void stop() {
    server.close();
    api.close();
    home.close();
  }

  private static HttpRequest.Builder to(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path));
  }

  private static HttpResponse<String> get(String path) throws Exception {
    return CLIENT.send(to(path).build(), BodyHandlers.ofString());
  }

  private static HttpResponse<String> post(String path, String body) throws Exception {
    return CLIENT.send(
        to(path)
            .header("content-type", "application/json")
            .POST(BodyPublishers.ofString(body))
            .build(),
        BodyHandlers.ofString());
  }

  private static JsonNode json(HttpResponse<String> response) {
    assertThat(response.headers().firstValue("content-type").orElse("")).contains("json");
    return JSON.readTree(response.body());
  }

  private static JsonNode ok(String path) throws Exception {
    HttpResponse<String> response = get(path);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return json(response);
  }

  private static JsonNode problem(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("content-type")).hasValue("application/problem+json");
    JsonNode problem = JSON.readTree(response.body());
    assertThat(problem.path("status").asInt()).isEqualTo(status);
    assertThat(problem.path("type").asString()).isEqualTo("about:blank");
    assertThat(problem.path("title").asString()).isNotBlank();
    assertThat(problem.path("detail").asString())
        .isNotBlank()
        .doesNotContain("Exception")
        .doesNotContain("org.descant")
        .hasSizeLessThan(600);
    return problem;
  }

  private static JsonNode start(String body) throws Exception {
    HttpResponse<String> response = post("/api/v1/generations", body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(201);
    return json(response);
  }

  private record Event(int id, String name, JsonNode data) {}

  /** Reads Server-Sent Events until they end. */
  private static List<Event> events(HttpRequest request, Consumer<Event> each) throws Exception {
    HttpResponse<InputStream> response = CLIENT.send(request, BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("content-type")).hasValue("text/event-stream");
    List<Event> events = new ArrayList<>();
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(response.body(), UTF_8))) {
      int id = -1;
      String name = "";
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("id: ")) {
          id = Integer.parseInt(line.substring(4));
        } else if (line.startsWith("event: ")) {
          name = line.substring(7);
        } else if (line.startsWith("data: ")) {
          Event event = new Event(id, name, JSON.readTree(line.substring(6)));
          events.add(event);
          each.accept(event);
        }
      }
    }
    return events;
  }

  private static List<Event> events(String path) throws Exception {
    return events(to(path).build(), event -> {});
  }

  private static String make() throws Exception {
    JsonNode made = start("{\"seconds\": 2, \"tempo\": 100, \"key\": \"D minor\"}");
    List<Event> events = events(made.path("events").asString());
    assertThat(events.getLast().name()).as(events.toString()).isEqualTo("done");
    return made.path("id").asString();
  }

  private static void await(String clip, UsageState state) throws Exception {
    String usage = "usage-" + clip.substring("clip-".length());
    for (int i = 0; i < 600 && home.house().ledger().state(usage) != state; i++) {
      Thread.sleep(100);
    }
    assertThat(home.house().ledger().state(usage)).isEqualTo(state);
  }

  // The main way

  @Test
  void aGenerationIsHeardAndSeenWhileItIsMade() throws Exception {
    JsonNode made =
        start("{\"text\": \"a tune\", \"seconds\": 3, \"tempo\": 90, \"tags\": [\"warm\"]}");
    CompletableFuture<HttpResponse<byte[]>> heard =
        CLIENT.sendAsync(to(made.path("audio").asString()).build(), BodyHandlers.ofByteArray());
    List<Event> events = events(made.path("events").asString());

    List<String> names = events.stream().map(Event::name).toList();
    assertThat(names.subList(0, 3)).containsExactly("credits", "money", "chunk");
    assertThat(names.subList(names.size() - 3, names.size()))
        .containsExactly("credits", "money", "done");
    assertThat(names.subList(2, names.size() - 3)).containsOnly("chunk");
    assertThat(events.getFirst().data().path("provisional").asBoolean()).isTrue();
    assertThat(events.get(names.size() - 3).data().path("provisional").asBoolean()).isFalse();
    double at = 0;
    for (Event event : events.subList(2, names.size() - 3)) {
      assertThat(event.data().path("fromSeconds").asDouble()).isEqualTo(at);
      assertThat(event.data().path("peaks").get(0).size()).isEqualTo(2);
      at += event.data().path("seconds").asDouble();
    }
    assertThat(at).isBetween(2.999, 3.001);
    JsonNode money = events.get(names.size() - 2).data();
    assertThat(money.path("total").asLong()).isEqualTo(3_000);
    long paid = 0;
    for (JsonNode transfer : money.path("transfers")) {
      paid += transfer.path("amount").asLong();
    }
    assertThat(paid).isEqualTo(3_000);

    HttpResponse<byte[]> audio = heard.get();
    assertThat(audio.statusCode()).isEqualTo(200);
    assertThat(audio.headers().firstValue("content-type")).hasValue("audio/wav");
    byte[] wav = audio.body();
    assertThat(audio.headers().firstValueAsLong("content-length")).hasValue(wav.length);
    ByteBuffer header = ByteBuffer.wrap(wav).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(new String(wav, 0, 4, US_ASCII)).isEqualTo("RIFF");
    assertThat(header.getInt(4)).isEqualTo(wav.length - 8);
    assertThat(header.getInt(24)).isEqualTo(44_100);
    assertThat(header.getInt(40)).isEqualTo(wav.length - 44).isEqualTo(3 * 44_100 * 4);

    String id = made.path("id").asString();
    Pcm file = AudioFile.decode(delivery.file(delivery.find(id).orElseThrow(), "wav"));
    assertThat(wav).as("what was heard is what was kept").isEqualTo(AudioWriter.wav16Bytes(file));

    JsonNode clip = ok(made.path("clip").asString());
    assertThat(clip.path("text").asString()).isEqualTo("a tune");
    assertThat(clip.path("seconds").asDouble()).isEqualTo(3);
    assertThat(clip.path("tempo").asDouble()).isEqualTo(90);
    assertThat(clip.path("model").path("name").asString()).isEqualTo("small");
    assertThat(clip.path("credits").size()).isPositive();
    assertThat(clip.path("peaks").size()).isEqualTo(60);
    assertThat(clip.has("reliability")).isTrue();
    assertThat(clip.path("wav").asString()).isEqualTo("/api/v1/clips/" + id + "/wav");
    assertThat(clip.toString()).doesNotContain(folder.toString());
    assertThat(ok("/api/v1/clips").get(0).path("id").asString()).isEqualTo(id);
    JsonNode nodes = ok("/api/v1/clips/" + id + "/trace").path("nodes");
    TreeSet<String> kinds = new TreeSet<>();
    nodes.forEach(node -> kinds.add(node.path("kind").asString()));
    assertThat(kinds)
        .contains("RECORDING", "DECISION", "DATASET", "MODEL", "CLIP", "USAGE", "TRANSFER");
  }

  private static List<Event> finished(WebServer at, String order) throws Exception {
    String base = "http://127.0.0.1:" + at.port();
    HttpResponse<String> asked =
        CLIENT.send(
            HttpRequest.newBuilder(URI.create(base + "/api/v1/clips"))
                .POST(BodyPublishers.ofString(order))
                .build(),
            BodyHandlers.ofString());
    assertThat(asked.statusCode()).as(asked.body()).isEqualTo(201);
    assertThat(json(asked).propertyNames()).containsExactlyInAnyOrder("id", "events");
    String events = json(asked).path("events").asString();
    return events(HttpRequest.newBuilder(URI.create(base + events)).build(), event -> {});
  }

  @Test
  void aFinishedClipIsNotHeardWhileItIsMadeAndOtherSeedsAreTried() throws Exception {
    String order = "{\"seconds\": 5, \"tempo\": 100, \"key\": \"D minor\", \"seed\": 7}";
    List<Event> events = finished(server, order);
    assertThat(events.subList(0, events.size() - 1)).extracting(Event::name).containsOnly("made");
    JsonNode done = events.getLast().data();
    assertThat(events.getLast().name()).as(events.toString()).isEqualTo("done");
    assertThat(done.path("seed").asLong()).isEqualTo(7);
    String id = done.path("clip").asString();
    JsonNode clip = ok("/api/v1/clips/" + id);
    assertThat(clip.path("askedSeed").asLong()).isEqualTo(7);
    assertThat(clip.path("attempt").asInt()).isEqualTo(1);
    problem(get("/api/v1/generations/" + id + "/audio"), 404);

    Path recording = home.house().catalog().audioPath(TestHouse.CY);
    home.exchange(TestHouse.CY, delivery.file(delivery.find(id).orElseThrow(), "wav"));
    try (Api again = new Api(home.house(), new Delivery(home.house()));
        WebServer other = WebServer.start(again, 0)) {
      List<Event> tried = finished(other, order);
      Event next =
          tried.stream().filter(event -> event.name().equals("again")).findFirst().orElseThrow();
      assertThat(next.data().path("problem").path("status").asInt()).isEqualTo(403);
      long seed = next.data().path("seed").asLong();
      assertThat(tried.getLast().data().path("seed").asLong()).isEqualTo(seed).isNotEqualTo(7);
      JsonNode made = ok("/api/v1/clips/" + tried.getLast().data().path("clip").asString());
      assertThat(made.path("seed").asLong()).isEqualTo(seed);
      assertThat(made.path("askedSeed").asLong()).isEqualTo(7);
      assertThat(made.path("attempt").asInt()).isEqualTo(2);

      List<Event> once = finished(other, order.replace("}", ", \"retry\": false}"));
      assertThat(once).extracting(Event::name).doesNotContain("again");
      assertThat(once.getLast().name()).isEqualTo("failed");
      assertThat(once.getLast().data().path("problem").path("detail").asString())
          .contains("too close to an existing recording");
    } finally {
      home.exchange(TestHouse.CY, recording);
    }
  }

  @Test
  void whoComesLateHearsAllAndWhoComesBackHearsTheRest() throws Exception {
    JsonNode made = start("{\"seconds\": 2}");
    List<Event> all = events(made.path("events").asString());
    assertThat(events(made.path("events").asString())).isEqualTo(all);
    List<Event> rest =
        events(
            to(made.path("events").asString()).header("Last-Event-ID", "2").build(), event -> {});
    assertThat(rest).isEqualTo(all.subList(3, all.size()));
    byte[] late =
        CLIENT.send(to(made.path("audio").asString()).build(), BodyHandlers.ofByteArray()).body();
    byte[] range =
        NEWER
            .send(
                to(made.path("audio").asString()).header("Range", "bytes=100-").build(),
                BodyHandlers.ofByteArray())
            .body();
    assertThat(range).isEqualTo(Arrays.copyOfRange(late, 100, late.length));
  }

  @Test
  void finishedFilesComeWholeInPartsAndAsHeadersOnly() throws Exception {
    String id = make();
    for (String ending : List.of("wav", "flac")) {
      String path = "/api/v1/clips/" + id + "/" + ending;
      HttpResponse<byte[]> whole = CLIENT.send(to(path).build(), BodyHandlers.ofByteArray());
      byte[] bytes = whole.body();
      assertThat(whole.statusCode()).isEqualTo(200);
      assertThat(whole.headers().firstValue("content-type")).hasValue("audio/" + ending);
      assertThat(whole.headers().firstValue("accept-ranges")).hasValue("bytes");
      assertThat(whole.headers().firstValue("content-disposition"))
          .hasValue("attachment; filename=\"" + id + "." + ending + "\"");
      // The credential of a FLAC lies in an ID3 tag in front of it.
      assertThat(new String(bytes, 0, 3, US_ASCII)).isEqualTo(ending.equals("wav") ? "RIF" : "ID3");

      HttpResponse<byte[]> part =
          CLIENT.send(
              to(path).header("Range", "bytes=1000-1999").build(), BodyHandlers.ofByteArray());
      assertThat(part.statusCode()).isEqualTo(206);
      assertThat(part.headers().firstValue("content-range"))
          .hasValue("bytes 1000-1999/" + bytes.length);
      assertThat(part.body()).isEqualTo(Arrays.copyOfRange(bytes, 1000, 2000));

      HttpResponse<String> outside =
          CLIENT.send(
              to(path).header("Range", "bytes=" + bytes.length + "-").build(),
              BodyHandlers.ofString());
      problem(outside, 416);
      assertThat(outside.headers().firstValue("content-range")).hasValue("bytes */" + bytes.length);

      HttpResponse<byte[]> head = CLIENT.send(to(path).HEAD().build(), BodyHandlers.ofByteArray());
      assertThat(head.statusCode()).isEqualTo(200);
      assertThat(head.headers().firstValueAsLong("content-length")).hasValue(bytes.length);
      assertThat(head.body()).isEmpty();
    }
    HttpResponse<byte[]> live =
        CLIENT.send(
            to("/api/v1/generations/" + id + "/audio").HEAD().build(), BodyHandlers.ofByteArray());
    assertThat(live.statusCode()).isEqualTo(200);
    assertThat(live.headers().firstValueAsLong("content-length")).hasValue(44 + 2 * 44_100 * 4);
  }

  @Test
  void aFileIsAskedWhereItComesFrom() throws Exception {
    String id = make();
    byte[] file =
        CLIENT.send(to("/api/v1/clips/" + id + "/flac").build(), BodyHandlers.ofByteArray()).body();
    JsonNode known = verify(file);
    assertThat(known.path("known").path("clip").asString()).isEqualTo(id);
    assertThat(known.path("credential").path("state").asString()).isEqualTo("TRUSTED");
    assertThat(known.path("answer").asString()).isNotBlank();

    file[file.length - 1] ^= 1;
    assertThat(verify(file).path("credential").path("state").asString()).isEqualTo("INVALID");

    JsonNode stranger = verify("not audio at all".getBytes(UTF_8));
    assertThat(stranger.path("known").isNull()).isTrue();
    assertThat(stranger.path("credential").path("state").asString()).isEqualTo("NONE");
    problem(post("/api/v1/verify", ""), 400);
  }

  private static JsonNode verify(byte[] file) throws Exception {
    HttpResponse<String> response =
        CLIENT.send(
            to("/api/v1/verify").POST(BodyPublishers.ofByteArray(file)).build(),
            BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return json(response);
  }

  // Yes and no

  @Test
  void aRefusalIsHeardByTheVeryNextRequest() throws Exception {
    String party = home.party(TestHouse.BO);
    String style = "{\"seconds\": 2, \"style\": \"ZZ-TST-26-00002\"}";
    String named = "{\"seconds\": 2, \"text\": \"a song like Bo Winters would sing\"}";
    choose(party, "style", false);
    try {
      long start = System.nanoTime();
      JsonNode problem = problem(post("/api/v1/generations", style), 403);
      System.out.printf(
          "A request was refused %d ms after it was sent, right after the refusal%n",
          (System.nanoTime() - start) / 1_000_000);
      assertThat(problem.path("reasons").size()).isPositive();
      assertThat(problem.path("reasons").toString()).contains("Bo Winters");
      assertThat(problem(post("/api/v1/generations", named), 403).path("detail").asString())
          .contains("Bo Winters");
      assertThat(style("ZZTST2600002").path("allowed").asBoolean()).isFalse();
      assertThat(style("ZZTST2600002").path("reasons").size()).isPositive();
    } finally {
      choose(party, "STYLE", true);
    }
    assertThat(style("ZZTST2600002").path("allowed").asBoolean()).isTrue();
    choose(party, "style", false);
    problem(post("/api/v1/generations", style), 403);
    choose(party, "style", true);
  }

  private static JsonNode style(String isrc) throws Exception {
    for (JsonNode style : ok("/api/v1/styles")) {
      if (style.path("isrc").asString().equals(isrc)) {
        return style;
      }
    }
    throw new AssertionError("no style of " + isrc);
  }

  private static JsonNode choose(String party, String use, boolean allowed) throws Exception {
    HttpResponse<String> response =
        post(
            "/api/v1/parties/" + party.replace(":", "%3A") + "/choices",
            "{\"use\": \"%s\", \"scope\": \"all\", \"allowed\": %s}".formatted(use, allowed));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return json(response);
  }

  @Test
  void aRunningGenerationIsCutWhenItsStyleIsTakenBack() throws Exception {
    String party = home.party(TestHouse.BO);
    JsonNode made = start("{\"seconds\": 60, \"style\": \"ZZTST2600002\"}");
    CompletableFuture<HttpResponse<byte[]>> heard =
        CLIENT.sendAsync(to(made.path("audio").asString()).build(), BodyHandlers.ofByteArray());
    long[] said = {0};
    try {
      List<Event> events =
          events(
              to(made.path("events").asString()).build(),
              event -> {
                if (event.name().equals("chunk") && said[0] == 0) {
                  try {
                    said[0] = System.nanoTime();
                    choose(party, "STYLE", false);
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                }
              });
      System.out.printf(
          "The events of a running generation ended %d ms after the refusal%n",
          (System.nanoTime() - said[0]) / 1_000_000);
      Event last = events.getLast();
      assertThat(last.name()).isEqualTo("failed");
      assertThat(last.data().path("problem").path("status").asInt()).isEqualTo(403);
      assertThat(last.data().path("problem").path("reasons").size()).isPositive();
    } finally {
      choose(party, "STYLE", true);
    }
    assertThatThrownBy(heard::get).as("the sound is cut").hasCauseInstanceOf(IOException.class);
    String id = made.path("id").asString();
    await(id, UsageState.VOIDED);
    problem(get("/api/v1/clips/" + id), 404);
    problem(get("/api/v1/clips/" + id + "/wav"), 404);
  }

  @Test
  void anArtistSeesTheirPageAndChooses() throws Exception {
    make();
    JsonNode parties = ok("/api/v1/parties");
    assertThat(parties.size()).isEqualTo(3);
    String ada = home.party(TestHouse.ADA);
    JsonNode page = ok("/api/v1/parties/" + ada.replace(":", "%3A"));
    assertThat(page.path("name").asString()).startsWith("Ada Lumen");
    JsonNode recording = page.path("recordings").get(0);
    assertThat(recording.path("uses").path("STYLE").path("allowed").asBoolean()).isTrue();
    assertThat(recording.path("uses").path("VOICE").path("allowed").asBoolean()).isFalse();
    assertThat(recording.path("uses").path("VOICE").path("reasons").size()).isPositive();
    assertThat(page.path("statement").path("total").asLong()).isPositive();
    assertThat(page.path("statement").path("lines").get(0).path("clip").asString())
        .startsWith("clip-");

    String path = "/api/v1/parties/" + ada.replace(":", "%3A") + "/choices";
    HttpResponse<String> chosen =
        post(path, "{\"use\":\"REMIX\",\"scope\":\"ZZ-TST-26-00001\",\"allowed\":false}");
    assertThat(chosen.statusCode()).as(chosen.body()).isEqualTo(200);
    JsonNode now = json(chosen);
    assertThat(now.path("choices").get(now.path("choices").size() - 1).path("scope").asString())
        .isEqualTo("recording:ZZTST2600001");
    assertThat(now.path("recordings").get(0).path("uses").path("REMIX").path("allowed").asBoolean())
        .isFalse();
    for (String wrong :
        List.of(
            "{\"use\":\"REMIX\",\"scope\":\"ZZTST2600002\",\"allowed\":false}",
            "{\"use\":\"SING\",\"scope\":\"all\",\"allowed\":false}",
            "{\"use\":\"REMIX\",\"scope\":\"all\"}",
            "{\"scope\":\"all\",\"allowed\":false}",
            "{\"use\":\"REMIX\",\"allowed\":false}",
            "{\"use\":\"REMIX\",\"scope\":\"no such work\",\"allowed\":false}",
            "[]",
            "")) {
      problem(post(path, wrong), 400);
    }
    problem(
        post(
            "/api/v1/parties/nobody/choices",
            "{\"use\":\"REMIX\",\"scope\":\"all\",\"allowed\":false}"),
        404);
  }

  @Test
  void theStatusTellsWhetherTheModelMayBePlayed() throws Exception {
    JsonNode status = ok("/api/v1/status");
    assertThat(status.path("recordings").asInt()).isEqualTo(3);
    assertThat(status.path("cleared").asInt()).isEqualTo(3);
    JsonNode model = status.path("model");
    assertThat(model.path("id").asString()).startsWith("sha256:");
    assertThat(model.path("recordings").asInt()).isEqualTo(3);
    assertThat(model.path("playable").asBoolean()).isTrue();

    home.choose(TestHouse.ADA, Use.TRAIN, false);
    try {
      JsonNode flagged = ok("/api/v1/status").path("model").path("flagged").get(0);
      assertThat(flagged.path("isrc").asString()).isEqualTo("ZZTST2600001");
      assertThat(flagged.path("playableUntil").asString()).isNotBlank();
      home.choose(TestHouse.BO, Use.TRAIN, false);
      assertThat(ok("/api/v1/status").path("model").path("playable").asBoolean()).isFalse();
      problem(post("/api/v1/generations", "{}"), 403);
    } finally {
      home.choose(TestHouse.ADA, Use.TRAIN, true);
      home.choose(TestHouse.BO, Use.TRAIN, true);
    }
  }

  // What is wrong is said in a sentence

  static Stream<Arguments> wrongRequests() {
    String make = "/api/v1/generations";
    return Stream.of(
        Arguments.of(make, "", 400, "JSON"),
        Arguments.of(make, "null", 400, "null"),
        Arguments.of(make, "[1]", 400, "object"),
        Arguments.of(make, "{\"seconds\": 2", 400, "line 1"),
        Arguments.of(make, "{\"seconds\": 2} {}", 400, "object"),
        Arguments.of(make, "{\"seconds\": 2, \"seconds\": 3}", 400, "JSON"),
        Arguments.of(make, "{\"loudness\": 2}", 400, "\"loudness\""),
        Arguments.of(make, "{\"seconds\": \"ten\"}", 400, "\"seconds\" must be a number"),
        Arguments.of(make, "{\"seconds\": {}}", 400, "\"seconds\" must be a number"),
        Arguments.of(make, "{\"seed\": 1.5}", 400, "\"seed\" must be a whole number"),
        Arguments.of(make, "{\"seed\": 1e30}", 400, "seed"),
        Arguments.of(make, "{\"tags\": \"warm\"}", 400, "\"tags\" must be a list"),
        Arguments.of(make, "{\"tags\": [null]}", 400, "null"),
        Arguments.of(make, "{\"tags\": [{}]}", 400, "tags"),
        Arguments.of(make, "{\"text\": 7}", 400, "\"text\" must be a text"),
        Arguments.of(make, "{\"text\": \"a\\u0000b\"}", 400, "characters"),
        Arguments.of(make, "{\"text\": \"\\ud800\"}", 400, "characters"),
        Arguments.of(make, "{\"seconds\": 1}", 400, "2 to 60 seconds"),
        Arguments.of(make, "{\"seconds\": 61}", 400, "2 to 60 seconds"),
        Arguments.of(make, "{\"tempo\": 9000}", 400, "40 to 220"),
        Arguments.of(make, "{\"key\": \"H dur\"}", 400, "H dur"),
        Arguments.of(make, "{\"style\": \"somebody\"}", 400, "ISRC"),
        Arguments.of(make, "{\"style\": \"ZZTST2699999\"}", 403, "style"),
        Arguments.of(make, "{\"style\": \"ZZTST2600003\"}", 403, "style"),
        Arguments.of(make, "{\"text\": \"" + "x".repeat(3_000) + "\"}", 400, "at most"),
        Arguments.of(make, "{\"text\": \"" + "x".repeat(1 << 20) + "\"}", 413, "65536 bytes"),
        Arguments.of(make, "{\"retry\": true}", 400, "made once"),
        Arguments.of(make, "{\"retry\": 1}", 400, "\"retry\" must be true or false"),
        Arguments.of("/api/v1/clips", "{\"seconds\": 1}", 400, "2 to 60 seconds"),
        Arguments.of("/api/v1/clips", "{\"style\": \"ZZTST2600003\"}", 403, "style"),
        Arguments.of("/api/v1/styles", "{}", 405, "does not take POST"),
        Arguments.of("/api/v1/nothing", "{}", 404, "/openapi.json"));
  }

  @ParameterizedTest
  @MethodSource("wrongRequests")
  void aWrongRequestIsAnsweredInASentence(String path, String body, int status, String part)
      throws Exception {
    assertThat(problem(post(path, body), status).path("detail").asString()).contains(part);
  }

  @Test
  void bytesThatAreNoTextAreNoJson() throws Exception {
    HttpResponse<String> response =
        CLIENT.send(
            to("/api/v1/generations")
                .POST(BodyPublishers.ofByteArray(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1'}))
                .build(),
            BodyHandlers.ofString());
    problem(response, 400);
  }

  @ParameterizedTest
  @MethodSource("absent")
  void whatIsNotThereIsAProblem(String path) throws Exception {
    HttpResponse<String> response = get(path);
    assertThat(response.statusCode()).isIn(400, 404);
    problem(response, response.statusCode());
  }

  static Stream<String> absent() {
    return Stream.of(
        "/nothing.html",
        "/../pom.xml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/a%2Fb",
        "/api/v1/clips/clip-nothing",
        "/api/v1/clips/clip-nothing/wav",
        "/api/v1/clips/clip-nothing/trace",
        "/api/v1/clips/%00",
        "/api/v1/clips/" + "x".repeat(3_000),
        "/api/v1/generations/clip-nothing/audio",
        "/api/v1/generations/clip-nothing/events",
        "/api/v1/parties/nobody",
        "/api/v1/parties/a%2Fb",
        "/api/v1/clips/");
  }

  @Test
  void whatIsNotHttpIsAProblemToo() throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      socket.getOutputStream().write("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(US_ASCII));
      String answer = new String(socket.getInputStream().readNBytes(15), US_ASCII);
      assertThat(answer).startsWith("HTTP/1.1 400");
    }
  }

  @Test
  void aMethodThatIsNotTakenIsToldWhichAre() throws Exception {
    HttpResponse<String> response =
        CLIENT.send(
            to("/api/v1/styles").method("DELETE", BodyPublishers.noBody()).build(),
            BodyHandlers.ofString());
    problem(response, 405);
    assertThat(response.headers().firstValue("allow")).hasValue("GET, HEAD");
  }

  @Test
  void aPageOfAnotherSiteCannotChooseForAnArtist() throws Exception {
    String path = "/api/v1/parties/" + home.party(TestHouse.ADA) + "/choices";
    String no = "{\"use\":\"STYLE\",\"scope\":\"all\",\"allowed\":false}";
    for (String origin : List.of("http://evil.example", "null", "http://127.0.0.1:1")) {
      HttpResponse<String> response =
          CLIENT.send(
              to(path).header("Origin", origin).POST(BodyPublishers.ofString(no)).build(),
              BodyHandlers.ofString());
      problem(response, 403);
    }
    String yes = "{\"use\":\"STYLE\",\"scope\":\"all\",\"allowed\":true}";
    HttpResponse<String> ours =
        CLIENT.send(
            to(path)
                .header("Origin", "http://127.0.0.1:" + server.port())
                .POST(BodyPublishers.ofString(yes))
                .build(),
            BodyHandlers.ofString());
    assertThat(ours.statusCode()).isEqualTo(200);
  }

  /** A client that keeps its connections would lose its next request otherwise. */
  @Test
  void whoIsRefusedBeforeItsBodyHasComeMayAskAgainOnTheSameConnection() throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      for (int time = 0; time < 2; time++) {
        refused(socket, 9);
        Thread.sleep(100); // enough for an answer that does not wait for the body
        socket.getOutputStream().write("{\"no\": 1}".getBytes(US_ASCII));
        assertThat(head(socket)).startsWith("HTTP/1.1 403").doesNotContain("connection: close");
      }
    }
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      refused(socket, 1L << 40);
      assertThat(head(socket)).startsWith("HTTP/1.1 403").contains("connection: close");
    }
  }

  /** The head of a request from another site, whose body is still to come. */
  private static void refused(Socket socket, long bytes) throws IOException {
    String head =
        "POST /api/v1/parties/x/choices HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + "Origin: http://evil.example\r\nContent-Length: %d\r\n\r\n".formatted(bytes);
    socket.getOutputStream().write(head.getBytes(US_ASCII));
  }

  /** Reads one answer and returns its head in lower case, but for the first line. */
  private static String head(Socket socket) throws IOException {
    var head = new StringBuilder();
    InputStream in = socket.getInputStream();
    for (int next = in.read(); next >= 0; next = in.read()) {
      head.append((char) next);
      if (head.toString().endsWith("\r\n\r\n")) {
        break;
      }
    }
    assertThat(head.toString()).as("an answer").isNotEmpty();
    int line = head.indexOf("\n");
    String fields = head.substring(line).toLowerCase(Locale.ROOT);
    in.readNBytes(Integer.parseInt(fields.replaceAll("(?s).*\ncontent-length: ([0-9]+).*", "$1")));
    return head.substring(0, line) + fields;
  }

  // The rest of the surface

  @Test
  void pagesAndPartsAreServedWithTheirPolicy() throws Exception {
    for (Map.Entry<String, String> page :
        Map.of(
                "/", "text/html",
                "/artist.html", "text/html",
                "/clip.html", "text/html",
                "/verify.html", "text/html",
                "/common.js", "text/javascript",
                "/app.css", "text/css",
                "/mark.svg", "image/svg+xml")
            .entrySet()) {
      HttpResponse<String> response = get(page.getKey());
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.headers().firstValue("content-type").orElse(""))
          .startsWith(page.getValue());
      assertThat(response.headers().firstValue("content-security-policy").orElse(""))
          .startsWith("default-src 'self'")
          .doesNotContain("unsafe");
      assertThat(response.headers().firstValue("x-content-type-options")).hasValue("nosniff");
    }
  }

  @Test
  void healthAndMetricsAreThere() throws Exception {
    make();
    assertThat(ok("/healthz").path("status").asString()).isEqualTo("up");
    String metrics = get("/metrics").body();
    assertThat(metrics)
        .contains("descant_clips_delivered_total")
        .contains("descant_requests_refused_total")
        .contains("descant_generation_real_time_factor")
        .contains("descant_http_requests_seconds_count");
    CLIENT.send(to("/").method("BREW", BodyPublishers.noBody()).build(), BodyHandlers.ofString());
    String again = get("/metrics").body();
    for (int i = 0; i < 3_000 && !again.contains("method=\"other\""); i++) {
      Thread.sleep(20); // a request is counted when its answer is out
      again = get("/metrics").body();
    }
    assertThat(again).doesNotContain("BREW").contains("method=\"other\"");
  }

  @Test
  void theDocumentListsEveryRouteAndNoOther() throws Exception {
    TreeSet<String> documented = new TreeSet<>();
    ok("/openapi.json")
        .path("paths")
        .properties()
        .forEach(path ->
            path.getValue()
                .propertyNames()
                .forEach(method -> documented.add(method.toUpperCase() + " " + path.getKey())));
    List<String> routes =
        api.router(new PrometheusMeterRegistry(PrometheusConfig.DEFAULT)).routes();
    assertThat(documented)
        .isEqualTo(
            new TreeSet<>(
                routes.stream()
                    .filter(route -> !List.of("GET /", "GET /{page}").contains(route))
                    .toList()));
  }

  // Listeners and load

  @Test
  void aListenerWhoDoesNotReadDoesNotHoldUpTheMaking() throws Exception {
    JsonNode made = start("{\"seconds\": 30, \"tempo\": 120}");
    String id = made.path("id").asString();
    try (Socket deaf = new Socket();
        Socket gone = new Socket()) {
      deaf.setReceiveBufferSize(1024);
      for (Socket socket : List.of(deaf, gone)) {
        socket.connect(
            new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
      }
      request(deaf, made.path("audio").asString());
      request(gone, made.path("events").asString());
      gone.getInputStream().readNBytes(100);
      gone.close();
      await(id, UsageState.POSTED);
      for (int i = 0; i < 1_200 && delivery.find(id).isEmpty(); i++) {
        Thread.sleep(50); // paid for, and on its way into the record
      }
      assertThat(deaf.getInputStream().readNBytes(12))
          .startsWith("HTTP/1.1 200".getBytes(US_ASCII));
    }
    ok("/api/v1/clips/" + id);
  }

  @Test
  void whoWaitsInTheQueueIsNotTakenForGone() throws Exception {
    CountDownLatch turn = new CountDownLatch(1);
    CountDownLatch taken = new CountDownLatch(1);
    var asked = new GenerationRequest("", 2, 100.0, null, List.of(), null, 1, 2);
    CompletableFuture<Void> first =
        CompletableFuture.runAsync(() ->
            home.house()
                .engine()
                .generate(
                    asked,
                    chunk -> {
                      taken.countDown();
                      try {
                        turn.await();
                      } catch (InterruptedException e) {
                        throw new AssertionError(e);
                      }
                    },
                    () -> false));
    taken.await();
    try (Delivery door = new Delivery(home.house());
        Api waiting = new Api(home.house(), door);
        WebServer calm = WebServer.start(waiting, 0);
        WebServer hasty = WebServer.start(waiting, 0, Duration.ofMillis(200))) {
      // Only what a client asks once more by itself is asked of the one that loses its patience.
      JsonNode made =
          JSON.readTree(
              CLIENT
                  .send(
                      HttpRequest.newBuilder(
                              URI.create("http://127.0.0.1:" + calm.port() + "/api/v1/generations"))
                          .POST(BodyPublishers.ofString("{\"seconds\": 2}"))
                          .build(),
                      BodyHandlers.ofString())
                  .body());
      List<CompletableFuture<HttpResponse<byte[]>>> heard = new ArrayList<>();
      for (HttpClient client : List.of(CLIENT, NEWER)) {
        for (String part : List.of("audio", "events")) {
          heard.add(
              client.sendAsync(
                  HttpRequest.newBuilder(
                          URI.create(
                              "http://127.0.0.1:" + hasty.port() + made.path(part).asString()))
                      .build(),
                  BodyHandlers.ofByteArray()));
        }
      }
      Thread.sleep(1_000); // five times what is idle here
      turn.countDown();
      for (int i = 0; i < heard.size(); i += 2) {
        assertThat(heard.get(i).get().body()).hasSize(44 + 2 * 44_100 * 4);
        assertThat(new String(heard.get(i + 1).get().body(), UTF_8)).contains("event: done");
      }
    } finally {
      turn.countDown();
      first.join();
    }
  }

  private static void request(Socket socket, String path) throws IOException {
    socket
        .getOutputStream()
        .write(
            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
                .formatted(path, server.port())
                .getBytes(US_ASCII));
  }

  @Test
  void tooManyAtOnceAreToldToComeBackAndClosingVoidsWhatWaits() throws Exception {
    Delivery door = new Delivery(home.house());
    List<String> accepted = new ArrayList<>();
    Instant before = Instant.now();
    try (Api full = new Api(home.house(), door);
        WebServer other = WebServer.start(full, 0)) {
      URI uri = URI.create("http://127.0.0.1:" + other.port() + "/api/v1/generations");
      HttpResponse<String> response;
      do {
        response =
            CLIENT.send(
                HttpRequest.newBuilder(uri)
                    .POST(BodyPublishers.ofString("{\"seconds\": 60}"))
                    .build(),
                BodyHandlers.ofString());
        if (response.statusCode() == 201) {
          accepted.add(JSON.readTree(response.body()).path("id").asString());
        }
      } while (response.statusCode() == 201 && accepted.size() < 60);
      problem(response, 503);
      assertThat(response.headers().firstValue("retry-after")).isPresent();
      assertThat(accepted.size()).isGreaterThanOrEqualTo(17);
    }
    assertThat(home.house().ledger().pendingBefore(Instant.now()))
        .noneMatch(usage -> accepted.contains(usage.clipId()) && usage.at().isAfter(before));
    assertThat(home.state(accepted.getLast())).isEqualTo("VOIDED");
    assertThat(home.files()).noneMatch(name -> name.contains(accepted.getLast()));
  }

  @Test
  void aPortThatIsTakenIsOneSentence() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      assertThatThrownBy(() -> WebServer.start(api, taken.getLocalPort()))
          .isInstanceOf(ServingException.class)
          .hasMessage(
              "Port %d is in use; name another with --port, or --port 0 for a free one."
                  .formatted(taken.getLocalPort()));
    }
    assertThatThrownBy(() -> WebServer.start(api, 70_000))
        .isInstanceOf(ServingException.class)
        .hasMessageContaining("0 to 65535");
  }
}
