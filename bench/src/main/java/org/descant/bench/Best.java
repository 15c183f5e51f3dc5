package org.descant.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * The best of several repetitions.
 *
 * @param wallNanos shortest by the clock
 * @param cpuNanos shortest by the processor time of the calling thread; with one thread per
 *     operation it is the whole cost, whatever else the machine does
 * @param repetitions how many there were
 */
public record Best(long wallNanos, long cpuNanos, int repetitions) {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /** No repetition yet. */
  public static final Best NONE = new Best(Long.MAX_VALUE, Long.MAX_VALUE, 0);

  /** Repeats on this thread until the time is over, at least {@code atLeast} times. */
  public static Best of(Runnable work, double seconds, int atLeast) {
    long end = System.nanoTime() + Math.round(seconds * 1e9);
    Best best = NONE;
    while (best.repetitions < atLeast || System.nanoTime() < end) {
      long cpu = THREADS.getCurrentThreadCpuTime();
      long wall = System.nanoTime();
      work.run();
      best =
          best.and(new Best(System.nanoTime() - wall, THREADS.getCurrentThreadCpuTime() - cpu, 1));
    }
    return best;
  }

  /** The better of each figure. */
  public Best and(Best other) {
    return new Best(
        Math.min(wallNanos, other.wallNanos),
        Math.min(cpuNanos, other.cpuNanos),
        repetitions + other.repetitions);
  }

  /** What speed is computed from: processor time where it is the whole cost, else the clock. */
  public double seconds(int threads) {
    return (threads == 1 ? cpuNanos : wallNanos) / 1e9;
  }
}
