package org.descant.database;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A {@link DatabaseProcess} as its test sees it. */
final class Child implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final PrintWriter commands;

  Child(Path home) throws IOException {
    this(List.of(), home);
  }

  Child(List<String> prefix, Path home) throws IOException {
    List<String> command = new ArrayList<>(prefix);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xmx128m",
            "-cp",
            System.getProperty("java.class.path"),
            DatabaseProcess.class.getName(),
            home.toString()));
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    commands = new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8);
  }

  String answer() throws IOException {
    return answers.readLine();
  }

  String ask(String command) throws IOException {
    commands.println(command);
    return answer();
  }

  /** Asks without waiting for the answer. */
  void send(String command) {
    commands.println(command);
  }

  /** What a process that has ended had still said. */
  Stream<String> rest() {
    return answers.lines();
  }

  void kill() throws InterruptedException {
    // By its handle: the process object would close the streams, and what it said would be lost.
    process.toHandle().destroyForcibly();
    process.waitFor();
  }

  int end() throws InterruptedException {
    commands.close();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      throw new IllegalStateException("the process does not end");
    }
    return process.exitValue();
  }

  long pid() {
    return process.pid();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
