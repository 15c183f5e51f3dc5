package org.descant.database;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.postgres.PostgresPlugin;
import org.jspecify.annotations.Nullable;

/**
 * An open PostgreSQL database. Thread-safe; open it once per process and close it at the end.
 *
 * <pre>{@code
 * try (Database database = Database.open(home)) {
 *   database.migrate("rights");
 *   database.jdbi().useHandle(handle -> handle.execute("insert into rights.party ..."));
 * }
 * }</pre>
 */
public final class Database implements AutoCloseable {
  /** The environment variable that names the user's own server. */
  public static final String URL_VARIABLE = "DESCANT_DB_URL";

  /** Connections a process holds at most: two cores are kept busy by far fewer. */
  static final int POOL_CONNECTIONS_MAX = 10;

  private static final int CAUSES_MAX = 20;
  private static final Duration POOL_WAIT_MAX = Duration.ofSeconds(30);
  private static final Duration POOL_IDLE_MAX = Duration.ofMinutes(2);
  private static final Pattern MODULE = Pattern.compile("[a-z][a-z0-9_]{0,30}");

  // The driver reports every refused connection by java.util.logging as well; ours say it once.
  // The field keeps the logger, and with it its level, from being collected.
  private static final Logger DRIVER_LOGGER = Logger.getLogger("org.postgresql");

  static {
    DRIVER_LOGGER.setLevel(Level.OFF);
  }

  private final DataSource direct;
  private final HikariDataSource pool;
  private final Jdbi jdbi;
  private final AtomicBoolean closed = new AtomicBoolean();
  private final Runnable release;

  private Database(DataSource direct, Runnable release) {
    this.direct = direct;
    this.release = release;
    HikariConfig config = new HikariConfig();
    config.setPoolName("descant");
    config.setDataSource(direct);
    config.setMaximumPoolSize(POOL_CONNECTIONS_MAX);
    config.setMinimumIdle(1);
    config.setIdleTimeout(POOL_IDLE_MAX.toMillis());
    config.setConnectionTimeout(POOL_WAIT_MAX.toMillis());
    config.setInitializationFailTimeout(-1); // the direct connection below already said it works
    this.pool = new HikariDataSource(config);
    this.jdbi = Jdbi.create(pool).installPlugin(new PostgresPlugin());
  }

  /**
   * Opens the database of a home folder, which is created when missing, or the server that {@code
   * DESCANT_DB_URL} names.
   *
   * @param home the state folder; the embedded cluster is {@code home/postgres}
   * @throws DatabaseException when the home or the server cannot be used
   */
  public static Database open(Path home) {
    return open(home, System.getenv(URL_VARIABLE));
  }

  /** As {@link #open(Path)} with the value of {@code DESCANT_DB_URL} given, or null for none. */
  static Database open(Path home, @Nullable String url) {
    if (url != null && !url.isBlank()) {
      ServerUrl server = ServerUrl.parse(url);
      Database database = new Database(server.dataSource(), () -> {});
      try (Connection _ = database.direct.getConnection()) {
        return database;
      } catch (SQLException e) {
        database.close();
        throw server.unreachable(e);
      }
    }
    EmbeddedServer server = EmbeddedServer.acquire(home);
    return embedded(server, EmbeddedServer.DATABASE, server::release);
  }

  /**
   * A fresh, empty database for tests: real PostgreSQL, one server per process that is gone when
   * the process is, without waiting for the disk.
   */
  public static Database temporary() {
    TemporaryServer server = TemporaryServer.get();
    String name = server.create();
    return embedded(server.embedded(), name, () -> server.drop(name));
  }

  private static Database embedded(EmbeddedServer server, String name, Runnable release) {
    Database database = new Database(new EmbeddedDataSource(server, name), release);
    try (Connection _ = database.direct.getConnection()) {
      return database;
    } catch (SQLException e) {
      database.close();
      throw server.failed("does not answer", e);
    }
  }

  /** The pooled door for SQL. Rows come and go by Jdbi; {@code java.time} types map as they are. */
  public Jdbi jdbi() {
    return jdbi;
  }

  /**
   * Brings a module's schema up to date: every {@code V*.sql} under {@code
   * org/descant/<module>/migration} on the class path, in a PostgreSQL schema of the module's name
   * with a history table of its own. Safe when several processes migrate at once.
   *
   * @throws DatabaseException when there is no migration, or one fails
   */
  public void migrate(String module) {
    if (!MODULE.matcher(module).matches()) {
      throw new DatabaseException(
          "'%s' is not a module name: use lower-case letters".formatted(module));
    }
    Migrations.apply(jdbi, pool, module);
  }

  /**
   * Delivers what is sent to a channel by {@link #notify(Handle, String, String)}, in any process,
   * to the listener, on a daemon thread of its own. Returns once the channel is being listened to.
   *
   * @param channel a name of lower-case letters, digits and underscores
   */
  public Notifications listen(String channel, Notifications.Listener listener) {
    return Notifications.start(direct, requireChannel(channel), listener);
  }

  /**
   * Sends a payload to a channel when the handle's transaction commits.
   *
   * @param payload at most {@link Notifications#PAYLOAD_BYTES_MAX} bytes of UTF-8
   */
  public static void notify(Handle handle, String channel, String payload) {
    notify(handle, channel, List.of(payload));
  }

  /** Sends several payloads, in their order; of equal ones PostgreSQL delivers the first only. */
  public static void notify(Handle handle, String channel, List<String> payloads) {
    payloads.forEach(Notifications::requirePayload);
    handle
        .createQuery(
            """
            select count(pg_notify(:channel, payload))
            from unnest(:payloads) with ordinality as message (payload, n)
            """)
        .bind("channel", requireChannel(channel))
        .bind("payloads", payloads.toArray(String[]::new))
        .mapTo(Long.class)
        .one();
  }

  private static String requireChannel(String channel) {
    if (!MODULE.matcher(channel).matches()) {
      throw new DatabaseException(
          "'%s' is not a channel name: use lower-case letters, digits and underscores"
              .formatted(channel));
    }
    return channel;
  }

  /** Closes the pool; the last process to close an embedded database stops its server. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      pool.close();
      release.run();
    }
  }

  /**
   * The sentence for an error of the database that is nobody's bug: the disk is full, the server is
   * gone or has no more connections. Empty for every other error, which should be shown whole.
   */
  public static Optional<String> sentence(Throwable error) {
    Throwable cause = error;
    for (int depth = 0; cause != null && depth < CAUSES_MAX; depth++, cause = cause.getCause()) {
      if (cause instanceof DatabaseException known) {
        return Optional.of(String.valueOf(known.getMessage()));
      }
      String state = cause instanceof SQLException sql ? String.valueOf(sql.getSQLState()) : "";
      if (state.equals("53100")) {
        return Optional.of(
            "The disk that holds the database is full, nothing was half-written: free some space"
                + " and try again");
      }
      if (state.equals("53300")) {
        return Optional.of(
            "The database has no more connections: end some of the processes that use it");
      }
      if (state.startsWith("08") || state.startsWith("57P0")) {
        return Optional.of(
            "The database went away (%s): try again, and see its log if it stays away"
                .formatted(firstLine(cause)));
      }
    }
    return Optional.empty();
  }

  static String firstLine(Throwable error) {
    Throwable deepest = error;
    for (int depth = 0; deepest.getCause() != null && depth < CAUSES_MAX; depth++) {
      deepest = deepest.getCause();
    }
    String message = String.valueOf(deepest.getMessage()).strip();
    int end = message.indexOf('\n');
    String line = end < 0 ? message : message.substring(0, end);
    return line.toLowerCase(Locale.ROOT).startsWith("error: ") ? line.substring(7).strip() : line;
  }
}
