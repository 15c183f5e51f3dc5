package org.descant.database;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * The user's own server as {@code DESCANT_DB_URL} names it: either {@code jdbc:postgresql://…} as
 * the driver takes it, or {@code postgresql://user:password@host:port/database} as psql does.
 *
 * @param jdbc the URL for the driver, with user and password as its parameters
 * @param place what to call the server in a message: never its password
 */
record ServerUrl(String jdbc, String place) {
  private static final int CONNECT_SECONDS_MAX = 10;

  static ServerUrl parse(String url) {
    String trimmed = url.strip();
    String plain = trimmed.startsWith("jdbc:") ? trimmed.substring(5) : trimmed;
    try {
      URI uri = new URI(plain);
      String scheme = uri.getScheme();
      if (!"postgresql".equals(scheme) && !"postgres".equals(scheme)) {
        throw malformed();
      }
      String path = uri.getRawPath() == null ? "" : uri.getRawPath();
      if (uri.getHost() == null || path.length() < 2) {
        throw malformed();
      }
      String authority = uri.getHost() + (uri.getPort() < 0 ? "" : ":" + uri.getPort());
      StringBuilder jdbc = new StringBuilder("jdbc:postgresql://").append(authority).append(path);
      String separator = "?";
      if (uri.getRawQuery() != null) {
        jdbc.append(separator).append(uri.getRawQuery());
        separator = "&";
      }
      if (uri.getRawUserInfo() != null) {
        String[] user = uri.getRawUserInfo().split(":", 2);
        jdbc.append(separator).append("user=").append(user[0]);
        if (user.length == 2) {
          jdbc.append("&password=").append(user[1]);
        }
      }
      return new ServerUrl(
          jdbc.toString(),
          authority + "/" + URLDecoder.decode(path.substring(1), StandardCharsets.UTF_8));
    } catch (URISyntaxException e) {
      throw malformed();
    }
  }

  private static DatabaseException malformed() {
    return new DatabaseException(
        Database.URL_VARIABLE
            + " is not a PostgreSQL address: write postgresql://user:password@host:5432/database,"
            + " or unset it to use the database in the home folder");
  }

  DataSource dataSource() {
    PGSimpleDataSource source = new PGSimpleDataSource();
    try {
      source.setURL(jdbc);
    } catch (IllegalArgumentException e) {
      throw malformed();
    }
    source.setConnectTimeout(CONNECT_SECONDS_MAX);
    source.setLoginTimeout(CONNECT_SECONDS_MAX);
    source.setTcpKeepAlive(true);
    source.setApplicationName("descant");
    return source;
  }

  DatabaseException unreachable(SQLException cause) {
    return new DatabaseException(
        "The database at %s named by %s cannot be reached (%s): start it or correct the address, or unset %s to use the one in the home folder"
            .formatted(place, Database.URL_VARIABLE, cause(cause), Database.URL_VARIABLE),
        cause);
  }

  private static String cause(SQLException e) {
    return switch (String.valueOf(e.getSQLState())) {
      case "28P01", "28000" -> "it refuses the user or password";
      case "3D000" -> "it has no such database";
      default -> {
        String line = Database.firstLine(e);
        yield line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
      }
    };
  }
}
