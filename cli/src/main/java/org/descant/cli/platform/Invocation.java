package org.descant.cli.platform;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** One call of the program, with the options that every command takes. Its own root extends it. */
public class Invocation {
  @Spec @Nullable CommandSpec spec;

  @Option(
      names = "--home",
      paramLabel = "DIR",
      scope = ScopeType.INHERIT,
      description = "State folder (default: $DESCANT_HOME or ~/.descant).")
  @Nullable Path home;

  @Option(
      names = "--json",
      scope = ScopeType.INHERIT,
      description = "One JSON document on stdout; progress goes to stderr.")
  boolean json;

  @Option(
      names = "--trace-errors",
      scope = ScopeType.INHERIT,
      hidden = true,
      description = "Print the stack of an error too.")
  boolean traceErrors;

  /** The command line as it was given. */
  public List<String> originalArguments() {
    return spec == null ? List.of() : spec.commandLine().getParseResult().originalArgs();
  }

  /** Where this call writes. */
  public Output output() {
    return new Output(json);
  }

  /** Whether the stack of an error is wanted. */
  public boolean tracesErrors() {
    return traceErrors;
  }

  /**
   * The state folder, which need not be there yet.
   *
   * @throws UsageException if there is a file of its name
   */
  public Path homeFolder() {
    String fromEnvironment = System.getenv("DESCANT_HOME");
    Path folder =
        home != null
            ? home
            : fromEnvironment != null && !fromEnvironment.isBlank()
                ? Path.of(fromEnvironment)
                : Path.of(System.getProperty("user.home"), ".descant");
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      throw new UsageException(
          "The state folder " + folder + " is a file; name a folder with --home.");
    }
    return folder.toAbsolutePath().normalize();
  }
}
