package org.descant.database;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.jdbi.v3.core.Jdbi;

/**
 * A module's migrations. After they have run, the schema's comment holds their hash, so that the
 * next process sees with one query that there is nothing to do and need not load Flyway (which
 * costs more than the rest of opening a database).
 */
final class Migrations {
  private static final String MARK = "descant migrations sha256:";

  private Migrations() {}

  static void apply(Jdbi jdbi, DataSource source, String module) {
    String mark = MARK + hash(module);
    if (mark.equals(comment(jdbi, module))) {
      return;
    }
    try {
      Flyway.configure()
          .dataSource(source)
          .locations("classpath:" + folder(module))
          .failOnMissingLocations(true)
          .schemas(module)
          .defaultSchema(module)
          .createSchemas(true)
          .table("migration_history")
          .loggers("slf4j")
          .load()
          .migrate();
    } catch (FlywayException e) {
      throw new DatabaseException(
          "The tables of '%s' cannot be brought up to date (%s): restore a backup of the home, or report this"
              .formatted(module, Database.firstLine(e)),
          e);
    }
    // Both are our own text: a module name and a hash.
    jdbi.useHandle(
        handle -> handle.execute("comment on schema %s is '%s'".formatted(module, mark)));
  }

  private static String comment(Jdbi jdbi, String module) {
    return jdbi.<String, RuntimeException>withHandle(handle ->
        handle
            .createQuery(
                """
                select coalesce(obj_description(oid, 'pg_namespace'), '')
                from pg_namespace where nspname = :module
                """)
            .bind("module", module)
            .mapTo(String.class)
            .findFirst()
            .orElse(""));
  }

  private static String folder(String module) {
    return "org/descant/" + module + "/migration";
  }

  /** Over names and contents, in the order of the names. */
  private static String hash(String module) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      SortedSet<URL> scripts = new TreeSet<>(Comparator.comparing(URL::toString));
      for (URL place : Collections.list(loader().getResources(folder(module)))) {
        scripts.addAll(scripts(place));
      }
      if (scripts.isEmpty()) {
        throw new DatabaseException(
            "There are no migrations of '%s' on the class path: build again".formatted(module));
      }
      for (URL script : scripts) {
        String path = script.getPath();
        digest.update(path.substring(path.lastIndexOf('/')).getBytes(StandardCharsets.UTF_8));
        URLConnection connection = script.openConnection();
        connection.setUseCaches(false);
        try (InputStream in = connection.getInputStream()) {
          digest.update(MessageDigest.getInstance("SHA-256").digest(in.readAllBytes()));
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException | URISyntaxException e) {
      throw new DatabaseException(
          "The migrations of '%s' cannot be read: build again".formatted(module), e);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("Every Java has SHA-256", e);
    }
  }

  private static List<URL> scripts(URL place) throws IOException, URISyntaxException {
    if (place.openConnection() instanceof JarURLConnection jar) {
      String folder = jar.getEntryName() + (jar.getEntryName().endsWith("/") ? "" : "/");
      List<String> names =
          jar.getJarFile().stream()
              .map(ZipEntry::getName)
              .filter(name -> name.startsWith(folder) && name.endsWith(".sql"))
              .toList();
      List<URL> scripts = new ArrayList<>();
      for (String name : names) {
        scripts.add(URI.create("jar:" + jar.getJarFileURL() + "!/" + name).toURL());
      }
      return scripts;
    }
    try (Stream<Path> files = Files.list(Path.of(place.toURI()))) {
      List<URL> scripts = new ArrayList<>();
      for (Path file : files.filter(path -> path.toString().endsWith(".sql")).toList()) {
        scripts.add(file.toUri().toURL());
      }
      return scripts;
    }
  }

  private static ClassLoader loader() {
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    return loader == null ? ClassLoader.getSystemClassLoader() : loader;
  }
}
