package org.descant.serving.web;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.descant.audio.AudioException;
import org.descant.database.Database;
import org.descant.engine.EngineException;
import org.descant.rights.RightsException;
import org.descant.serving.RefusedException;
import org.descant.serving.ServingException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;

/**
 * Method and path to handler; every failure to a problem body. Paths have named parts: {@code
 * /api/v1/clips/{id}/wav}. Handlers run on virtual threads and may block.
 *
 * <p>A page of another site cannot make its reader's browser ask for anything to be done here: a
 * POST that says where it comes from (Origin) has to come from here.
 */
final class Router extends Handler.Abstract {
  private static final System.Logger LOGGER = System.getLogger(Router.class.getName());

  /** So much of a body that nobody wants is read on before the answer. */
  private static final long DRAINED_BYTES_MAX = 16 << 20;

  private static final int RETRY_SECONDS = 10;

  /** One request and the ways to answer it; exactly one answer is given. */
  static final class Exchange {
    private final Request request;
    private final Response response;
    private final Map<String, String> parts;
    private long bodyBytes;

    private Exchange(Request request, Response response, Map<String, String> parts) {
      this.request = request;
      this.response = response;
      this.parts = parts;
    }

    /** The named part of the path. */
    String part(String name) {
      String value = parts.get(name);
      if (value == null) {
        throw new IllegalArgumentException("the route has no part " + name);
      }
      return value;
    }

    @Nullable String header(String name) {
      return request.getHeaders().get(name);
    }

    /** Whether only the headers are wanted. */
    boolean isHead() {
      return request.getMethod().equals("HEAD");
    }

    /** Copies the body, at most {@code bytesMax} of it. */
    void copyBody(OutputStream out, int bytesMax) throws IOException {
      InputStream in = Content.Source.asInputStream(request); // open until it is read on below
      byte[] buffer = new byte[8 << 10];
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        bodyBytes += count;
        if (bodyBytes > bytesMax) {
          throw new TooLarge(bytesMax);
        }
        out.write(buffer, 0, count);
      }
    }

    /**
     * Reads on what is left of the body, so that its sender hears the answer and may ask again on
     * the same connection; when that is too much, the answer says that the connection ends with it.
     */
    private void readOn() {
      long left = DRAINED_BYTES_MAX;
      if (request.getLength() - bodyBytes <= left) {
        InputStream in = Content.Source.asInputStream(request);
        byte[] buffer = new byte[8 << 10];
        try {
          for (int count = in.read(buffer); count >= 0 && left > 0; count = in.read(buffer)) {
            left -= count;
          }
        } catch (IOException e) {
          LOGGER.log(System.Logger.Level.DEBUG, "a request's body does not come", e);
        }
      }
      if (!request.consumeAvailable()
          && request.getConnectionMetaData().getHttpVersion() == HttpVersion.HTTP_1_1) {
        response.getHeaders().put(HttpHeader.CONNECTION, "close");
      }
    }

    /** The body as a record; unknown, missing and ill-typed fields are errors. */
    <T> T json(Class<T> type, int bytesMax) throws IOException {
      var bytes = new java.io.ByteArrayOutputStream();
      copyBody(bytes, bytesMax);
      return Json.read(bytes.toByteArray(), type);
    }

    void answer(int status, Object value) throws IOException {
      send(
          status,
          status >= 400 ? "application/problem+json" : "application/json",
          Json.bytes(value));
    }

    void send(int status, String contentType, byte[] bytes) throws IOException {
      readOn();
      response.setStatus(status);
      response.getHeaders().put(HttpHeader.CONTENT_TYPE, contentType);
      response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
      if (!isHead()) {
        try (OutputStream out = out()) {
          out.write(bytes);
        }
      }
    }

    /**
     * Begins an answer of {@code total} bytes: all of them, or the range that was asked for, which
     * the caller then writes.
     *
     * @return the bytes to write; an empty answer for HEAD is the caller's matter
     */
    ByteRange begin(String contentType, long total) {
      ByteRange range = isHead() ? null : ByteRange.of(header("Range"), total);
      ByteRange sent = range == null ? new ByteRange(0, total - 1) : range;
      response.setStatus(range == null ? 200 : 206);
      response.getHeaders().put(HttpHeader.CONTENT_TYPE, contentType);
      response.getHeaders().put(HttpHeader.CONTENT_LENGTH, sent.length());
      response.getHeaders().put(HttpHeader.ACCEPT_RANGES, "bytes");
      if (range != null) {
        response
            .getHeaders()
            .put(
                HttpHeader.CONTENT_RANGE, "bytes " + range.from() + "-" + range.to() + "/" + total);
      }
      return sent;
    }

    /** A body that may come slowly: its pauses are not taken for a lost connection. */
    OutputStream slowOut() {
      request.addIdleTimeoutListener(timeout -> false);
      return out();
    }

    OutputStream out() {
      return Content.Sink.asOutputStream(response);
    }

    void setHeader(String name, String value) {
      response.getHeaders().put(name, value);
    }
  }

  /** What a route does. */
  @FunctionalInterface
  interface Action {
    void run(Exchange exchange) throws Exception;
  }

  /** The request itself is wrong; the sentence says how to mend it. */
  static final class BadRequest extends RuntimeException {
    private static final long serialVersionUID = 1;

    BadRequest(String sentence) {
      super(sentence);
    }
  }

  /** Nothing of that name is here. */
  static final class NotFound extends RuntimeException {
    private static final long serialVersionUID = 1;

    NotFound(String sentence) {
      super(sentence);
    }
  }

  /** Every worker is taken; the sentence says when to come back. */
  static final class Busy extends RuntimeException {
    private static final long serialVersionUID = 1;

    Busy(String sentence) {
      super(sentence);
    }
  }

  private static final class TooLarge extends RuntimeException {
    private static final long serialVersionUID = 1;

    TooLarge(int bytesMax) {
      super("The body is larger than " + bytesMax + " bytes, which is the most that is read here.");
    }
  }

  private record Route(String method, String path, List<String> pattern, Action action) {}

  private final List<Route> routes = new ArrayList<>();

  Router on(String method, String path, Action action) {
    routes.add(new Route(method, path, List.of(path.split("/", -1)), action));
    return this;
  }

  /** Every route as {@code METHOD path}. */
  List<String> routes() {
    return routes.stream().map(route -> route.method() + " " + route.path()).toList();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = Request.getPathInContext(request);
    List<String> asked = List.of(path.split("/", -1));
    String method = request.getMethod().equals("HEAD") ? "GET" : request.getMethod();
    TreeSet<String> taken = new TreeSet<>();
    for (Route route : routes) {
      Map<String, String> parts = match(route.pattern(), asked);
      if (parts == null) {
        continue;
      }
      taken.add(route.method());
      if (route.method().equals(method)) {
        Exchange exchange = new Exchange(request, response, parts);
        run(isFromElsewhere(request) ? Router::refuseOrigin : route.action(), exchange, callback);
        return true;
      }
    }
    if (taken.contains("GET")) {
      taken.add("HEAD");
    }
    Problem problem =
        taken.isEmpty()
            ? Problem.of(
                404,
                "There is nothing at " + shortened(path) + "; /openapi.json lists what there is.")
            : Problem.of(405, shortened(path) + " does not take " + request.getMethod() + ".");
    run(
        exchange -> {
          if (!taken.isEmpty()) {
            exchange.setHeader("Allow", String.join(", ", taken));
          }
          exchange.answer(problem.status(), problem);
        },
        new Exchange(request, response, Map.of()),
        callback);
    return true;
  }

  private static boolean isFromElsewhere(Request request) {
    String origin = request.getHeaders().get(HttpHeader.ORIGIN);
    if (origin == null || !request.getMethod().equals("POST")) {
      return false;
    }
    String authority = request.getHttpURI().getAuthority();
    return !origin
        .replaceFirst("^https?://", "")
        .equalsIgnoreCase(authority == null ? "" : authority);
  }

  private static void refuseOrigin(Exchange exchange) throws IOException {
    exchange.answer(403, Problem.of(403, "A page of another site cannot ask for this."));
  }

  private static void run(Action action, Exchange exchange, Callback callback) {
    try {
      action.run(exchange);
      callback.succeeded();
    } catch (Exception e) {
      if (exchange.response.isCommitted()) {
        callback.failed(e);
        return;
      }
      try {
        Problem problem = problem(e);
        switch (e) {
          case ByteRange.Unsatisfiable range ->
              exchange.setHeader("Content-Range", "bytes */" + range.total());
          case Busy busy -> exchange.setHeader("Retry-After", String.valueOf(RETRY_SECONDS));
          default -> {}
        }
        exchange.answer(problem.status(), problem);
        callback.succeeded();
      } catch (Exception unanswerable) {
        callback.failed(unanswerable);
      }
    }
  }

  /** What went wrong with a request, for the one who asked. */
  static Problem problem(Throwable e) {
    String sentence = String.valueOf(e.getMessage());
    return switch (e) {
      case RefusedException refused -> Problem.of(403, sentence, refused.reasons());
      // Words of the request that its reader could not make sense of.
      case BadRequest bad -> Problem.of(400, sentence);
      case EngineException bad -> Problem.of(400, sentence);
      case AudioException bad -> Problem.of(400, sentence);
      case RightsException bad -> Problem.of(400, sentence);
      case NotFound absent -> Problem.of(404, sentence);
      case TooLarge large -> Problem.of(413, sentence);
      case ByteRange.Unsatisfiable range -> Problem.of(416, sentence);
      case Busy busy -> Problem.of(503, sentence);
      default -> fault(e);
    };
  }

  /** What went wrong while something was made: a refusal, or a fault of ours. */
  static Problem fault(Throwable e) {
    if (e instanceof RefusedException refused) {
      return Problem.of(403, String.valueOf(refused.getMessage()), refused.reasons());
    }
    if (e instanceof ServingException said && said.getCause() == null) {
      LOGGER.log(System.Logger.Level.DEBUG, said.getMessage());
    } else {
      LOGGER.log(System.Logger.Level.WARNING, "a request failed", e);
    }
    if (Database.sentence(e).isPresent()) {
      return Problem.of(503, Database.sentence(e).get());
    }
    // Our own exceptions carry a sentence made for the reader; others do not.
    String sentence =
        e.getClass().getName().startsWith("org.descant.")
            ? String.valueOf(e.getMessage())
            : "Something broke here; the server's log says what.";
    return Problem.of(500, sentence);
  }

  private static @Nullable Map<String, String> match(List<String> pattern, List<String> asked) {
    if (pattern.size() != asked.size()) {
      return null;
    }
    Map<String, String> parts = new TreeMap<>();
    for (int i = 0; i < pattern.size(); i++) {
      String expected = pattern.get(i);
      if (expected.startsWith("{")) {
        parts.put(expected.substring(1, expected.length() - 1), decoded(asked.get(i)));
      } else if (!expected.equals(asked.get(i))) {
        return null;
      }
    }
    return parts;
  }

  /** Jetty has decoded everything but these two, which would have changed the path's shape. */
  private static String decoded(String part) {
    return part.toLowerCase(Locale.ROOT).contains("%2")
        ? part.replaceAll("%2[fF]", "/").replace("%25", "%")
        : part;
  }

  static String shortened(String text) {
    return text.length() <= 120
        ? text
        : text.codePoints()
            .limit(120)
            .mapToObj(Character::toString)
            .collect(Collectors.joining("", "", "…"));
  }
}
