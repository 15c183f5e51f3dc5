package org.descant.database;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One throw-away server per process, with a database for each test that asks. A shell at the other
 * end of a pipe removes it when this process ends, whichever way it ends.
 */
final class TemporaryServer {
  private static @Nullable TemporaryServer instance;

  private final EmbeddedServer embedded;
  private final AtomicInteger count = new AtomicInteger();

  private TemporaryServer() {
    try {
      Path home = Files.createTempDirectory("descant-test-");
      this.embedded = EmbeddedServer.acquire(home, false);
      new ProcessBuilder(
              "sh",
              "-c",
              "trap '' INT TERM HUP; cat > /dev/null;"
                  + " p=$(head -n 1 \"$0/postgres/data/postmaster.pid\" 2> /dev/null)"
                  + " && kill -QUIT \"$p\"; sleep 0.2; rm -rf \"$0\"",
              home.toString())
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .redirectError(ProcessBuilder.Redirect.DISCARD)
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static synchronized TemporaryServer get() {
    TemporaryServer server = instance;
    if (server == null) {
      server = new TemporaryServer();
      instance = server;
    }
    return server;
  }

  EmbeddedServer embedded() {
    return embedded;
  }

  /** Makes an empty database and returns its name. */
  String create() {
    String name = "t" + count.incrementAndGet();
    execute("create database " + name);
    return name;
  }

  /** Removes a database, cutting off whoever still uses it. */
  void drop(String name) {
    execute("drop database if exists " + name + " with (force)");
  }

  private void execute(String sql) {
    try (Connection connection =
            new EmbeddedDataSource(embedded, EmbeddedServer.DATABASE).getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw embedded.failed("refuses a test", e);
    }
  }
}
