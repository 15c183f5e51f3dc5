package org.descant.models.hub;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.util.Map;
import java.util.function.Consumer;
import org.descant.models.ModelException;
import org.jspecify.annotations.Nullable;

/** Asks one hub for listings and files. Thread-safe. */
public final class HubClient implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final HubEndpoint endpoint;
  private final HubTimings timings;
  private final HubHttp http;

  /**
   * @param token access token, sent to the hub's own origin only; null for none
   * @throws ModelException when the token cannot be one, or would travel in clear
   */
  public HubClient(HubEndpoint endpoint, @Nullable String token, HubTimings timings) {
    this.endpoint = endpoint;
    this.timings = timings;
    this.http = new HubHttp(endpoint, token, timings);
  }

  public HubEndpoint endpoint() {
    return endpoint;
  }

  HubTimings timings() {
    return timings;
  }

  HubHttp http() {
    return http;
  }

  /**
   * What the model consists of.
   *
   * @throws ModelException when there is no such model or revision, it may not be read, the hub
   *     cannot be reached, or the listing names what may not be taken
   */
  public HubListing list(HubReference model) {
    return list(model, sentence -> {});
  }

  HubListing list(HubReference model, Consumer<String> waiting) {
    Patience patience =
        new Patience(
            timings, "The listing of " + model.repo(), "run the same command later", waiting);
    while (true) {
      try {
        return HubListing.parse(model, bytes(model));
      } catch (TryAgainException e) {
        patience.after(e, false);
      }
    }
  }

  private byte[] bytes(HubReference model) throws TryAgainException {
    URI from = endpoint.listing(model);
    try (HubHttp.Answer answer = http.get(from, Map.of("Accept", "application/json"))) {
      if (answer.status() != 200) {
        throw http.refusal(answer, model, null);
      }
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      byte[] buffer = new byte[BUFFER_BYTES];
      Body body = answer.body();
      body.watch(timings.window(), Math.min(timings.windowBytesMin(), 512));
      for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
        all.write(buffer, 0, count);
        if (all.size() > HubListing.JSON_BYTES_MAX) {
          throw new ModelException(
              "The listing of %s is longer than %s; that is not read."
                  .formatted(model.repo(), Text.bytes(HubListing.JSON_BYTES_MAX)));
        }
      }
      return all.toByteArray();
    }
  }

  @Override
  public void close() {
    http.close();
  }
}
