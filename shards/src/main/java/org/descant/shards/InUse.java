package org.descant.shards;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/*
 * One file, one byte of it for the sound and one for each field, far beyond its end: locks need no
 * bytes. A process may hold a byte for many readers but can lock it only once, and closing any
 * channel of a file gives up all of the process's locks on it (POSIX), so the process keeps one
 * channel and counts.
 */
/**
 * Who reads what in a dataset's folder, over all processes: readers share, and whoever removes
 * wants to be alone. Where a folder cannot be written to, nothing can be removed, and nobody needs
 * to say that he reads. Thread-safe; ends with the process, however that ends.
 */
final class InUse implements AutoCloseable {
  private static final String FILE = ".use.lock";

  /** Digits of a name's hash that say which byte is its own: 60 bits. */
  private static final int PLACE_DIGITS = 15;

  private static final Map<Path, Folder> FOLDERS = new HashMap<>(); // guarded by InUse.class

  private static final class Folder {
    final FileChannel channel;
    final Map<Long, Held> held = new HashMap<>();

    Folder(FileChannel channel) {
      this.channel = channel;
    }
  }

  private static final class Held {
    final FileLock lock;
    int count = 1;

    Held(FileLock lock) {
      this.lock = lock;
    }
  }

  private final @Nullable Path file;
  private final long place;

  private InUse(@Nullable Path file, long place) {
    this.file = file;
    this.place = place;
  }

  /**
   * Reads a dataset's sound, or the field of this name, until it is closed. Waits while somebody
   * removes it, which is as long as a rename takes.
   */
  static InUse reading(Path folder, String field) {
    try {
      return hold(folder, field);
    } catch (IOException e) {
      return new InUse(null, 0); // it cannot be locked, and so not be removed either
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ShardException("interrupted while dataset " + folder + " was opened", e);
    }
  }

  private static synchronized InUse hold(Path folder, String field)
      throws IOException, InterruptedException {
    Path file = folder.toRealPath().resolve(FILE);
    long place = place(field);
    Held held = held(file, place);
    while (held != null && !held.lock.isShared()) {
      InUse.class.wait();
      held = held(file, place);
    }
    if (held != null) {
      held.count++;
      return new InUse(file, place);
    }
    return Objects.requireNonNull(take(folder, file, place, true), "whoever waits gets it");
  }

  /**
   * Is alone with it until it is closed; {@code null} when somebody reads it, here or elsewhere.
   *
   * @throws IOException when the folder cannot be locked
   */
  static synchronized @Nullable InUse alone(Path folder, String field) throws IOException {
    Path file = folder.toRealPath().resolve(FILE);
    long place = place(field);
    return held(file, place) == null ? take(folder, file, place, false) : null;
  }

  private static long place(String field) {
    return field.isEmpty()
        ? 0
        : 1 + Long.parseLong(Hashes.hexOf(field).substring(0, PLACE_DIGITS), 16);
  }

  private static synchronized @Nullable Held held(Path file, long place) {
    Folder folder = FOLDERS.get(file);
    return folder == null ? null : folder.held.get(place);
  }

  private static synchronized @Nullable InUse take(
      Path folder, Path file, long place, boolean waits) throws IOException {
    Folder known = FOLDERS.get(file);
    Folder there = known == null ? new Folder(channel(folder, file)) : known;
    FileLock lock = null;
    try {
      lock = waits ? there.channel.lock(place, 1, true) : there.channel.tryLock(place, 1, false);
      if (lock == null) {
        return null;
      }
      there.held.put(place, new Held(lock));
      FOLDERS.put(file, there);
      return new InUse(file, place);
    } finally {
      if (lock == null && known == null) {
        there.channel.close();
      }
    }
  }

  private static FileChannel channel(Path folder, Path file) throws IOException {
    return Files.isWritable(folder)
        ? FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)
        : FileChannel.open(file, StandardOpenOption.READ);
  }

  @Override
  public void close() {
    synchronized (InUse.class) {
      Folder folder = file == null ? null : FOLDERS.get(file);
      Held held = folder == null ? null : folder.held.get(place);
      if (folder == null || held == null || --held.count > 0) {
        return;
      }
      folder.held.remove(place);
      InUse.class.notifyAll();
      try {
        held.lock.release();
        if (folder.held.isEmpty()) {
          FOLDERS.remove(file);
          folder.channel.close();
        }
      } catch (IOException e) {
        throw new ShardException("cannot give up " + file + ": " + e.getMessage(), e);
      }
    }
  }
}
