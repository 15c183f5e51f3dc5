package org.descant.studio;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** The pages and their parts, by name. Thread-safe. */
public final class Pages {
  private static final Map<String, String> TYPES =
      Map.of(
          "html", "text/html; charset=utf-8",
          "js", "text/javascript; charset=utf-8",
          "css", "text/css; charset=utf-8",
          "svg", "image/svg+xml");

  /** One flat folder: a name can never climb out of it. */
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9-]{0,40}\\.(html|js|css|svg)");

  /** A page's bytes and its media type. */
  public record Page(byte[] bytes, String contentType) {}

  private Pages() {}

  /** The page called {@code name}, such as {@code index.html}; empty when there is none. */
  public static Optional<Page> find(String name) {
    if (!NAME.matcher(name).matches()) {
      return Optional.empty();
    }
    try (InputStream in = Pages.class.getResourceAsStream(name)) {
      if (in == null) {
        return Optional.empty();
      }
      String type = TYPES.get(name.substring(name.lastIndexOf('.') + 1));
      return Optional.of(
          new Page(in.readAllBytes(), type == null ? "application/octet-stream" : type));
    } catch (IOException e) {
      throw new UncheckedIOException("reading the page " + name, e);
    }
  }
}
