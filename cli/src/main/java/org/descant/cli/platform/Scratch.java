package org.descant.cli.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/** A folder of a home that is gone when its user is done, even after an error. */
public final class Scratch implements AutoCloseable {
  private final Path folder;

  /** A new empty folder under the home, named after its purpose. */
  public Scratch(Path home, String purpose) {
    try {
      Path all = Files.createDirectories(home.resolve("scratch"));
      folder = Files.createTempDirectory(all, purpose + "-");
    } catch (IOException e) {
      throw new UncheckedIOException("There is no room for scratch files in " + home, e);
    }
  }

  public Path folder() {
    return folder;
  }

  @Override
  public void close() {
    try (var tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      System.err.println("descant: " + folder + " could not be removed: " + e.getMessage());
    }
  }
}
