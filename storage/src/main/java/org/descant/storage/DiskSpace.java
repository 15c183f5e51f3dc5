package org.descant.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Asks the disk before a large write, so that a full one is a sentence and not a half-written file.
 */
public final class DiskSpace {
  /** Kept free beside what is asked for: the database's log and the system need room to breathe. */
  public static final long RESERVE_BYTES = 64L << 20;

  private DiskSpace() {}

  /**
   * Throws {@link StorageException} unless the disk of {@code path} (or of its nearest existing
   * parent) has room for {@code bytes} and the reserve.
   *
   * @param what what is about to be written, as the message should call it: "the demo delivery"
   */
  public static void require(Path path, long bytes, String what) {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes must not be negative, was " + bytes);
    }
    long free = free(path);
    if (free - RESERVE_BYTES < bytes) {
      throw new StorageException(
          "There is no room for %s: it needs %s and %s has %s free; free some space or choose another folder."
              .formatted(what, readable(bytes + RESERVE_BYTES), existing(path), readable(free)));
    }
  }

  /** Bytes that this process may still write on the disk of {@code path}. */
  public static long free(Path path) {
    Path existing = existing(path);
    try {
      return Files.getFileStore(existing).getUsableSpace();
    } catch (IOException e) {
      throw new StorageException(
          "Cannot ask how much room is left on the disk of " + existing + ": " + e.getMessage(), e);
    }
  }

  private static Path existing(Path path) {
    Path at = path.toAbsolutePath().normalize();
    while (!Files.exists(at)) {
      Path parent = at.getParent();
      if (parent == null) {
        return at;
      }
      at = parent;
    }
    return at;
  }

  static String readable(long bytes) {
    return bytes < 1L << 30
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
