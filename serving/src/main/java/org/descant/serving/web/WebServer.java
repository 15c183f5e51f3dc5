package org.descant.serving.web;

import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.net.BindException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Set;
import org.descant.serving.ServingException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.server.handler.QoSHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.VirtualThreads;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * Jetty core on virtual threads, HTTP/1.1 and cleartext HTTP/2, bound to the loopback address.
 * Beyond {@value #REQUESTS_MAX} requests at once others wait, then are turned away with 503.
 */
public final class WebServer implements AutoCloseable {
  private static final int REQUESTS_MAX = 256;
  private static final int WAITING_MAX = 1_024;
  private static final Duration WAIT_MAX = Duration.ofSeconds(10);
  private static final Duration IDLE_MAX = Duration.ofMinutes(2);

  /** A full queue of the longest clips is made in less: its last listener waits in silence. */
  private static final Duration STREAM_IDLE_MAX = Duration.ofMinutes(30);

  private static final int STOP_MS_MAX = 3_000;

  private final Server server;
  private final ServerConnector connector;

  private WebServer(Server server, ServerConnector connector) {
    this.server = server;
    this.connector = connector;
  }

  /**
   * Starts the API on {@code 127.0.0.1:port}; port 0 takes a free one.
   *
   * @throws ServingException when the port is taken
   */
  public static WebServer start(Api api, int port) {
    return start(api, port, IDLE_MAX);
  }

  static WebServer start(Api api, int port, Duration idleMax) {
    if (port < 0 || port > 65_535) {
      throw new ServingException("A port is 0 to 65535, was " + port + "; 0 takes a free one.");
    }
    QueuedThreadPool threads = new QueuedThreadPool();
    threads.setName("descant-http");
    threads.setDaemon(true);
    threads.setVirtualThreadsExecutor(VirtualThreads.getNamedVirtualThreadsExecutor("http-"));
    Server server = new Server(threads);
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    // Ids may hold a slash; the router puts it back after it has matched the path.
    http.setUriCompliance(
        UriCompliance.DEFAULT.with(
            "descant",
            UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR,
            UriCompliance.Violation.AMBIGUOUS_PATH_ENCODING));
    HTTP2CServerConnectionFactory newer = new HTTP2CServerConnectionFactory(http);
    newer.setStreamIdleTimeout(STREAM_IDLE_MAX.toMillis());
    ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(http), newer);
    connector.setHost("127.0.0.1");
    connector.setPort(port);
    connector.setIdleTimeout(idleMax.toMillis());
    server.addConnector(connector);

    PrometheusMeterRegistry metrics = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    QoSHandler admission = new QoSHandler(new Measured(api.router(metrics), metrics));
    admission.setMaxRequestCount(REQUESTS_MAX);
    admission.setMaxSuspendedRequestCount(WAITING_MAX);
    admission.setMaxSuspend(WAIT_MAX);
    server.setHandler(admission);
    server.setErrorHandler(WebServer::problem);
    server.setStopTimeout(STOP_MS_MAX);
    try {
      server.start();
    } catch (Exception e) {
      stopQuietly(server);
      if (cause(e) instanceof BindException) {
        throw new ServingException(
            "Port " + port + " is in use; name another with --port, or --port 0 for a free one.",
            e);
      }
      throw new ServingException("The web server does not start: " + e.getMessage(), e);
    }
    return new WebServer(server, connector);
  }

  /** What Jetty itself refuses (a broken request, too many at once) is a problem body too. */
  private static boolean problem(Request request, Response response, Callback callback) {
    Object said = request.getAttribute(ErrorHandler.ERROR_MESSAGE);
    String detail =
        response.getStatus() == HttpStatus.SERVICE_UNAVAILABLE_503
            ? "Many ask at once just now; ask again in a moment."
            : "The request cannot be read: " + (said == null ? "it is not HTTP" : said) + ".";
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/problem+json");
    byte[] body = Json.bytes(Problem.of(response.getStatus(), detail));
    response.write(true, ByteBuffer.wrap(body), callback);
    return true;
  }

  public int port() {
    return connector.getLocalPort();
  }

  /** Waits until the server is stopped. */
  public void join() throws InterruptedException {
    server.join();
  }

  @Override
  public void close() {
    stopQuietly(server);
  }

  private static void stopQuietly(Server server) {
    try {
      server.stop();
    } catch (Exception stopping) {
      System.getLogger(WebServer.class.getName())
          .log(System.Logger.Level.WARNING, "the web server did not stop cleanly", stopping);
    }
  }

  private static Throwable cause(Throwable e) {
    Throwable last = e;
    while (last.getCause() != null) {
      last = last.getCause();
    }
    return last;
  }

  /** Counts and times every request, and sets the headers that every answer has. */
  private static final class Measured extends Handler.Wrapper {
    /** A tag has few values, whatever is asked. */
    private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST");

    private final PrometheusMeterRegistry metrics;

    Measured(Handler handler, PrometheusMeterRegistry metrics) {
      super(handler);
      this.metrics = metrics;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
      long start = System.nanoTime();
      response.getHeaders().put("X-Content-Type-Options", "nosniff");
      response
          .getHeaders()
          .put(
              "Content-Security-Policy",
              "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
      response.getHeaders().put("Referrer-Policy", "same-origin");
      response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache");
      Request.addCompletionListener(
          request,
          failure ->
              Timer.builder("descant.http.requests")
                  .description("requests answered, by method and status class")
                  .tag(
                      "method",
                      METHODS.contains(request.getMethod()) ? request.getMethod() : "other")
                  .tag("status", failure != null ? "cut" : response.getStatus() / 100 + "xx")
                  .register(metrics)
                  .record(Duration.ofNanos(System.nanoTime() - start)));
      return super.handle(request, response, callback);
    }
  }
}
