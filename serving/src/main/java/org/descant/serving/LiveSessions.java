package org.descant.serving;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** The sessions that were opened and have not ended, until nobody may enter. Thread-safe. */
final class LiveSessions {
  private final List<Delivery.Session> live = new ArrayList<>(); // guarded by this
  private boolean shut; // guarded by this

  /**
   * A session begins.
   *
   * @throws ServingException when it was shut
   */
  synchronized void enter(Delivery.Session session) {
    if (shut) {
      throw new ServingException("The door is closed: nothing new is made; start again.");
    }
    live.add(session);
  }

  synchronized void leave(Delivery.Session session) {
    live.remove(session);
    notifyAll();
  }

  /** Lets nobody enter any more; false when it was shut before. */
  synchronized boolean shut() {
    boolean first = !shut;
    shut = true;
    return first;
  }

  /** Does something with each that is here now; they may leave meanwhile. */
  void forEach(Consumer<Delivery.Session> action) {
    List<Delivery.Session> now;
    synchronized (this) {
      now = List.copyOf(live);
    }
    now.forEach(action);
  }

  /** Waits until all have left, the time is over, or the thread is interrupted. */
  synchronized void await(Duration most) {
    long end = System.nanoTime() + most.toNanos();
    while (!live.isEmpty()) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return;
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }
}
