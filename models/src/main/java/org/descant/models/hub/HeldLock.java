package org.descant.models.hub;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import org.descant.models.ModelException;
import org.descant.storage.WriteAside;

/**
 * A lock between processes and threads, on a file that stays. The system lets go of it when its
 * process dies, however it dies.
 */
final class HeldLock implements AutoCloseable {
  private static final int POLL_MS = 50;

  private final FileChannel channel;
  private final FileLock lock;

  private HeldLock(FileChannel channel, FileLock lock) {
    this.channel = channel;
    this.lock = lock;
  }

  /** Takes the lock if nobody has it. */
  static Optional<HeldLock> tryTake(Path file) {
    WriteAside.createFolders(Folders.above(file));
    FileChannel channel;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw WriteAside.refusal("open", file, e);
    }
    FileLock lock = null;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException ofThisProcess) {
      lock = null;
    } catch (IOException e) {
      quietly(channel);
      throw WriteAside.refusal("lock", file, e);
    }
    if (lock == null) {
      quietly(channel);
      return Optional.empty();
    }
    return Optional.of(new HeldLock(channel, lock));
  }

  /**
   * Waits for the lock.
   *
   * @param waiting run once, when it has to wait
   * @param sentence of the error when it waited too long
   */
  static HeldLock take(Path file, Duration most, Runnable waiting, String sentence) {
    long begin = System.nanoTime();
    boolean told = false;
    while (true) {
      Optional<HeldLock> held = tryTake(file);
      if (held.isPresent()) {
        return held.get();
      }
      if (System.nanoTime() - begin > most.toNanos()) {
        throw new ModelException(sentence);
      }
      if (!told) {
        waiting.run();
        told = true;
      }
      try {
        Thread.sleep(POLL_MS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new ModelException(sentence, e);
      }
    }
  }

  private static void quietly(FileChannel channel) {
    try {
      channel.close();
    } catch (IOException ignored) {
      // Nothing was written to it.
    }
  }

  @Override
  public void close() {
    try {
      lock.release();
    } catch (IOException ignored) {
      // Closing the channel lets go of it too.
    }
    quietly(channel);
  }
}
