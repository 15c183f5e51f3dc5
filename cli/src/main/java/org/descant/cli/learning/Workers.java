package org.descant.cli.learning;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.SafeStop;
import org.descant.cli.platform.UsageException;
import org.descant.training.parallel.Launcher;

/** Runs the present command line in several processes of this same program. */
final class Workers {
  private Workers() {}

  /**
   * Starts the workers and waits for their end; an interruption asks them to stop safely.
   *
   * @param invocation of this program; each worker gets all its arguments
   * @return the exit status
   */
  static int launch(Invocation invocation, Launcher.Plan plan) throws InterruptedException {
    var launcher = new Launcher(command(invocation), Map.of(), plan, System.out, System.err);
    // The first worker tells whether the run is safe.
    return SafeStop.around(SafeStop.LAUNCHER_SECONDS, launcher::stop, launcher::run, "");
  }

  /** This JVM's own command line again. */
  private static List<String> command(Invocation invocation) {
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
    // The root of the command line is the class with the main method.
    command.add(invocation.getClass().getName());
    command.addAll(invocation.originalArguments());
    return command;
  }
}
