package org.descant.database;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

/**
 * One channel of PostgreSQL's {@code LISTEN}/{@code NOTIFY}, read by a daemon thread over a
 * connection of its own. Payloads arrive in the order of their commits. PostgreSQL keeps nothing
 * for a listener that is away, so after a lost connection the listener is told that there was a gap
 * and must look for itself.
 */
public final class Notifications implements AutoCloseable {
  /** PostgreSQL's own limit is below 8000 bytes. */
  public static final int PAYLOAD_BYTES_MAX = 7_999;

  private static final int POLL_MILLIS = 1_000;
  private static final long RETRY_MILLIS_MIN = 50;
  private static final long RETRY_MILLIS_MAX = 2_000;
  private static final long START_SECONDS_MAX = 30;
  private static final Logger LOGGER = Logger.getLogger(Notifications.class.getName());

  /** Told on the channel's thread; what it throws is logged and does not end the listening. */
  @FunctionalInterface
  public interface Listener {
    /** A payload was sent to the channel. */
    void received(String payload);

    /** The connection was lost and is back: anything may have been missed in between. */
    default void gap() {}
  }

  private final DataSource source;
  private final String channel;
  private final Listener listener;
  private final CountDownLatch listening = new CountDownLatch(1);
  private final Thread thread;
  private volatile boolean closed;
  private volatile @Nullable Connection connection;

  private Notifications(DataSource source, String channel, Listener listener) {
    this.source = source;
    this.channel = channel;
    this.listener = listener;
    this.thread = Thread.ofPlatform().daemon().name("listen-" + channel).unstarted(this::run);
  }

  static Notifications start(DataSource source, String channel, Listener listener) {
    Notifications notifications = new Notifications(source, channel, listener);
    notifications.thread.start();
    try {
      if (!notifications.listening.await(START_SECONDS_MAX, TimeUnit.SECONDS)) {
        notifications.close();
        throw new DatabaseException(
            "The database did not let '%s' be listened to within %d s: see whether it still runs"
                .formatted(channel, START_SECONDS_MAX));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      notifications.close();
      throw new DatabaseException("Interrupted before '%s' was listened to".formatted(channel), e);
    }
    return notifications;
  }

  static void requirePayload(String payload) {
    int bytes = payload.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > PAYLOAD_BYTES_MAX) {
      throw new DatabaseException(
          "A notification holds at most %d bytes, was %d: send an id and let the reader look it up"
              .formatted(PAYLOAD_BYTES_MAX, bytes));
    }
  }

  private void run() {
    long retryMillis = RETRY_MILLIS_MIN;
    while (!closed) {
      try (Connection open = source.getConnection()) {
        connection = open;
        try (Statement statement = open.createStatement()) {
          statement.execute("listen " + channel);
        }
        retryMillis = RETRY_MILLIS_MIN;
        if (listening.getCount() == 0) {
          tell(listener::gap);
        }
        listening.countDown();
        PGConnection postgres = open.unwrap(PGConnection.class);
        while (!closed) {
          for (PGNotification notification : postgres.getNotifications(POLL_MILLIS)) {
            tell(() -> listener.received(notification.getParameter()));
          }
        }
      } catch (SQLException | DatabaseException e) {
        retryMillis = pause(retryMillis);
      } finally {
        connection = null;
      }
    }
  }

  private void tell(Runnable message) {
    if (closed) {
      return;
    }
    try {
      message.run();
    } catch (RuntimeException e) {
      LOGGER.log(Level.WARNING, "A listener of '" + channel + "' failed", e);
    }
  }

  private long pause(long millis) {
    try {
      if (!closed) {
        Thread.sleep(millis);
      }
    } catch (InterruptedException e) {
      // Only close() interrupts: the loop sees that it is closed.
      LOGGER.log(Level.FINE, "Listening to '" + channel + "' ends", e);
    }
    return Math.min(millis * 2, RETRY_MILLIS_MAX);
  }

  /** Ends the listening; no message is delivered after this returns, unless one is under way. */
  @Override
  public void close() {
    closed = true;
    Connection open = connection;
    if (open != null) {
      try {
        open.abort(Runnable::run);
      } catch (SQLException e) {
        LOGGER.log(Level.FINE, "The connection was gone already", e);
      }
    }
    thread.interrupt();
  }
}
