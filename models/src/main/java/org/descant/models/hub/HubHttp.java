package org.descant.models.hub;

import java.net.ConnectException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLHandshakeException;
import org.descant.models.ModelException;
import org.jspecify.annotations.Nullable;

/**
 * GET with redirects followed by hand, so that the access token goes to the hub's own origin only.
 * Thread-safe.
 *
 * <p>What the hub says about a file (size, hash, commit) is on its own answers, not on those of the
 * host it redirects to; {@link Answer#ofHub} keeps the two apart.
 */
final class HubHttp implements AutoCloseable {
  private static final int REDIRECTS_MAX = 8;
  private static final int TOKEN_CHARS_MAX = 4_096;

  private final HubEndpoint endpoint;
  private final @Nullable String token;
  private final HubTimings timings;
  private final HttpClient client;

  /**
   * @param token of the account to read with; null for none
   */
  HubHttp(HubEndpoint endpoint, @Nullable String token, HubTimings timings) {
    this.endpoint = endpoint;
    this.token = checked(endpoint, token);
    this.timings = timings;
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(timings.connect())
            .build();
  }

  private static @Nullable String checked(HubEndpoint endpoint, @Nullable String token) {
    if (token == null || token.isBlank()) {
      return null;
    }
    String stripped = token.strip();
    if (stripped.length() > TOKEN_CHARS_MAX || !stripped.chars().allMatch(c -> c > 32 && c < 127)) {
      throw new ModelException(
          "HF_TOKEN does not look like an access token; copy it again, in one line.");
    }
    if (!endpoint.isPrivate()) {
      throw new ModelException(
          "The hub at "
              + endpoint
              + " would get HF_TOKEN in clear over http; use its https address or unset HF_TOKEN.");
    }
    return stripped;
  }

  /**
   * An answer after all redirects.
   *
   * @param headers of the last hop
   * @param ofHub headers of those hops that the hub itself answered, the earliest first
   * @param byHub whether the last hop was the hub itself
   */
  record Answer(
      int status,
      HttpHeaders headers,
      Map<String, String> ofHub,
      boolean byHub,
      String host,
      Body body)
      implements AutoCloseable {
    Optional<String> hub(String name) {
      return Optional.ofNullable(ofHub.get(name));
    }

    @Override
    public void close() {
      body.close();
    }
  }

  /**
   * Asks, and answers with whatever status is neither a redirect nor one that may be better next
   * time. The caller closes the answer.
   *
   * @param extra header names and values
   */
  Answer get(URI start, Map<String, String> extra) throws TryAgainException {
    URI at = start;
    Map<String, String> ofHub = new LinkedHashMap<>();
    for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
      HttpResponse<Body> response = send(at, extra);
      boolean byHub = endpoint.isOrigin(at);
      if (byHub) {
        response
            .headers()
            .map()
            .forEach((name, values) ->
                ofHub.putIfAbsent(name.toLowerCase(Locale.ROOT), values.getFirst()));
      }
      int status = response.statusCode();
      if (status >= 300 && status < 400 && status != 304) {
        response.body().close();
        at = next(at, response.headers());
        continue;
      }
      Answer answer =
          new Answer(status, response.headers(), ofHub, byHub, at.getHost(), response.body());
      // The address that a hub redirects to is signed for some minutes; a fresh one may do.
      boolean staleAddress = !byHub && (status == 401 || status == 403 || status == 410);
      if (status == 408 || status == 429 || status >= 500 || staleAddress) {
        answer.close();
        throw new TryAgainException(
            "%s answered %d".formatted(at.getHost(), status), retryAfter(response.headers()));
      }
      return answer;
    }
    throw new ModelException(
        "%s redirects more than %d times for %s; nothing was pulled."
            .formatted(endpoint, REDIRECTS_MAX, Text.shown(start.getPath())));
  }

  private HttpResponse<Body> send(URI at, Map<String, String> extra) throws TryAgainException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(at)
            .header("User-Agent", "descant")
            .header("Accept-Encoding", "identity");
    extra.forEach(request::header);
    if (token != null && endpoint.isOrigin(at)) {
      request.header("Authorization", "Bearer " + token);
    }
    CompletableFuture<HttpResponse<Body>> future =
        client.sendAsync(request.build(), info -> new Body());
    try {
      return future.get(timings.answer().toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      future.cancel(true);
      throw new TryAgainException(
          "%s did not answer in %s".formatted(at.getHost(), Text.seconds(timings.answer())));
    } catch (InterruptedException e) {
      future.cancel(true);
      Thread.currentThread().interrupt();
      throw new ModelException("The pull was interrupted; run the same command again.", e);
    } catch (ExecutionException e) {
      throw failed(at, e.getCause());
    }
  }

  private static TryAgainException failed(URI at, @Nullable Throwable cause) {
    if (cause instanceof SSLHandshakeException) {
      throw new ModelException(
          "%s has no certificate that this machine trusts (%s); check the address."
              .formatted(at.getHost(), Text.shown(String.valueOf(cause.getMessage()))),
          cause);
    }
    if (cause instanceof ConnectException) {
      return new TryAgainException("%s cannot be reached".formatted(at.getAuthority()));
    }
    return new TryAgainException(
        "%s broke off (%s)"
            .formatted(
                at.getHost(),
                cause == null ? "no cause" : Text.shown(String.valueOf(cause.getMessage()))));
  }

  private URI next(URI at, HttpHeaders headers) {
    String location = headers.firstValue("Location").orElse("");
    URI next;
    try {
      next = location.isEmpty() ? null : at.resolve(new URI(location));
    } catch (URISyntaxException e) {
      next = null;
    }
    boolean web =
        next != null
            && next.getHost() != null
            && next.getRawUserInfo() == null
            && ("https".equalsIgnoreCase(next.getScheme())
                || "http".equalsIgnoreCase(next.getScheme()));
    if (next == null || !web) {
      throw new ModelException(
          "%s redirects to '%s', which is no address of a server; nothing was pulled."
              .formatted(at.getHost(), Text.shown(location)));
    }
    if ("https".equalsIgnoreCase(at.getScheme()) && "http".equalsIgnoreCase(next.getScheme())) {
      throw new ModelException(
          "%s redirects from https to http at %s; nothing was pulled."
              .formatted(at.getHost(), Text.shown(next.getHost())));
    }
    return next;
  }

  /** Seconds, or a date (RFC 9110, 10.2.3); null when there is none that can be read. */
  private static @Nullable Duration retryAfter(HttpHeaders headers) {
    String text = headers.firstValue("Retry-After").orElse("").strip();
    try {
      if (!text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9')) {
        return Duration.ofSeconds(text.length() > 9 ? 999_999_999 : Long.parseLong(text));
      }
      if (!text.isEmpty()) {
        Instant until = ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        Duration pause = Duration.between(Instant.now(), until);
        return pause.isNegative() ? Duration.ZERO : pause;
      }
    } catch (DateTimeParseException unreadable) {
      return null;
    }
    return null;
  }

  /** The sentence for an answer that no further try will better. */
  ModelException refusal(Answer answer, HubReference model, @Nullable String path) {
    String what = path == null ? model.repo() : model.repo() + "/" + path;
    if (!answer.byHub()) {
      return new ModelException(
          "%s, to which the hub redirects, answered %d for %s; pull again later."
              .formatted(answer.host(), answer.status(), what));
    }
    String code = answer.hub("x-error-code").orElse("");
    String said =
        answer.hub("x-error-message").map(message -> " (" + Text.shown(message) + ")").orElse("");
    return new ModelException(
        switch (answer.status()) {
          case 401 ->
              token == null
                  ? "%s says there is no %s for those without a token%s; check the name, or set HF_TOKEN to the access token of an account that may read it."
                      .formatted(endpoint, what, said)
                  : "%s does not accept HF_TOKEN for %s%s; check the name, or make a new access token."
                      .formatted(endpoint, what, said);
          case 403 ->
              "%s does not let this account read %s%s; accept the model's terms on its page, or set HF_TOKEN to the token of an account that has."
                  .formatted(endpoint, what, said);
          case 404 ->
              code.equals("RevisionNotFound")
                  ? "%s has no revision '%s'%s; leave @%s away for the branch main, or name one that its page shows."
                      .formatted(model.repo(), model.revision(), said, model.revision())
                  : "%s has no %s%s; check the spelling of hf:<org>/<name>[@<revision>] and the revision, here '%s'."
                      .formatted(endpoint, what, said, model.revision());
          case 410, 451 ->
              "%s has taken %s down%s; there is nothing to pull.".formatted(endpoint, what, said);
          default ->
              "%s answered %d for %s%s; check that this is the address of a model hub."
                  .formatted(endpoint, answer.status(), what, said);
        });
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
