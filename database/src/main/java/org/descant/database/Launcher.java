package org.descant.database;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs PostgreSQL's programs, which refuse to run as root.
 *
 * <p>An ordinary user runs them as they are. Root runs them in a user namespace of their own, where
 * nobody is root and the files on disk stay root's. Where the kernel forbids namespaces (many
 * containers do), they run as user 65534 with the one right to pass through root's folders, and the
 * cluster's files belong to that user.
 */
enum Launcher {
  PLAIN(List.of()),
  NAMESPACE(List.of("unshare", "-U")),
  OTHER_USER(
      List.of(
          "setpriv",
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          "--inh-caps=+dac_override",
          "--ambient-caps=+dac_override",
          // The right takes effect with the first program: this one, which stands in an open
          // folder.
          "sh",
          "-c",
          "exec \"$@\"",
          "sh"));

  /** The user and group that exist everywhere and own nothing. */
  private static final int NOBODY = 65534;

  private static final int PROBE_SECONDS_MAX = 10;

  private final List<String> prefix;

  Launcher(List<String> prefix) {
    this.prefix = prefix;
  }

  /** The way to run programs on a cluster that exists, or that is to be made. */
  static Launcher forCluster(Path cluster) throws IOException {
    if (userOf(Path.of("/proc/self")) != 0) {
      return PLAIN;
    }
    if (Files.exists(cluster)) {
      return userOf(cluster) == 0 ? NAMESPACE : OTHER_USER;
    }
    if (NAMESPACE.works()) {
      return NAMESPACE;
    }
    if (OTHER_USER.works()) {
      return OTHER_USER;
    }
    throw new DatabaseException(
        "PostgreSQL does not run as root and neither unshare nor setpriv can help here: run as an"
            + " ordinary user, or name a server in "
            + Database.URL_VARIABLE);
  }

  private static int userOf(Path path) throws IOException {
    return (int) Files.getAttribute(path, "unix:uid");
  }

  private boolean works() {
    try {
      Process process =
          new ProcessBuilder(command(List.of("true")))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(PROBE_SECONDS_MAX, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** The whole command line of a program. */
  List<String> command(List<String> program) {
    List<String> command = new ArrayList<>(prefix);
    command.addAll(program);
    return command;
  }

  /** Hands a new, empty cluster folder to the user who will run the server. */
  void own(Path folder) throws IOException {
    if (this == OTHER_USER) {
      Files.setAttribute(folder, "unix:uid", NOBODY);
      Files.setAttribute(folder, "unix:gid", NOBODY);
    }
  }
}
