package org.descant.cli.platform;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Lets work that can be interrupted (Ctrl-C, SIGTERM) end safely before the process does. */
public final class SafeStop {
  /** How long a run may take to save itself. */
  public static final int RUN_SECONDS = 120;

  /** A launcher outlasts the workers it waits for. */
  public static final int LAUNCHER_SECONDS = RUN_SECONDS + 60;

  private SafeStop() {}

  /** What is done; it returns early once it was asked to stop. */
  public interface Work<T> {
    T run() throws InterruptedException;
  }

  /**
   * Does the work; when the process is told to end meanwhile, asks it to stop and waits for it.
   *
   * @param seconds to wait at most
   * @param stop asks the work to end; called from another thread
   */
  public static <T> T around(int seconds, Runnable stop, Work<T> work) throws InterruptedException {
    return around(seconds, stop, work, "interrupted; the run is safe.");
  }

  /**
   * As above.
   *
   * @param sentence that the person is told when that has happened; empty where another process
   *     tells it
   */
  public static <T> T around(int seconds, Runnable stop, Work<T> work, String sentence)
      throws InterruptedException {
    CountDownLatch ended = new CountDownLatch(1);
    Thread hook = new Thread(() -> stopAndWait(seconds, stop, ended), "descant-stop");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      return work.run();
    } finally {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException shuttingDown) {
        // The hook is running, and the process ends as soon as it is released.
        if (!sentence.isEmpty()) {
          System.err.println("descant: " + sentence);
        }
      }
      ended.countDown();
    }
  }

  private static void stopAndWait(int seconds, Runnable stop, CountDownLatch ended) {
    stop.run();
    try {
      if (!ended.await(seconds, TimeUnit.SECONDS)) {
        System.err.println("descant: the run did not stop in time; its last checkpoint is safe.");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
