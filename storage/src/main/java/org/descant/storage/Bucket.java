package org.descant.storage;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.opendal.AsyncOperator;
import org.apache.opendal.OpenDALException;
import org.apache.opendal.Operator;
import org.jspecify.annotations.Nullable;

/**
 * Objects by name in a bucket of S3, Google Cloud Storage or Azure, through Apache OpenDAL. Every
 * request that fails for a reason that may pass (a cut connection, a busy server) is tried {@value
 * #TRIES} times with growing pauses; one that is refused is not. Safe for many threads until {@link
 * #close}.
 */
public final class Bucket implements AutoCloseable {
  /** Tries of one request: with their pauses about six seconds. */
  public static final int TRIES = 6;

  private static final int PAUSE_MILLIS = 100;

  /** A request that moves nothing for so long is cut and tried again. */
  private static final int REQUEST_SECONDS_MAX = 120;

  /** What one request moves at most: small enough to repeat, large enough to be fast. */
  static final int PART_BYTES = 8 << 20;

  private final String name;
  private final AsyncOperator requests;

  Bucket(String name, String service, Map<String, String> settings) {
    this.name = name;
    try {
      this.requests = AsyncOperator.of(service, settings);
    } catch (OpenDALException e) {
      throw refusal("open", "", e);
    } catch (UnsatisfiedLinkError | IllegalStateException e) {
      throw new StorageException(
          "Object stores need OpenDAL's native library, which does not load on this machine (%s); use a local folder."
              .formatted(firstLine(e.getMessage())),
          e);
    }
  }

  /** Scheme, bucket and prefix, for messages. */
  public String name() {
    return name;
  }

  /** Size of an object, or empty when there is none of this name. */
  public OptionalLong size(String key) {
    try {
      return OptionalLong.of(repeat("ask for", key, () -> requests.stat(key)).getContentLength());
    } catch (MissingObjectException e) {
      return OptionalLong.empty();
    }
  }

  /**
   * Part of an object: all of the bytes asked for, or an exception.
   *
   * @throws StorageException when there is no such object or it is shorter
   */
  public byte[] read(String key, long offset, int length) {
    if (length == 0) {
      return new byte[0];
    }
    byte[] bytes = repeat("read", key, () -> requests.read(key, offset, length));
    if (bytes.length != length) {
      throw new StorageException(
          "%s/%s gave %d of the %d bytes from %d: the object is cut short; upload it again."
              .formatted(name, key, bytes.length, length, offset));
    }
    return bytes;
  }

  /** A small object whole. */
  public byte[] read(String key) {
    return repeat("read", key, () -> requests.read(key));
  }

  /** Writes a small object; it replaces the old one at once. */
  public void write(String key, byte[] bytes) {
    repeat("write", key, () -> requests.write(key, bytes));
  }

  /**
   * Writes a file as an object, in parts when it is large. The object appears whole: its size is
   * compared afterwards, and one that came out short is removed.
   */
  public void write(String key, Path file) {
    long size;
    try {
      size = Files.size(file);
      if (size <= PART_BYTES) {
        write(key, Files.readAllBytes(file));
      } else {
        writeParts(key, file);
      }
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
    OptionalLong there = size(key);
    if (there.isEmpty() || there.getAsLong() != size) {
      delete(key);
      throw new StorageException(
          "%s/%s came out as %s of %d bytes and was removed; upload it again."
              .formatted(name, key, there.isEmpty() ? "none" : there.getAsLong(), size));
    }
  }

  private void writeParts(String key, Path file) throws IOException {
    StorageException last = null;
    for (int attempt = 0; attempt < TRIES; attempt++) {
      pause(attempt);
      try (InputStream in = Files.newInputStream(file);
          Operator operator = requests.blocking();
          OutputStream out = operator.createOutputStream(key, PART_BYTES)) {
        in.transferTo(out);
        return;
      } catch (OpenDALException e) {
        last = refusal("write", key, e);
        if (!mayPass(e)) {
          throw last;
        }
      }
    }
    throw last == null ? new StorageException("Nothing was tried.") : last;
  }

  /** Removes an object; one that is not there is no error. */
  public void delete(String key) {
    repeat("remove", key, () -> requests.delete(key));
  }

  private <T> T repeat(String verb, String key, Supplier<CompletableFuture<T>> request) {
    for (int attempt = 1; ; attempt++) {
      CompletableFuture<T> answer = request.get();
      try {
        return answer.get(REQUEST_SECONDS_MAX, TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof OpenDALException cause)) {
          throw new StorageException(
              "Cannot %s %s/%s: %s.".formatted(verb, name, key, firstLine(e.getMessage())), e);
        }
        if (attempt == TRIES || !mayPass(cause)) {
          throw refusal(verb, key, cause);
        }
      } catch (TimeoutException e) {
        answer.cancel(true);
        if (attempt == TRIES) {
          throw new StorageException(
              "Cannot %s %s/%s: no answer within %d s; check the network."
                  .formatted(verb, name, key, REQUEST_SECONDS_MAX),
              e);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new StorageException("Interrupted: %s %s/%s.".formatted(verb, name, key), e);
      }
      pause(attempt);
    }
  }

  /** Doubles with every attempt; a little random, so that many workers do not come back at once. */
  private static void pause(int attempt) {
    if (attempt == 0) {
      return;
    }
    long millis = (long) PAUSE_MILLIS << (attempt - 1);
    try {
      Thread.sleep(millis + ThreadLocalRandom.current().nextLong(millis / 2 + 1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StorageException("Interrupted while waiting for the object store.", e);
    }
  }

  private static boolean mayPass(OpenDALException e) {
    return switch (e.getCode()) {
      case Unexpected, RateLimited -> true;
      default -> false;
    };
  }

  private StorageException refusal(String verb, String key, OpenDALException e) {
    String place = key.isEmpty() ? name : name + "/" + key;
    return switch (e.getCode()) {
      case NotFound ->
          new MissingObjectException(
              "%s is not there; check the address, or upload it again.".formatted(place), e);
      case PermissionDenied ->
          new StorageException(
              "Cannot %s %s: the store refuses these credentials; check them and the bucket's policy."
                  .formatted(verb, place),
              e);
      case RangeNotSatisfied ->
          new StorageException(
              "%s is shorter than what was asked of it; upload it again.".formatted(place), e);
      default ->
          new StorageException(
              "Cannot %s %s: %s; check the network and the address."
                  .formatted(verb, place, firstLine(e.getMessage())),
              e);
    };
  }

  private static String firstLine(@Nullable String message) {
    return String.valueOf(message).lines().findFirst().orElse("no message").strip();
  }

  @Override
  public void close() {
    requests.close();
  }
}
