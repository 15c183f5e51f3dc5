package org.descant.storage.testing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The few requests of Google Cloud Storage (JSON and XML API) and Azure Blob Storage that a bucket
 * needs, over HTTP, kept in memory. It checks no signature: what it shows is that the requests are
 * those of the protocols and that the answers are understood, not that a real account lets us in.
 */
public final class CloudServer implements AutoCloseable {
  private static final String GOOGLE = "/storage/v1/b/";
  private static final Pattern RANGE = Pattern.compile("bytes=([0-9]+)-([0-9]*)");
  private static final Pattern LATEST = Pattern.compile("<Latest>([^<]*)</Latest>");

  private final HttpServer server;
  private final Map<String, byte[]> objects = new ConcurrentHashMap<>();
  private final Map<String, byte[]> parts = new ConcurrentHashMap<>();

  public CloudServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::answer);
    server.start();
  }

  public int port() {
    return server.getAddress().getPort();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      if (path.startsWith(GOOGLE) || path.startsWith("/upload" + GOOGLE)) {
        google(exchange, path);
      } else {
        byName(exchange, path.substring(path.indexOf('/', 1) + 1));
      }
    }
  }

  private void google(HttpExchange exchange, String path) throws IOException {
    Map<String, String> query = query(exchange);
    String name =
        path.startsWith("/upload")
            ? query.get("name")
            : path.substring(path.indexOf("/o/", GOOGLE.length()) + 3);
    switch (exchange.getRequestMethod()) {
      case "POST" -> {
        objects.put(name, exchange.getRequestBody().readAllBytes());
        send(exchange, 200, "{}");
      }
      case "DELETE" -> exchange.sendResponseHeaders(objects.remove(name) == null ? 404 : 204, -1);
      default -> {
        byte[] object = objects.get(name);
        if (object == null || "media".equals(query.get("alt"))) {
          give(exchange, object);
        } else {
          send(
              exchange,
              200,
              "{\"name\":\"%s\",\"size\":\"%d\",\"etag\":\"e\",\"updated\":\"2026-01-01T00:00:00Z\"}"
                  .formatted(name, object.length));
        }
      }
    }
  }

  /** Azure's requests, and Google's for uploads in parts. */
  private void byName(HttpExchange exchange, String name) throws IOException {
    Map<String, String> query = query(exchange);
    byte[] body = exchange.getRequestBody().readAllBytes();
    switch (exchange.getRequestMethod()) {
      case "POST" -> {
        if (query.containsKey("uploads")) {
          send(
              exchange,
              200,
              "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>");
        } else {
          var whole = new ByteArrayOutputStream();
          for (int i = 1; parts.containsKey(name + "#" + i); i++) {
            whole.writeBytes(parts.get(name + "#" + i));
          }
          objects.put(name, whole.toByteArray());
          send(exchange, 200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>");
        }
      }
      case "PUT" -> {
        if (query.containsKey("partNumber")) {
          parts.put(name + "#" + query.get("partNumber"), body);
          exchange.getResponseHeaders().set("ETag", "\"e\"");
          exchange.sendResponseHeaders(200, -1);
          return;
        }
        if ("block".equals(query.get("comp"))) {
          parts.put(name + "#" + query.get("blockid"), body);
        } else if ("blocklist".equals(query.get("comp"))) {
          var whole = new ByteArrayOutputStream();
          Matcher latest = LATEST.matcher(new String(body, StandardCharsets.UTF_8));
          while (latest.find()) {
            whole.writeBytes(parts.get(name + "#" + latest.group(1)));
          }
          objects.put(name, whole.toByteArray());
        } else {
          objects.put(name, body);
        }
        exchange.sendResponseHeaders(201, -1);
      }
      case "DELETE" -> exchange.sendResponseHeaders(objects.remove(name) == null ? 404 : 202, -1);
      case "HEAD" -> {
        byte[] object = objects.get(name);
        if (object != null) {
          exchange.getResponseHeaders().set("Content-Length", Integer.toString(object.length));
          exchange.getResponseHeaders().set("ETag", "\"e\"");
          exchange.getResponseHeaders().set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
        }
        exchange.sendResponseHeaders(object == null ? 404 : 200, -1);
      }
      default -> give(exchange, objects.get(name));
    }
  }

  private static void give(HttpExchange exchange, byte[] object) throws IOException {
    if (object == null) {
      exchange.sendResponseHeaders(404, -1);
      return;
    }
    String asked = exchange.getRequestHeaders().getFirst("Range");
    Matcher range = RANGE.matcher(asked == null ? "" : asked);
    if (!range.matches()) {
      exchange.sendResponseHeaders(200, object.length == 0 ? -1 : object.length);
      exchange.getResponseBody().write(object);
      return;
    }
    int from = Integer.parseInt(range.group(1));
    int to =
        range.group(2).isEmpty()
            ? object.length
            : Math.min(object.length, Integer.parseInt(range.group(2)) + 1);
    if (from >= to) {
      exchange.sendResponseHeaders(416, -1);
      return;
    }
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes %d-%d/%d".formatted(from, to - 1, object.length));
    exchange.sendResponseHeaders(206, to - from);
    exchange.getResponseBody().write(Arrays.copyOfRange(object, from, to));
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private static Map<String, String> query(HttpExchange exchange) {
    Map<String, String> query = new ConcurrentHashMap<>();
    String text = exchange.getRequestURI().getQuery();
    if (text != null) {
      for (String part : text.split("&", -1)) {
        int equals = part.indexOf('=');
        query.put(
            equals < 0 ? part : part.substring(0, equals),
            equals < 0 ? "" : part.substring(equals + 1));
      }
    }
    return query;
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
