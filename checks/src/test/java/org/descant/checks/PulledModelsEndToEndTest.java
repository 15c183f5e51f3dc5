package org.descant.checks;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A published model by the command line: pulled in spite of a killed process, and never played. */
class PulledModelsEndToEndTest {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  private static final byte[] WEIGHTS = new byte[600_000];
  private static final int STALLS_AFTER = 400_000;
  private static final int MINUTES_MAX = 5;

  static {
    new SplittableRandom(1).nextBytes(WEIGHTS);
  }

  @TempDir Path folder;

  private final List<String> ranges = new CopyOnWriteArrayList<>();
  private final CountDownLatch killed = new CountDownLatch(1);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private HttpServer hub;

  private record Result(int status, String out, String err) {
    JsonNode json() {
      return JSON.readTree(out);
    }
  }

  @BeforeEach
  void open() throws Exception {
    hub = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    hub.setExecutor(threads);
    String sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(WEIGHTS));
    String listing =
        """
        {"sha": "%s", "siblings": [
         {"rfilename": "model.safetensors", "size": %d, "lfs": {"sha256": "%s"}},
         {"rfilename": "pytorch_model.bin", "size": 1}]}\
        """
            .formatted(COMMIT, WEIGHTS.length, sha256);
    hub.createContext(
        "/api/models/acme/tune/revision/main",
        exchange -> {
          byte[] json = listing.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, json.length);
          exchange.getResponseBody().write(json);
          exchange.close();
        });
    hub.createContext("/acme/tune/resolve/" + COMMIT + "/model.safetensors", this::weights);
    hub.start();
  }

  /** The first answer stops in the middle and waits for the kill; later ones are whole. */
  private void weights(HttpExchange exchange) throws IOException {
    String range = String.valueOf(exchange.getRequestHeaders().getFirst("Range"));
    ranges.add(range);
    int from = range.equals("null") ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
    if (from > 0) {
      exchange
          .getResponseHeaders()
          .set("Content-Range", "bytes " + from + "-599999/" + WEIGHTS.length);
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, WEIGHTS.length - from);
    if (ranges.size() == 1) {
      exchange.getResponseBody().write(WEIGHTS, 0, STALLS_AFTER);
      exchange.getResponseBody().flush();
      try {
        killed.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    } else {
      exchange.getResponseBody().write(WEIGHTS, from, WEIGHTS.length - from);
    }
    exchange.close();
  }

  @AfterEach
  void close() {
    killed.countDown();
    hub.stop(0);
    threads.shutdownNow();
  }

  @Test
  void aPullSurvivesAKillAndItsModelIsStudiedButNotPlayed() throws Exception {
    Result nowhere = descant("models", "pull", "hf:acme/tune");
    assertThat(nowhere.status()).isEqualTo(2);
    assertThat(nowhere.err()).startsWith("descant: ").contains("HF_ENDPOINT");

    String[] pull = {"--json", "models", "pull", "hf:acme/tune", "--endpoint", endpoint()};
    Process first = start(pull, folder.resolve("first.out"), folder.resolve("first.err"));
    while (first.isAlive() && partBytes() < STALLS_AFTER) {
      Thread.sleep(20);
    }
    first.destroyForcibly();
    assertThat(first.waitFor()).isEqualTo(128 + 9);
    killed.countDown();
    assertThat(descant("--json", "models", "ls").out()).doesNotContain("hf:acme/tune");

    Result second = descant(pull);
    assertThat(second.status()).as(second.err()).isZero();
    assertThat(ranges).containsExactly("null", "bytes=" + STALLS_AFTER + "-");
    JsonNode pulled = second.json();
    assertThat(pulled.path("bytesFetched").asInt()).isEqualTo(WEIGHTS.length - STALLS_AFTER);
    assertThat(pulled.path("pulled").path("refused").toString()).contains("pytorch_model.bin");
    assertThat(Path.of(pulled.path("folder").asString()).resolve("model.safetensors"))
        .hasBinaryContent(WEIGHTS);

    assertThat(descant("--json", "models", "ls").json())
        .anySatisfy(line -> {
          assertThat(line.path("name").asString()).isEqualTo("hf:acme/tune");
          assertThat(line.path("rights").asBoolean(true)).isFalse();
        })
        .anySatisfy(line -> assertThat(line.path("name").asString()).isEqualTo("house-demo"));
    assertThat(descant("models", "show", "hf:acme/tune", "--check").status()).isZero();

    Path out = folder.resolve("clip.wav");
    for (String model : List.of("hf:acme/tune", pulled.path("folder").asString())) {
      Result played = descant("generate", "--model", model, "--out", out.toString());
      assertThat(played.status()).as(played.err()).isEqualTo(1);
      assertThat(played.out()).contains("may not be played").contains("no rights manifest");
      assertThat(out).doesNotExist();
    }
    Result served = descant("--json", "serve", "--port", "0", "--model", "acme--tune");
    assertThat(served.status()).as(served.err()).isEqualTo(1);
    assertThat(served.json().path("refused").asBoolean()).isTrue();

    // What was tuned from such a model is no better known, even beside a card that says more.
    Path tuned = Files.createDirectories(folder.resolve("home/models/tuned"));
    Files.writeString(
        tuned.resolve("tuned.json"),
        """
        {"format": 1, "model": {"id": "sha256:0", "name": "ours", "kind": "MODEL", "base":
         {"name": "hf:acme/tune", "contentHash": "0", "pulled": "hf:acme/tune@c", "tuned": null},
         "run": "r", "recipe": "musicgen", "recipeHash": "0", "datasetRoot": "0",
         "recordings": [], "figures": {}}}\
        """);
    Files.writeString(tuned.resolve("card.json"), "{}");
    Result ours = descant("generate", "--model", "tuned", "--out", out.toString());
    assertThat(ours.status()).as(ours.err()).isEqualTo(1);
    assertThat(ours.out()).contains("tuned from hf:acme/tune", "no rights manifest");
    assertThat(out).doesNotExist();
    Files.delete(tuned.resolve("card.json"));

    assertThat(descant("models", "rm", "house-demo").status()).isEqualTo(1);
    Result removed = descant("--json", "models", "rm", "hf:acme/tune");
    assertThat(removed.status()).as(removed.err()).isZero();
    assertThat(removed.json().path("bytesFreed").asInt()).isEqualTo(WEIGHTS.length);
    assertThat(descant("models", "show", "hf:acme/tune").status()).isEqualTo(2);
  }

  private String endpoint() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  private long partBytes() throws IOException {
    Path incoming = folder.resolve("home/models/.hub/incoming/acme--tune");
    if (!Files.isDirectory(incoming)) {
      return 0;
    }
    long bytes = 0;
    try (Stream<Path> files = Files.list(incoming)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".part")).toList()) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }

  private Result descant(String... arguments) throws Exception {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    Process process = start(arguments, out, err);
    if (!process.waitFor(MINUTES_MAX, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    return new Result(process.waitFor(), Files.readString(out), Files.readString(err));
  }

  /** Starts the command on the test's class path, in a process of its own. */
  private Process start(String[] arguments, Path out, Path err) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Ddescant.source=" + Repository.root(),
                "-cp",
                System.getProperty("java.class.path"),
                "org.descant.cli.Main"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("DESCANT_HOME", folder.resolve("home").toString());
    builder.environment().remove("HF_ENDPOINT");
    builder.environment().remove("HF_TOKEN");
    return builder
        .redirectOutput(out.toFile())
        .redirectError(err.toFile())
        .redirectInput(new File("/dev/null"))
        .start();
  }
}
