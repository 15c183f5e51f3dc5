package org.descant.database;

import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * Connections to the server of a home, wherever it listens now. When it is gone (another process
 * was the last one out a moment ago, or somebody killed it) it is started again.
 */
final class EmbeddedDataSource implements DataSource {
  private static final int CONNECT_SECONDS_MAX = 10;

  /** A server that is about to stop may look well once or twice more. */
  private static final int ATTEMPTS_MAX = 5;

  private final EmbeddedServer server;
  private final String database;

  EmbeddedDataSource(EmbeddedServer server, String database) {
    this.server = server;
    this.database = database;
  }

  @Override
  public Connection getConnection() throws SQLException {
    for (int attempt = 1; ; attempt++) {
      try {
        return connect();
      } catch (SQLException e) {
        if (attempt == ATTEMPTS_MAX || !serverIsAway(e)) {
          throw e;
        }
        server.ensureRunning();
      }
    }
  }

  private Connection connect() throws SQLException {
    PGSimpleDataSource source = new PGSimpleDataSource();
    source.setServerNames(new String[] {"127.0.0.1"});
    source.setPortNumbers(new int[] {server.port()});
    source.setDatabaseName(database);
    source.setUser(EmbeddedServer.USER);
    source.setPassword(server.password());
    source.setConnectTimeout(CONNECT_SECONDS_MAX);
    source.setApplicationName("descant");
    source.setReWriteBatchedInserts(true);
    return source.getConnection();
  }

  /** Refused, cut off, wrong server on an old port, starting, or shutting down. */
  private static boolean serverIsAway(SQLException e) {
    String state = String.valueOf(e.getSQLState());
    return state.startsWith("08") || state.startsWith("57P0") || state.startsWith("28");
  }

  @Override
  public Connection getConnection(@Nullable String user, @Nullable String password)
      throws SQLException {
    throw new SQLFeatureNotSupportedException("The embedded database has one user");
  }

  @Override
  public @Nullable PrintWriter getLogWriter() {
    return null;
  }

  @Override
  public void setLogWriter(@Nullable PrintWriter out) {}

  @Override
  public void setLoginTimeout(int seconds) {}

  @Override
  public int getLoginTimeout() {
    return CONNECT_SECONDS_MAX;
  }

  @Override
  public Logger getParentLogger() {
    return Logger.getLogger("org.postgresql");
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    throw new SQLException("The embedded database wraps nothing");
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return false;
  }
}
