package org.descant.database;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code postmaster.pid} says about the server of a cluster.
 *
 * @param pid the process that wrote it, which need not live any more
 * @param port where it listens, 0 when it has not said so yet
 * @param ready whether it takes connections
 */
record Postmaster(long pid, int port, boolean ready) {
  private static final int PORT_LINE = 3;
  private static final int STATUS_LINE = 7;

  /** Reads the file; null when there is none. */
  static @Nullable Postmaster read(Path cluster) throws IOException {
    List<String> lines;
    try {
      lines = Files.readAllLines(cluster.resolve("postmaster.pid"), UTF_8);
    } catch (NoSuchFileException e) {
      return null;
    }
    try {
      if (lines.isEmpty()) {
        return new Postmaster(0, 0, false);
      }
      long pid = Long.parseLong(lines.getFirst().strip());
      int port = lines.size() > PORT_LINE ? Integer.parseInt(lines.get(PORT_LINE).strip()) : 0;
      boolean ready = lines.size() > STATUS_LINE && lines.get(STATUS_LINE).strip().equals("ready");
      return new Postmaster(pid, port, ready);
    } catch (NumberFormatException e) {
      return new Postmaster(0, 0, false);
    }
  }

  /** Whether the process lives and is PostgreSQL on this cluster, not a later one of its number. */
  boolean alive(Path cluster) throws IOException {
    if (pid <= 0 || !ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)) {
      return false;
    }
    try {
      // A postmaster's working folder is its cluster.
      return Files.isSameFile(Path.of("/proc", String.valueOf(pid), "cwd"), cluster);
    } catch (IOException e) {
      // It ended meanwhile, or belongs to somebody else.
      return false;
    }
  }
}
