package org.descant.serving.web;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What happened to one generation, in order, kept so that a listener who comes late hears it from
 * the start, and one who comes back hears what they missed (Server-Sent Events, WHATWG HTML §9.2).
 * Thread-safe: one writer, many listeners, none of whom the writer waits for.
 */
final class Events {
  /** A chunk comes about every third of a second: a minute with all else stays far below. */
  private static final int EVENTS_MAX = 1_000;

  /** A comment is sent after so long a silence: a listener who has left is noticed by it. */
  private static final long SILENCE_MS_MAX = 15_000;

  private record Event(String name, String data) {}

  private final List<Event> events = new ArrayList<>();
  private boolean ended;

  synchronized void add(String name, Object value) {
    if (events.size() == EVENTS_MAX) {
      throw new IllegalStateException("a generation has more than " + EVENTS_MAX + " events");
    }
    events.add(new Event(name, Json.text(value)));
    notifyAll();
  }

  synchronized void end() {
    ended = true;
    notifyAll();
  }

  /** What is new; empty after a silence, null when all has been told. */
  private synchronized @Nullable List<Event> from(int index) throws InterruptedException {
    long end = System.nanoTime() + SILENCE_MS_MAX * 1_000_000;
    long left = SILENCE_MS_MAX;
    while (!ended && events.size() <= index && left > 0) {
      wait(left);
      left = (end - System.nanoTime()) / 1_000_000;
    }
    if (events.size() > index) {
      return List.copyOf(events.subList(index, events.size()));
    }
    return ended ? null : List.of();
  }

  /** Sends all events until the generation ends or the listener leaves. */
  void stream(Router.Exchange exchange) throws IOException, InterruptedException {
    exchange.setHeader("Content-Type", "text/event-stream");
    exchange.setHeader("Cache-Control", "no-store");
    if (exchange.isHead()) {
      return;
    }
    int sent = heard(exchange.header("Last-Event-ID"));
    try (OutputStream out = exchange.slowOut()) {
      for (List<Event> next = from(sent); next != null; next = from(sent)) {
        StringBuilder text = new StringBuilder(next.isEmpty() ? ":\n\n" : "");
        for (Event event : next) {
          text.append("id: ").append(sent++).append("\nevent: ").append(event.name());
          text.append("\ndata: ").append(event.data()).append("\n\n");
        }
        out.write(text.toString().getBytes(StandardCharsets.UTF_8));
        out.flush();
      }
    }
  }

  /** How many events a listener who comes back has heard already. */
  private static int heard(@Nullable String lastEventId) {
    return lastEventId != null && lastEventId.matches("\\d{1,6}")
        ? Integer.parseInt(lastEventId) + 1
        : 0;
  }
}
