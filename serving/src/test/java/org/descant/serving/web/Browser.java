package org.descant.serving.web;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** One page in the machine's own Chromium, driven by the Chrome DevTools Protocol. */
final class Browser implements AutoCloseable {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final Pattern LISTENING = Pattern.compile("DevTools listening on (ws://\\S+)");
  private static final Duration WAIT_MAX = Duration.ofSeconds(90);

  private final Process process;
  private final WebSocket socket;
  private final AtomicInteger ids = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final List<String> complaints = new CopyOnWriteArrayList<>();

  private Browser(Process process, URI page) {
    this.process = process;
    this.socket =
        HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(page, new Reader()).join();
  }

  static Optional<Path> chromium() {
    return Stream.of("chromium", "chromium-browser", "google-chrome")
        .map(name -> Path.of("/usr/bin", name))
        .filter(Files::isExecutable)
        .findFirst();
  }

  static Browser start(Path chromium, Path profile) throws Exception {
    Process process =
        new ProcessBuilder(
                chromium.toString(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--mute-audio",
                "--autoplay-policy=no-user-gesture-required",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      URI browser = listening(process);
      HttpRequest list =
          HttpRequest.newBuilder(URI.create("http://" + browser.getAuthority() + "/json/list"))
              .build();
      String targets = HttpClient.newHttpClient().send(list, BodyHandlers.ofString()).body();
      for (JsonNode target : JSON.readTree(targets)) {
        if (target.path("type").asString().equals("page")) {
          Browser started =
              new Browser(process, URI.create(target.path("webSocketDebuggerUrl").asString()));
          for (String domain : List.of("Page", "Runtime", "Log")) {
            started.call(domain + ".enable", Map.of());
          }
          return started;
        }
      }
      throw new IOException("Chromium has no page: " + targets);
    } catch (Exception e) {
      process.destroyForcibly();
      throw e;
    }
  }

  private static URI listening(Process process) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Matcher matcher = LISTENING.matcher(line);
      if (matcher.find()) {
        Thread.ofVirtual().start(() -> lines.lines().forEach(rest -> {}));
        return URI.create(matcher.group(1));
      }
    }
    throw new IOException("Chromium ended before it listened");
  }

  private final class Reader implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        JsonNode message = JSON.readTree(text.toString());
        text.setLength(0);
        CompletableFuture<JsonNode> answer = answers.remove(message.path("id").asInt(-1));
        if (answer != null) {
          answer.complete(message);
        }
        complain(message.path("method").asString(""), message.path("params"));
      }
      from.request(1);
      return null;
    }

    private void complain(String method, JsonNode params) {
      switch (method) {
        case "Runtime.exceptionThrown" -> complaints.add(params.toString());
        case "Log.entryAdded" -> {
          if (params.path("entry").path("level").asString("").equals("error")) {
            complaints.add(params.toString());
          }
        }
        case "Runtime.consoleAPICalled" -> {
          if (params.path("type").asString("").matches("error|warning|assert")) {
            complaints.add(params.toString());
          }
        }
        default -> {}
      }
    }
  }

  private JsonNode call(String method, Map<String, Object> params) throws Exception {
    int id = ids.incrementAndGet();
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(id, answer);
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("id", id);
    message.put("method", method);
    message.put("params", params);
    socket.sendText(JSON.writeValueAsString(message), true).join();
    JsonNode got = answer.get(WAIT_MAX.toSeconds(), TimeUnit.SECONDS);
    if (got.has("error")) {
      throw new IOException(method + ": " + got);
    }
    return got.path("result");
  }

  /** Goes to an address and waits until an expression is true there. */
  void open(String address, String until) throws Exception {
    call("Page.navigate", Map.of("url", address));
    await("document.readyState === 'complete' && " + until);
  }

  /** The value of an expression, as JSON. */
  JsonNode eval(String expression) throws Exception {
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
    if (result.has("exceptionDetails")) {
      throw new AssertionError(expression + ": " + result.path("exceptionDetails"));
    }
    return result.path("result").path("value");
  }

  void await(String expression) throws Exception {
    long end = System.nanoTime() + WAIT_MAX.toNanos();
    while (System.nanoTime() < end) {
      try {
        if (eval("Boolean(" + expression + ")").asBoolean(false)) {
          return;
        }
      } catch (AssertionError | IOException loading) {
        // The page is on its way.
      }
      Thread.sleep(100);
    }
    throw new AssertionError(
        "never true: " + expression + "\n" + eval("document.body.innerText") + "\n" + complaints);
  }

  /** A picture of the whole page, at a width and in a colour scheme ("light" or "dark"). */
  void shoot(Path file, int width, String scheme) throws Exception {
    call(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
    size(width, 800);
    int height = eval("document.documentElement.scrollHeight").asInt();
    size(width, Math.min(height, 4_000));
    Thread.sleep(300);
    JsonNode shot = call("Page.captureScreenshot", Map.of("format", "png"));
    Files.createDirectories(file.getParent());
    Files.write(file, Base64.getDecoder().decode(shot.path("data").asString()));
  }

  private void size(int width, int height) throws Exception {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
  }

  /** Errors and warnings that the pages have caused so far; forgets them. */
  List<String> complaints() {
    List<String> all = new ArrayList<>(complaints);
    complaints.clear();
    return all;
  }

  @Override
  public void close() throws Exception {
    try {
      call("Browser.close", Map.of());
    } finally {
      socket.abort();
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
  }
}
