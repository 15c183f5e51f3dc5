package org.descant.models.hub;

import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.descant.models.ModelException;
import org.jspecify.annotations.Nullable;

/**
 * The body of an answer, read by one thread. Unlike the JDK's stream it gives out all bytes that
 * came before a cut, and it gives up a body that only trickles: in every window of time a least
 * number of bytes must come. One buffer is on its way at a time.
 */
final class Body implements BodySubscriber<Body>, AutoCloseable {
  private sealed interface Event {}

  private record Bytes(List<ByteBuffer> buffers) implements Event {}

  private record End(@Nullable Throwable cut) implements Event {}

  private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private Flow.@Nullable Subscription subscription; // guarded by this
  private boolean closed; // guarded by this

  // Only the reading thread uses these.
  private List<ByteBuffer> current = List.of();
  private int next;
  private @Nullable End end;
  private Duration window = Duration.ofMinutes(1);
  private long windowBytesMin = 1;
  private long windowBytes;
  private long windowBegin = System.nanoTime();

  /** From now on at least so many bytes must come in every window. */
  void watch(Duration each, long bytesMin) {
    window = each;
    windowBytesMin = bytesMin;
    windowBytes = 0;
    windowBegin = System.nanoTime();
  }

  /**
   * Some of the next bytes; -1 after the last.
   *
   * @throws TryAgainException when it was cut, or trickles
   */
  int read(byte[] into) throws TryAgainException {
    while (true) {
      while (next < current.size()) {
        ByteBuffer buffer = current.get(next);
        if (buffer.hasRemaining()) {
          int count = Math.min(buffer.remaining(), into.length);
          buffer.get(into, 0, count);
          windowBytes += count;
          return count;
        }
        next++;
      }
      if (end == null) {
        advance();
      }
      End reached = end;
      if (reached != null) {
        Throwable cut = reached.cut();
        if (cut == null) {
          return -1;
        }
        throw new TryAgainException(
            "the connection was cut (" + Text.shown(String.valueOf(cut.getMessage())) + ")");
      }
    }
  }

  private void advance() throws TryAgainException {
    if (!current.isEmpty()) {
      current = List.of();
      request();
    }
    switch (await()) {
      case Bytes bytes -> {
        current = bytes.buffers();
        next = 0;
      }
      case End last -> end = last;
    }
  }

  private Event await() throws TryAgainException {
    while (true) {
      long left = window.toNanos() - (System.nanoTime() - windowBegin);
      Event event;
      try {
        event = events.poll(Math.max(0, left), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new ModelException("The pull was interrupted; run the same command again.", e);
      }
      if (left <= 0) {
        if (windowBytes < windowBytesMin) {
          throw new TryAgainException(
              "only %s came in %s".formatted(Text.bytes(windowBytes), Text.seconds(window)));
        }
        windowBytes = 0;
        windowBegin = System.nanoTime();
      }
      if (event != null) {
        return event;
      }
    }
  }

  private synchronized void request() {
    if (subscription != null) {
      subscription.request(1);
    }
  }

  @Override
  public CompletionStage<Body> getBody() {
    return CompletableFuture.completedStage(this);
  }

  @Override
  public synchronized void onSubscribe(Flow.Subscription given) {
    if (closed || subscription != null) {
      given.cancel();
    } else {
      subscription = given;
      given.request(1);
    }
  }

  @Override
  public void onNext(List<ByteBuffer> buffers) {
    events.add(new Bytes(buffers));
  }

  @Override
  public void onError(Throwable cut) {
    events.add(new End(cut));
  }

  @Override
  public void onComplete() {
    events.add(new End(null));
  }

  /** What was not read is not wanted: the connection is given up. */
  @Override
  public synchronized void close() {
    closed = true;
    if (subscription != null) {
      subscription.cancel();
    }
  }
}
