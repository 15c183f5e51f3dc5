package org.descant.cli;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/** Looks at this machine and says what is missing, and which parts work without it. */
@Command(name = "doctor", description = "Say what this machine has and what to install.")
final class DoctorCommand implements Callable<Integer> {
  private static final long DISK_BYTES_WANTED = 4L << 30;
  private static final long MEMORY_BYTES_WANTED = 6L << 30;

  @ParentCommand Invocation main = new Invocation();

  /** One thing looked at. */
  record Finding(String what, boolean ok, boolean needed, String found, String advice) {}

  @Override
  public Integer call() {
    List<Finding> findings = new ArrayList<>();
    findings.add(java());
    findings.add(memory());
    findings.add(home());
    findings.add(
        tool("node", "--version", "the C2PA reference validator in the tests", "nodejs npm"));
    findings.add(tool("chromium", "--version", "the page tests", "chromium"));
    findings.add(tool("mvn", "--version", "building from source", "maven"));
    Output out = main.output();
    for (Finding finding : findings) {
      out.say(
          "%-4s %-10s %s%s",
          finding.ok() ? "ok" : finding.needed() ? "FAIL" : "miss",
          finding.what(),
          finding.found(),
          finding.ok() ? "" : ": " + finding.advice());
    }
    out.document(findings);
    return findings.stream().anyMatch(f -> f.needed() && !f.ok()) ? Exit.REFUSED : Exit.DONE;
  }

  private static Finding java() {
    int feature = Runtime.version().feature();
    return new Finding("java", feature >= 25, true, Runtime.version().toString(), "install JDK 25");
  }

  private static Finding memory() {
    long bytes = 0;
    try {
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemAvailable:")) {
          bytes = Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
        }
      }
    } catch (IOException unreadable) {
      bytes = Runtime.getRuntime().maxMemory();
    }
    return new Finding(
        "memory",
        bytes >= MEMORY_BYTES_WANTED,
        false,
        (bytes >> 20) + " MiB available, " + Runtime.getRuntime().availableProcessors() + " cores",
        "training and generation want 6 GiB; close other programs");
  }

  private Finding home() {
    Path home = main.homeFolder();
    Path existing = home;
    while (existing.getParent() != null && !Files.exists(existing)) {
      existing = existing.getParent();
    }
    boolean writable = Files.isWritable(existing);
    String found = home.toString();
    try {
      FileStore store = Files.getFileStore(existing);
      found += ", " + (store.getUsableSpace() >> 20) + " MiB free";
      writable &= store.getUsableSpace() > DISK_BYTES_WANTED;
    } catch (IOException unreadable) {
      writable = false;
    }
    return new Finding(
        "home",
        writable,
        true,
        found,
        "name a writable folder with 4 GiB free with --home or DESCANT_HOME");
  }

  private static Finding tool(String name, String flag, String purpose, String packages) {
    String version = firstLine(name, flag);
    return new Finding(
        name,
        version != null,
        false,
        version != null ? version : "not found",
        "only needed for " + purpose + " (Debian: apt-get install " + packages + ")");
  }

  private static @Nullable String firstLine(String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String line;
      try (var reader = process.inputReader()) {
        line = reader.readLine();
      }
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return null;
      }
      return line == null ? "" : line.replaceAll("\u001b\\[[0-9;]*m", "");
    } catch (IOException absent) {
      return null;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return null;
    }
  }
}
