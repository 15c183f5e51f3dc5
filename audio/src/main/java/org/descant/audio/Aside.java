package org.descant.audio;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/** Files that are complete or absent: written beside their place, flushed to disk, then renamed. */
public final class Aside {
  private static final AtomicLong COUNTER = new AtomicLong();

  private Aside() {}

  /** Writes the whole of a file to the path it is given. */
  @FunctionalInterface
  public interface Body {
    void writeTo(Path path) throws IOException;
  }

  /**
   * Writes {@code target} through {@code body}; on any failure nothing is left behind and an older
   * {@code target} is untouched.
   *
   * @throws AudioException if the file cannot be written, with the reason
   */
  public static void write(Path target, Body body) {
    Path file = target.toAbsolutePath();
    Path folder = file.getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new AudioException(
          "Cannot write %s: its folder does not exist, create it first.".formatted(target));
    }
    if (Files.isDirectory(file)) {
      throw new AudioException(
          "Cannot write %s: it is a folder, name a file in it.".formatted(target));
    }
    String name =
        ".%s.%d-%d.tmp"
            .formatted(
                file.getFileName(), ProcessHandle.current().pid(), COUNTER.incrementAndGet());
    Path aside = folder.resolve(name);
    try {
      try {
        body.writeTo(aside);
        try (FileChannel channel = FileChannel.open(aside, StandardOpenOption.WRITE)) {
          channel.force(true);
        }
        Files.move(
            aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(aside);
      }
    } catch (IOException e) {
      throw new AudioException(
          "Cannot write %s: %s; check the folder's permissions and free space."
              .formatted(target, e.getMessage()),
          e);
    }
  }
}
