package org.descant.cli;

import java.util.List;
import java.util.Optional;
import org.descant.cli.learning.EvaluateCommand;
import org.descant.cli.learning.LabCommand;
import org.descant.cli.learning.ModelsCommand;
import org.descant.cli.learning.TrainCommand;
import org.descant.cli.music.CatalogCommand;
import org.descant.cli.music.DatasetCommand;
import org.descant.cli.music.RightsCommand;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.UsageException;
import org.descant.cli.playing.GenerateCommand;
import org.descant.cli.playing.LedgerCommand;
import org.descant.cli.playing.ProveCommand;
import org.descant.cli.playing.ServeCommand;
import org.descant.cli.playing.TraceCommand;
import org.descant.cli.playing.VerifyCommand;
import org.descant.database.Database;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;

/** {@code descant <noun> <verb>}. */
@Command(
    name = "descant",
    description = "Artist-first generative music: who agreed, what was learned, who is paid.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    subcommands = {
      DemoCommand.class,
      ServeCommand.class,
      DoctorCommand.class,
      CatalogCommand.class,
      RightsCommand.class,
      DatasetCommand.class,
      TrainCommand.class,
      GenerateCommand.class,
      VerifyCommand.class,
      TraceCommand.class,
      ProveCommand.class,
      LedgerCommand.class,
      ModelsCommand.class,
      LabCommand.class,
      EvaluateCommand.class
    })
public final class Main extends Invocation implements Runnable {
  public static void main(String[] args) {
    int status = run(args);
    System.out.flush();
    System.err.flush();
    // halt() would skip the shutdown hooks that keep a run safe; exit() runs them.
    System.exit(status);
  }

  /** Runs one command line and returns its exit status. Safe to call again in one process. */
  static int run(String... args) {
    return commandLine().execute(args);
  }

  /** A command line that has parsed nothing yet. */
  static CommandLine commandLine() {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    line.getSubcommands().values().forEach(Main::addHelp);
    return line.setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true)
        .setParameterExceptionHandler(Main::wrongUsage)
        .setExecutionExceptionHandler((error, command, parsed) -> main.failed(error));
  }

  /** Every command answers to --help and --version, and those below it. */
  private static void addHelp(CommandLine command) {
    command.getCommandSpec().mixinStandardHelpOptions(true).versionProvider(new Version());
    command.getSubcommands().values().forEach(Main::addHelp);
  }

  @Override
  public void run() {
    throw new UsageException("Say what to do: `descant --help` lists the commands.");
  }

  private int failed(Exception error) {
    if (tracesErrors()) {
      error.printStackTrace();
    }
    System.err.println("descant: " + sentence(error));
    return Exit.BAD_INPUT;
  }

  /** What to tell the person: every module's own exceptions carry a sentence made for them. */
  private static String sentence(Exception error) {
    Optional<String> ofDatabase = Database.sentence(error);
    if (ofDatabase.isPresent()) {
      return ofDatabase.get();
    }
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      String message = String.valueOf(cause.getMessage());
      if (cause.getClass().getName().startsWith("org.descant.")) {
        return message;
      }
      if (message.contains("No space left on device")) {
        return "The disk is full; make room and run the same command again, nothing is"
            + " half-written.";
      }
    }
    return "Something broke here: %s (%s); run again with --trace-errors for the stack."
        .formatted(
            String.valueOf(error.getMessage()).lines().findFirst().orElse(""),
            error.getClass().getSimpleName());
  }

  private static int wrongUsage(ParameterException error, String[] args) {
    CommandLine command = error.getCommandLine();
    command
        .getErr()
        .println(
            "descant: "
                + error.getMessage()
                + " (`"
                + command.getCommandSpec().qualifiedName()
                + " --help` shows the usage).");
    return Exit.BAD_INPUT;
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return List.of("descant " + (version == null ? "(development)" : version))
          .toArray(String[]::new);
    }
  }
}
