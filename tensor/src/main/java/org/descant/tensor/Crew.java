package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Threads that go through one computation side by side, each with its own part of the weights, and
 * meet where their parts are added (tensor parallelism, Shoeybi et al. 2019, arXiv:1909.08053,
 * within one process).
 *
 * <p>libtorch's own threads meet at every operation; these only where they must, and they wait for
 * one another by spinning, since what lies between two meetings takes some ten microseconds. So a
 * crew should not have more threads than the machine has cores, and each of its threads should run
 * operations alone ({@link NativeRuntime#init} with 1). Between two runs its threads sleep.
 *
 * <p>Belongs to the thread that calls {@link #run}, which is its member 0.
 */
public final class Crew implements AutoCloseable {
  /** Spins before the processor is offered to others: about half a millisecond. */
  private static final int SPINS = 10_000;

  private final int size;
  private final List<Thread> others = new ArrayList<>();
  private final AtomicInteger arrived = new AtomicInteger();
  private final AtomicInteger runs = new AtomicInteger();
  private volatile int meeting;
  private volatile IntConsumer work = member -> {};
  private volatile @Nullable Throwable failure;
  private volatile boolean closed;

  /** A crew of so many threads, the caller's included. */
  public Crew(int size) {
    if (size < 1) {
      throw new TensorException("A crew has at least 1 member, not " + size);
    }
    this.size = size;
    for (int i = 1; i < size; i++) {
      int member = i;
      others.add(
          Thread.ofPlatform().daemon().name("crew-" + member).start(() -> followRuns(member)));
    }
  }

  /**
   * Runs the work on every member and returns when all are done.
   *
   * @param part is given the member's number, from 0; an exception in one of them ends the others
   *     at their next meeting, and the crew cannot be used again
   */
  public void run(IntConsumer part) {
    requireWhole();
    if (size == 1) {
      part.accept(0);
      return;
    }
    work = part;
    runs.incrementAndGet();
    others.forEach(LockSupport::unpark);
    member(0, part);
    requireWhole();
  }

  /** Waits within {@link #run} until every member has come here. */
  public void meet() {
    if (size == 1) {
      return;
    }
    int now = meeting;
    if (arrived.incrementAndGet() == size) {
      arrived.set(0);
      meeting = now + 1;
      return;
    }
    for (int spins = 0; meeting == now; spins++) {
      if (failure != null) {
        throw new TensorException("Another member of this crew failed.");
      }
      pause(spins);
    }
  }

  private void member(int member, IntConsumer part) {
    try {
      part.accept(member);
      meet();
    } catch (RuntimeException | Error e) {
      if (failure == null) {
        failure = e;
      }
    }
  }

  private void followRuns(int member) {
    int seen = 0;
    while (true) {
      for (int spins = 0; runs.get() == seen && !closed; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      if (closed) {
        return;
      }
      seen++;
      member(member, work);
    }
  }

  private static void pause(int spins) {
    if (spins < SPINS) {
      Thread.onSpinWait();
    } else {
      Thread.yield();
    }
  }

  private void requireWhole() {
    Throwable broken = failure;
    if (broken != null) {
      throw new TensorException("A member of this crew failed: " + broken.getMessage(), broken);
    }
    if (closed) {
      throw new TensorException("This crew is closed.");
    }
  }

  /** Ends its threads. */
  @Override
  public void close() {
    closed = true;
    others.forEach(LockSupport::unpark);
    for (Thread other : others) {
      try {
        other.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }
}
