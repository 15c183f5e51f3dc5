package org.descant.provenance;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One writer at a time, across threads and processes: a lock of this process, then one of the
 * operating system, which falls with the process that held it.
 */
final class FolderLock implements AutoCloseable {
  private static final Map<Path, ReentrantLock> LOCKS = new ConcurrentHashMap<>();

  private final ReentrantLock threads;
  private final FileChannel processes;

  private FolderLock(ReentrantLock threads, FileChannel processes) {
    this.threads = threads;
    this.processes = processes;
  }

  static FolderLock acquire(Path lockFile) throws IOException {
    ReentrantLock threads =
        LOCKS.computeIfAbsent(lockFile.toAbsolutePath().normalize(), _ -> new ReentrantLock());
    threads.lock();
    try {
      FileChannel processes = FileChannel.open(lockFile, CREATE, WRITE);
      try {
        processes.lock();
        return new FolderLock(threads, processes);
      } catch (IOException | RuntimeException e) {
        processes.close();
        throw e;
      }
    } catch (IOException | RuntimeException e) {
      threads.unlock();
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    try {
      processes.close();
    } finally {
      threads.unlock();
    }
  }
}
