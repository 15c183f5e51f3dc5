package org.descant.cli;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.descant.training.parallel.Launcher;

/** Runs the present command line in several processes of this same program. */
final class Workers {
  /** A little longer than the launcher gives its workers to save their step. */
  private static final int STOP_SECONDS_MAX = 180;

  private Workers() {}

  /**
   * Starts the workers and waits for their end; an interruption asks them to stop safely.
   *
   * @param arguments of this program; each worker gets them all
   * @return the exit status
   */
  static int launch(List<String> arguments, int workers) throws InterruptedException {
    var launcher =
        new Launcher(
            command(arguments), Map.of(), Launcher.Plan.of(workers), System.out, System.err);
    CountDownLatch ended = new CountDownLatch(1);
    Thread hook =
        new Thread(
            () -> {
              launcher.stop();
              try {
                if (!ended.await(STOP_SECONDS_MAX, TimeUnit.SECONDS)) {
                  System.err.println(
                      "descant: the workers did not stop in time; the last checkpoint is safe.");
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "descant-stop-workers");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      return launcher.run();
    } finally {
      ended.countDown();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException shuttingDown) {
        System.err.println("descant: interrupted; the run is safe.");
      }
    }
  }

  /** This JVM's own command line with other arguments. */
  private static List<String> command(List<String> arguments) {
    var command = new ArrayList<String>();
    command.add(
        ProcessHandle.current()
            .info()
            .command()
            .orElseThrow(() ->
                new UsageException(
                    "This system does not tell which program runs; set RANK, WORLD_SIZE,"
                        + " MASTER_ADDR and MASTER_PORT and start each worker yourself.")));
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Main.class.getName());
    command.addAll(arguments);
    return command;
  }
}
