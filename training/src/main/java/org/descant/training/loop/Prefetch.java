package org.descant.training.loop;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import org.descant.lab.Span;
import org.descant.training.TrainingException;
import org.jspecify.annotations.Nullable;

/**
 * Makes the batches of the next steps on a thread of its own while the present step runs. A batch
 * is a pure function of its step, so what the thread does ahead never changes what a step sees.
 *
 * @param <T> a batch
 */
public final class Prefetch<T> implements AutoCloseable {
  /** Two steps ahead hide one slow batch; more would only hold memory. */
  private static final int AHEAD = 2;

  private static final long POLL_MS = 200;

  private record Made<T>(long step, @Nullable T batch, @Nullable Throwable failure) {}

  private final BlockingQueue<Made<T>> queue = new ArrayBlockingQueue<>(AHEAD);
  private final String name;
  private final LongFunction<T> maker;
  private final long last;
  private Thread thread;
  private volatile boolean closed;
  private long waitNanos;

  /** Starts making the batches of steps {@code first} to {@code last}. */
  public Prefetch(String name, LongFunction<T> maker, long first, long last) {
    this.name = name;
    this.maker = maker;
    this.last = last;
    this.thread = begin(first);
  }

  private Thread begin(long first) {
    return Thread.ofPlatform().daemon().name("descant-data-" + name).start(() -> make(first));
  }

  /**
   * Forgets what was made ahead and begins again at a step.
   *
   * @param between done while nothing is being made
   */
  public void restart(long first, Runnable between) {
    close();
    queue.clear();
    between.run();
    closed = false;
    thread = begin(first);
  }

  private void make(long first) {
    for (long step = first; step <= last && !closed; step++) {
      Made<T> made;
      try {
        made = new Made<>(step, maker.apply(step), null);
      } catch (Throwable e) {
        made = new Made<>(step, null, e);
      }
      try {
        while (!closed && !queue.offer(made, POLL_MS, TimeUnit.MILLISECONDS)) {
          continue;
        }
      } catch (InterruptedException e) {
        return;
      }
      if (made.failure() != null) {
        return;
      }
    }
  }

  /**
   * The batch of a step; steps are taken in order, each once.
   *
   * @throws TrainingException with the cause when making the batch failed
   */
  public T take(long step) {
    long begin = System.nanoTime();
    Made<T> made;
    try (Span span = Span.dataWait(name, step)) {
      made = queue.take();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TrainingException("interrupted while waiting for data of step " + step, e);
    }
    waitNanos += System.nanoTime() - begin;
    T batch = made.batch();
    if (made.failure() instanceof RuntimeException e) {
      throw e;
    }
    if (batch == null || made.step() != step) {
      throw new TrainingException("no data for step " + step, made.failure());
    }
    return batch;
  }

  /** Time spent in {@link #take} since the last call. */
  public long waitNanosSinceLastCall() {
    long since = waitNanos;
    waitNanos = 0;
    return since;
  }

  /** Stops the thread and waits for it, because it may be reading what its owner closes next. */
  @Override
  public void close() {
    closed = true;
    queue.clear();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
