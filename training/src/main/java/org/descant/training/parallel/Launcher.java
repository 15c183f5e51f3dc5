package org.descant.training.parallel;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.descant.tensor.TcpStore;
import org.jspecify.annotations.Nullable;

/**
 * Starts the workers of one machine, each a process of the same command with its {@link World} in
 * the environment, and starts all of them again when one was lost.
 *
 * <p>The launcher hosts the store, so no worker's death takes the meeting point away; it tells the
 * others at once who has died. Survivors save their state (see {@link Replicas#rescues}) and end,
 * which they may take some time for; what still stands after the grace period is killed. A worker
 * that ends with an error of its own ends the run.
 *
 * <p>Output: rank 0's standard output is the launcher's; everything else goes to standard error,
 * with the rank before each line. {@link #stop} may come from any thread.
 */
public final class Launcher {
  private static final String THREADS = "OMP_NUM_THREADS";
  private static final long LOOK_MS = 50;
  private static final int KILLED = 128;
  private static final int INTERRUPTED = 130;
  private static final int TERMINATED = 143;

  /** Between a signal to end and the end by force. */
  private static final Duration LAST_CHANCE = Duration.ofSeconds(10);

  /** How long a worker may take to write the state that it rescues. */
  private static final Duration RESCUE_MAX = Duration.ofMinutes(10);

  /** How long workers may take to finish their step and save it when asked to stop. */
  private static final Duration STOP_MAX = Duration.ofSeconds(150);

  /** What Gloo says on standard output when it connects. */
  private static final String CHATTER = "[Gloo] Rank ";

  /**
   * How many workers, and how patient to be.
   *
   * @param workers processes, at least 2
   * @param fruitlessMax restarts in a row without a completed step until the run is given up
   * @param grace how long the others may take to end after a worker was lost
   */
  public record Plan(int workers, int fruitlessMax, Duration grace) {
    private static final int WORKERS_MAX = 1024;

    public Plan {
      if (workers < 2 || workers > WORKERS_MAX) {
        throw new ParallelException(
            "--workers is %d; a launcher starts 2 to %d".formatted(workers, WORKERS_MAX));
      }
      if (fruitlessMax < 0 || grace.isNegative()) {
        throw new ParallelException(
            "restarts and grace must not be negative: %d, %s".formatted(fruitlessMax, grace));
      }
    }

    /** Three fruitless restarts, a minute of grace. */
    public static Plan of(int workers) {
      return new Plan(workers, 3, Duration.ofMinutes(1));
    }
  }

  private final List<String> command;
  private final Map<String, String> environment;
  private final Plan plan;
  private final PrintStream out;
  private final PrintStream err;
  private volatile boolean stopping;
  private volatile List<Worker> workers = List.of();

  /**
   * @param command of a worker
   * @param environment added to this process's own
   */
  public Launcher(
      List<String> command,
      Map<String, String> environment,
      Plan plan,
      PrintStream out,
      PrintStream err) {
    this.command = List.copyOf(command);
    this.environment = Map.copyOf(environment);
    this.plan = plan;
    this.out = out;
    this.err = err;
  }

  /** One process and the threads that carry its output. */
  private record Worker(int rank, Process process, List<Thread> carriers) {
    boolean ended() {
      return !process.isAlive();
    }

    int status() {
      return process.exitValue();
    }

    String how() {
      int status = status();
      return status == Team.LOST_STATUS
          ? "ended because it lost a peer"
          : status > KILLED && status < KILLED + 65
              ? "was killed by signal " + (status - KILLED)
              : "ended with status " + status;
    }

    /** Whether starting again may help: killed, or lost another. */
    boolean lost() {
      return status() == Team.LOST_STATUS
          || (status() > KILLED && status() != INTERRUPTED && status() != TERMINATED);
    }

    boolean stopped() {
      return status() == INTERRUPTED || status() == TERMINATED;
    }
  }

  /**
   * Runs the workers to their end.
   *
   * @return 0 when all ended well; 130 when they stopped safely; a worker's own status when it
   *     ended with an error; {@link Team#LOST_STATUS} when restarts did not help
   */
  public int run() throws InterruptedException {
    try (TcpStore store = TcpStore.host(0)) {
      long furthest = 0;
      int fruitless = 0;
      for (int generation = 0; ; generation++) {
        begin(store.port(), generation);
        try {
          watch(store, generation);
        } finally {
          workers.forEach(worker -> worker.process.destroyForcibly());
          for (Worker worker : workers) {
            for (Thread carrier : worker.carriers) {
              carrier.join(); // ends with its process
            }
          }
        }
        int status = outcome();
        if (status != Team.LOST_STATUS || stopping) {
          return stopping && status == Team.LOST_STATUS ? INTERRUPTED : status;
        }
        long step = Team.stepOf(store, generation);
        fruitless = step > furthest ? 1 : fruitless + 1;
        furthest = Math.max(furthest, step);
        if (fruitless > plan.fruitlessMax) {
          say(
              "gave up after %d restarts in a row without a completed step; the run is safe in its"
                      .formatted(plan.fruitlessMax)
                  + " last checkpoint");
          return status;
        }
        say(
            "starts all %d workers again; the furthest step begun is %d"
                .formatted(plan.workers, furthest));
      }
    }
  }

  /** Asks the workers to end after their present step, with everything safe. Returns at once. */
  public void stop() {
    stopping = true;
    workers.forEach(worker -> worker.process.toHandle().destroy()); // leaves its output open
  }

  /** The processes that run now, by rank. */
  public List<ProcessHandle> processes() {
    return workers.stream().map(worker -> worker.process.toHandle()).toList();
  }

  private void begin(int port, int generation) {
    var begun = new ArrayList<Worker>();
    try {
      for (int rank = 0; rank < plan.workers; rank++) {
        var world =
            new World(rank, plan.workers, rank, plan.workers, "127.0.0.1", port, generation, false);
        ProcessBuilder builder = new ProcessBuilder(command);
        Map<String, String> variables = builder.environment();
        variables.putAll(environment);
        variables.putAll(world.toEnvironment());
        variables.put(THREADS, String.valueOf(threads(variables.get(THREADS))));
        Process process = builder.start();
        boolean leads = rank == 0;
        begun.add(
            new Worker(
                rank,
                process,
                List.of(
                    carry(rank, process.getInputStream(), leads ? out : err, !leads),
                    carry(rank, process.getErrorStream(), err, true))));
      }
    } catch (IOException e) {
      begun.forEach(worker -> worker.process.destroyForcibly());
      throw new ParallelException("cannot start " + command.getFirst() + ": " + e.getMessage(), e);
    }
    workers = Collections.unmodifiableList(begun);
    if (stopping) {
      stop();
    }
  }

  /** Each worker's part of this machine's threads. */
  private int threads(@Nullable String all) {
    int threads = Runtime.getRuntime().availableProcessors();
    if (all != null && all.matches("[0-9]{1,4}")) {
      threads = Integer.parseInt(all);
    }
    return Math.max(1, threads / plan.workers);
  }

  private static Thread carry(int rank, InputStream from, PrintStream to, boolean prefixed) {
    return Thread.ofPlatform()
        .daemon()
        .name("descant-output-" + rank)
        .start(() -> {
          try (var lines =
              new BufferedReader(new InputStreamReader(from, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
              if (!line.startsWith(CHATTER)) {
                to.println(prefixed ? "[" + rank + "] " + line : line);
              }
            }
          } catch (IOException e) {
            to.println("[" + rank + "] its output broke off: " + e.getMessage());
          }
        });
  }

  /** Returns when every worker has ended; hurries the others when one ends badly. */
  private void watch(TcpStore store, int generation) throws InterruptedException {
    boolean[] told = new boolean[plan.workers];
    long lostAt = 0;
    long stoppingAt = 0;
    boolean asked = false;
    while (workers.stream().anyMatch(worker -> !worker.ended())) {
      long now = System.nanoTime();
      for (Worker worker : workers) {
        if (worker.ended() && !told[worker.rank] && worker.status() != 0) {
          told[worker.rank] = true;
          boolean alarming = !worker.stopped();
          Team.announceEnd(store, generation, worker.rank, worker.how(), alarming);
          if (alarming) {
            say("rank %d %s".formatted(worker.rank, worker.how()));
            lostAt = lostAt == 0 ? now : lostAt;
          }
        }
      }
      stoppingAt = stopping && stoppingAt == 0 ? now : stoppingAt;
      Duration grace = rescuing(store, generation) ? RESCUE_MAX : plan.grace;
      boolean late =
          (lostAt != 0 && now - lostAt > grace.toNanos())
              || (stoppingAt != 0 && now - stoppingAt > STOP_MAX.toNanos());
      if (late && !asked) {
        asked = true;
        for (Worker worker : workers) {
          if (!worker.ended()) {
            say("rank %d does not end; it is ended now".formatted(worker.rank));
            worker.process.toHandle().destroy();
          }
        }
        long until = now + LAST_CHANCE.toNanos();
        for (Worker worker : workers) {
          worker.process.waitFor(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS);
        }
        workers.forEach(worker -> worker.process.destroyForcibly());
      }
      Thread.sleep(LOOK_MS);
    }
  }

  private boolean rescuing(TcpStore store, int generation) {
    return Team.rescuerOf(store, generation).map(rank -> !workers.get(rank).ended()).orElse(false);
  }

  private int outcome() {
    int status = 0;
    for (Worker worker : workers) {
      if (!worker.lost() && !worker.stopped() && worker.status() != 0) {
        return worker.status();
      }
    }
    for (Worker worker : workers) {
      if (worker.lost()) {
        status = Team.LOST_STATUS;
      } else if (worker.stopped() && status == 0) {
        status = INTERRUPTED;
      }
    }
    return status;
  }

  private void say(String sentence) {
    err.println("launcher: " + sentence);
  }
}
