package org.descant.models.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.UnaryOperator;

/**
 * A hub on this machine with one model, and a second server to which it redirects large files. It
 * behaves well unless a test gives it a {@link Fault} for one of the next requests for a file.
 */
final class TestHub implements AutoCloseable {
  static final String REPO = "acme/tune";
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  static final String TOKEN = "hf_secret";

  /** Everything fast, so that a test of patience takes no time. */
  static final HubTimings QUICK =
      new HubTimings(
          Duration.ofSeconds(2),
          Duration.ofSeconds(2),
          Duration.ofSeconds(5),
          64,
          4,
          60,
          Duration.ofMillis(1),
          Duration.ofMillis(4),
          Duration.ofSeconds(30),
          Duration.ofSeconds(30));

  /** A request as it came. */
  record Request(String server, String path, String range, String authorization) {}

  /** Answers one request for a file in its own way. */
  interface Fault {
    void answer(HttpExchange exchange, byte[] content) throws IOException;
  }

  final Map<String, byte[]> files = new LinkedHashMap<>();
  final Queue<Fault> faults = new ConcurrentLinkedQueue<>();
  final Queue<Fault> listingFaults = new ConcurrentLinkedQueue<>();
  final List<Request> requests = new CopyOnWriteArrayList<>();
  final Map<String, String> hubHeaders = new LinkedHashMap<>();

  /** How the listing is changed before it is sent. */
  volatile UnaryOperator<String> listing = json -> json;

  /** Large files are served by the second server, as real hubs do. */
  volatile boolean redirects = true;

  /** Small files go by a relative redirect, as real hubs do. */
  volatile boolean relative;

  /** Sizes and hashes are in the listing. */
  volatile boolean listsHashes = true;

  private final HttpServer hub;
  private final HttpServer store;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  TestHub() {
    hub = server();
    store = server();
    hub.createContext("/", exchange -> handle("hub", exchange, this::ofHub));
    store.createContext("/", exchange -> handle("store", exchange, this::ofStore));
    hub.start();
    store.start();
  }

  /** A hub whose model has a configuration and weights of so many bytes. */
  static TestHub with(int weightBytes, long seed) {
    TestHub hub = new TestHub();
    byte[] weights = new byte[weightBytes];
    new SplittableRandom(seed).nextBytes(weights);
    hub.files.put("config.json", "{\"model_type\": \"tune\"}".getBytes(StandardCharsets.UTF_8));
    hub.files.put("model.safetensors", weights);
    return hub;
  }

  private HttpServer server() {
    try {
      HttpServer server =
          HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      server.setExecutor(threads);
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  HubEndpoint endpoint() {
    return HubEndpoint.parse("http://127.0.0.1:" + hub.getAddress().getPort());
  }

  String storeAddress() {
    return "http://127.0.0.1:" + store.getAddress().getPort();
  }

  HubClient client() {
    return new HubClient(endpoint(), TOKEN, QUICK);
  }

  /** Requests for the content of one file. */
  List<Request> of(String file) {
    return requests.stream()
        .filter(r -> r.path().endsWith("/" + file) && !r.path().startsWith("/api/models"))
        .toList();
  }

  private interface Handler {
    void handle(HttpExchange exchange, String path) throws IOException;
  }

  private void handle(String server, HttpExchange exchange, Handler handler) throws IOException {
    String path = exchange.getRequestURI().getPath();
    requests.add(
        new Request(
            server,
            exchange.getRequestURI().toString(),
            String.valueOf(exchange.getRequestHeaders().getFirst("Range")),
            String.valueOf(exchange.getRequestHeaders().getFirst("Authorization"))));
    try {
      handler.handle(exchange, path);
    } finally {
      exchange.close();
    }
  }

  private void ofHub(HttpExchange exchange, String path) throws IOException {
    String resolve = "/" + REPO + "/resolve/" + COMMIT + "/";
    String cache = "/api/resolve-cache/";
    if (path.startsWith("/api/models/" + REPO + "/revision/")) {
      Fault fault = listingFaults.poll();
      byte[] json = listing.apply(json()).getBytes(StandardCharsets.UTF_8);
      if (fault != null) {
        fault.answer(exchange, json);
      } else {
        send(exchange, 200, json, 0, json.length);
      }
    } else if (path.startsWith(resolve) || path.startsWith(cache)) {
      String file = path.substring((path.startsWith(resolve) ? resolve : cache).length());
      byte[] content = files.get(file);
      if (content == null) {
        exchange.getResponseHeaders().set("X-Error-Code", "EntryNotFound");
        exchange.sendResponseHeaders(404, -1);
        return;
      }
      exchange.getResponseHeaders().set("X-Repo-Commit", COMMIT);
      exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(content.length));
      exchange.getResponseHeaders().set("X-Linked-ETag", "\"" + hash(file, content) + "\"");
      hubHeaders.forEach(exchange.getResponseHeaders()::set);
      if (redirects && isLarge(file)) {
        redirect(exchange, storeAddress() + "/signed/" + exchange.getRequestURI().getRawPath());
      } else if (relative && path.startsWith(resolve)) {
        redirect(exchange, cache + file);
      } else {
        content(exchange, content, hash(file, content));
      }
    } else {
      exchange.getResponseHeaders().set("X-Error-Code", "RepoNotFound");
      exchange.sendResponseHeaders(404, -1);
    }
  }

  private void ofStore(HttpExchange exchange, String path) throws IOException {
    String file =
        URLDecoder.decode(
            path.substring(path.indexOf(COMMIT) + COMMIT.length() + 1), StandardCharsets.UTF_8);
    byte[] content = files.get(file);
    content(exchange, content, "store-" + sha256(content).substring(0, 16));
  }

  static void redirect(HttpExchange exchange, String to) throws IOException {
    exchange.getResponseHeaders().set("Location", to);
    exchange.sendResponseHeaders(302, -1);
  }

  private void content(HttpExchange exchange, byte[] content, String entity) throws IOException {
    exchange.getResponseHeaders().set("ETag", "\"" + entity + "\"");
    Fault fault = faults.poll();
    if (fault != null) {
      fault.answer(exchange, content);
    } else {
      serve(exchange, content, Integer.MAX_VALUE);
    }
  }

  /** As a server should: whole, or the range that was asked for. */
  static void serve(HttpExchange exchange, byte[] content, int most) throws IOException {
    long from = from(exchange);
    String onlyOf = exchange.getRequestHeaders().getFirst("If-Range");
    if (onlyOf != null && !onlyOf.equals(exchange.getResponseHeaders().getFirst("ETag"))) {
      from = 0;
    }
    if (from > 0 && from >= content.length) {
      exchange.getResponseHeaders().set("Content-Range", "bytes */" + content.length);
      exchange.sendResponseHeaders(416, -1);
      return;
    }
    if (from > 0) {
      exchange
          .getResponseHeaders()
          .set(
              "Content-Range",
              "bytes %d-%d/%d".formatted(from, content.length - 1, content.length));
    }
    send(exchange, from > 0 ? 206 : 200, content, (int) from, most);
  }

  static long from(HttpExchange exchange) {
    String range = exchange.getRequestHeaders().getFirst("Range");
    return range == null ? 0 : Long.parseLong(range.replaceAll("bytes=(\\d+)-", "$1"));
  }

  /** Says the whole length and sends at most so many bytes of it: fewer is a cut. */
  static void send(HttpExchange exchange, int status, byte[] content, int from, int most)
      throws IOException {
    int length = content.length - from;
    exchange.sendResponseHeaders(status, length == 0 ? -1 : length);
    if (length > 0) {
      OutputStream out = exchange.getResponseBody();
      out.write(content, from, Math.min(length, most));
      out.flush();
    }
  }

  static Fault cutAfter(int bytes) {
    return (exchange, content) -> serve(exchange, content, bytes);
  }

  static Fault status(int status, String... headers) {
    return (exchange, content) -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(status, -1);
    };
  }

  private static boolean isLarge(String file) {
    return file.endsWith(".safetensors");
  }

  private String json() {
    List<String> siblings = new ArrayList<>();
    files.forEach((path, content) -> {
      String facts = "";
      if (listsHashes && isLarge(path)) {
        facts =
            ", \"size\": %d, \"blobId\": \"%s\", \"lfs\": {\"sha256\": \"%s\", \"size\": %d, \"pointerSize\": 134}"
                .formatted(content.length, gitBlob(new byte[1]), sha256(content), content.length);
      } else if (listsHashes) {
        facts = ", \"size\": %d, \"blobId\": \"%s\"".formatted(content.length, gitBlob(content));
      }
      siblings.add("{\"rfilename\": \"%s\"%s}".formatted(path.replace("\\", "\\\\"), facts));
    });
    return """
    {"id": "%s", "sha": "%s", "gated": false, "tags": ["music", "license:mit"],
     "siblings": [%s]}\
    """
        .formatted(REPO, COMMIT, String.join(", ", siblings));
  }

  private static String hash(String file, byte[] content) {
    return isLarge(file) ? sha256(content) : gitBlob(content);
  }

  static String sha256(byte[] content) {
    return hex("SHA-256", new byte[0], content);
  }

  static String gitBlob(byte[] content) {
    return hex(
        "SHA-1", ("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII), content);
  }

  private static String hex(String algorithm, byte[] before, byte[] content) {
    try {
      MessageDigest digest = MessageDigest.getInstance(algorithm);
      digest.update(before);
      return HexFormat.of().formatHex(digest.digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
    threads.shutdownNow();
  }
}
