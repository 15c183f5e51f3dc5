package org.descant.database;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The PostgreSQL server of one home, shared by every process that has the home open.
 *
 * <p>One object per home and process, counted: file locks belong to the process, so two objects
 * would release each other's.
 */
final class EmbeddedServer {
  /* Who starts and who stops.
   *
   *   start.lock   exclusive, held only while the server is started or stopped.
   *   in-use.lock  shared, held by every process for as long as it has the home open.
   *
   * Opening:  take start.lock; take in-use.lock shared; start the server if it does not run.
   * Closing:  take start.lock; give up in-use.lock; if it can now be had exclusively, nobody else
   *           is here: stop the server.
   *
   * Both are POSIX locks, which the kernel drops with the process, so SIGKILL leaves no trace. A
   * server whose last user was killed runs on and is found by the next one. A server that was killed
   * itself is started again by whoever next needs a connection (EmbeddedDataSource), and recovers
   * from its write-ahead log. A server whose postmaster.pid names a process that is not PostgreSQL
   * (the number was given to another) loses that file, because PostgreSQL would not dare to.
   *
   * The cluster is made aside, under a name of its own (the programs of a killed first start may
   * still be at work on theirs), and renamed when it is complete.
   */

  static final String USER = "descant";
  static final String DATABASE = "postgres";
  private static final String ASIDE = "data.new-";

  /** Space that a new cluster and its log need: 39 MB as made, and room for a catalogue. */
  static final long NEW_CLUSTER_BYTES_MIN = 150_000_000;

  private static final Duration LOCK_WAIT_MAX = Duration.ofSeconds(90);
  private static final Duration START_MAX = Duration.ofSeconds(60);
  private static final Duration STOP_MAX = Duration.ofSeconds(30);
  private static final Duration RECOVERY_MAX = Duration.ofSeconds(60);
  private static final int START_TRIES_MAX = 5;
  private static final long POLL_MILLIS = 20;
  private static final long LOG_BYTES_MAX = 8_000_000;
  private static final int LOG_TAIL_BYTES = 16_384;
  private static final int PASSWORD_BYTES = 24;

  /** Servers of this process by the real path of their folder; guards itself and the counts. */
  private static final Map<Path, EmbeddedServer> OPEN = new HashMap<>();

  private final Path folder;
  private final Path cluster;
  private final boolean durable;
  private final Launcher launcher;
  private final Path programs;
  private final FileChannel startChannel;
  private final FileChannel inUseChannel;
  private final Thread stopper;
  private int users;
  private boolean stopped;
  private @Nullable FileLock inUse;
  private volatile int port;
  private volatile String password = "";

  private EmbeddedServer(Path folder, boolean durable) throws IOException {
    this.folder = folder;
    this.durable = durable;
    this.cluster = folder.resolve("data");
    this.launcher = Launcher.forCluster(cluster);
    this.programs = Binaries.folder(folder, launcher == Launcher.OTHER_USER);
    this.startChannel = openLock("start.lock");
    this.inUseChannel = openLock("in-use.lock");
    this.stopper = new Thread(this::stopIfLast, "descant-database-stop");
  }

  private FileChannel openLock(String name) throws IOException {
    return FileChannel.open(
        folder.resolve(name),
        StandardOpenOption.CREATE,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  /** Opens the server of a home, starting it when nobody has. */
  static EmbeddedServer acquire(Path home) {
    return acquire(home, true);
  }

  /**
   * @param durable false lets a crash of the machine lose data, for tests only
   */
  static EmbeddedServer acquire(Path home, boolean durable) {
    Binaries.requirePlatform();
    synchronized (OPEN) {
      Path folder = prepare(home);
      EmbeddedServer server = OPEN.get(folder);
      if (server == null) {
        try {
          server = new EmbeddedServer(folder, durable);
          server.enter();
        } catch (IOException e) {
          throw unusable(home, e);
        }
        OPEN.put(folder, server);
        Runtime.getRuntime().addShutdownHook(server.stopper);
      }
      server.users++;
      return server;
    }
  }

  /** Gives the server back; the last user of the last process stops it. */
  void release() {
    synchronized (OPEN) {
      if (--users > 0) {
        return;
      }
      OPEN.remove(folder);
      try {
        Runtime.getRuntime().removeShutdownHook(stopper);
      } catch (IllegalStateException e) {
        return; // The process is ending: the hook does the rest.
      }
      stopIfLast();
    }
  }

  int port() {
    return port;
  }

  String password() {
    return password;
  }

  private static Path prepare(Path home) {
    // pg_ctl hands its paths to a shell within double quotes.
    if (home.toAbsolutePath().toString().chars().anyMatch(c -> "\"$`\\\n".indexOf(c) >= 0)) {
      throw new DatabaseException(
          "The home %s has a character in its path that PostgreSQL cannot bear (one of \" $ ` \\): choose another name"
              .formatted(home.toString().replace('\n', ' ')));
    }
    try {
      if (Files.exists(home) && !Files.isDirectory(home)) {
        throw new DatabaseException(
            "The home %s is a file, not a folder: name another with --home or DESCANT_HOME"
                .formatted(home));
      }
      Path folder = home.resolve("postgres");
      Files.createDirectories(home);
      if (!Files.isDirectory(folder)) {
        Files.createDirectories(
            folder,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      return folder.toRealPath();
    } catch (IOException e) {
      throw unusable(home, e);
    }
  }

  /** The sentence for a home that cannot be used. */
  static DatabaseException unusable(Path home, IOException cause) {
    String reason = String.valueOf(cause.getMessage());
    String lower = reason.toLowerCase(Locale.ROOT);
    if (cause instanceof FileAlreadyExistsException || lower.contains("not a directory")) {
      return new DatabaseException(
          "The home %s is a file or lies in one: name a folder with --home or DESCANT_HOME"
              .formatted(home),
          cause);
    }
    if (cause instanceof AccessDeniedException
        || lower.contains("read-only file system")
        || lower.contains("permission denied")) {
      return new DatabaseException(
          "The home %s cannot be written to: make it writable, or name another with --home or DESCANT_HOME"
              .formatted(home),
          cause);
    }
    if (lower.contains("no space left") || lower.contains("quota exceeded")) {
      return full(home, cause);
    }
    String what =
        cause instanceof FileSystemException file && file.getReason() != null
            ? file.getFile() + ": " + file.getReason()
            : reason;
    return new DatabaseException(
        "The home %s cannot hold the database (%s): name another with --home or DESCANT_HOME"
            .formatted(home, what),
        cause);
  }

  private static DatabaseException full(Path home, @Nullable Throwable cause) {
    return new DatabaseException(
        "The disk that holds %s is full: free %d MB, or name a home elsewhere with --home or DESCANT_HOME"
            .formatted(home, NEW_CLUSTER_BYTES_MIN / 1_000_000),
        cause);
  }

  private void enter() throws IOException {
    try (FileLock _ = lockStart()) {
      inUse = inUseChannel.tryLock(0, Long.MAX_VALUE, true);
      if (inUse == null) {
        throw new DatabaseException(
            "The home %s is held by another process that is not Descant: end it first"
                .formatted(folder.getParent()));
      }
      try {
        startIfNeeded();
      } catch (IOException | RuntimeException e) {
        inUse.close();
        throw e;
      }
    } catch (IOException | RuntimeException e) {
      startChannel.close();
      inUseChannel.close();
      throw e;
    }
  }

  /** Starts the server again when it is away; called by whoever was refused a connection. */
  synchronized void ensureRunning() {
    if (stopped) {
      throw new DatabaseException("The database of %s is closed".formatted(folder.getParent()));
    }
    try (FileLock _ = lockStart()) {
      startIfNeeded();
    } catch (IOException e) {
      throw unusable(requireHome(), e);
    }
  }

  private synchronized void stopIfLast() {
    if (stopped) {
      return;
    }
    stopped = true;
    try (startChannel;
        inUseChannel) {
      try (FileLock _ = lockStart()) {
        if (inUse != null) {
          inUse.close();
        }
        try (FileLock alone = inUseChannel.tryLock()) {
          if (alone != null && running() != null) {
            control(List.of("stop", "-m", "fast", "-w", "-t", seconds(STOP_MAX)), STOP_MAX);
          }
        }
      }
    } catch (IOException e) {
      throw unusable(requireHome(), e);
    }
  }

  private FileLock lockStart() throws IOException {
    long deadline = System.nanoTime() + LOCK_WAIT_MAX.toNanos();
    while (true) {
      FileLock lock = startChannel.tryLock();
      if (lock != null) {
        return lock;
      }
      if (System.nanoTime() > deadline) {
        throw new DatabaseException(
            "Another process has been starting the database of %s for %s s: see %s"
                .formatted(
                    folder.getParent(), seconds(LOCK_WAIT_MAX), folder.resolve("server.log")));
      }
      sleep();
    }
  }

  // Below here the start lock is held.

  private void startIfNeeded() throws IOException {
    if (!Files.isDirectory(cluster)) {
      create();
    }
    requireVersion();
    password = Files.readString(cluster.resolve("descant.password"), UTF_8).strip();
    Integer running = running();
    port = running == null ? start() : running;
  }

  private void create() throws IOException {
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < NEW_CLUSTER_BYTES_MIN) {
      throw full(requireHome(), null);
    }
    Path aside = Files.createTempDirectory(folder, ASIDE);
    launcher.own(aside);
    Path secret = folder.resolve("password.tmp");
    Files.deleteIfExists(secret);
    Files.createFile(
        secret, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(secret, newPassword() + "\n", UTF_8);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                program("initdb"),
                "--pgdata=" + aside,
                "--username=" + USER,
                "--auth=scram-sha-256",
                "--pwfile=" + secret,
                "--encoding=UTF8",
                // The same order of text on every machine, whatever its locales are.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8"));
    if (!durable) {
      arguments.add("--no-sync");
    }
    Outcome outcome = execute(arguments, START_MAX);
    if (outcome.status != 0) {
      Binaries.deleteTree(aside);
      throw failed("cannot be made", outcome.output, null);
    }
    Files.move(secret, aside.resolve("descant.password"), StandardCopyOption.REPLACE_EXISTING);
    Files.move(aside, cluster, StandardCopyOption.ATOMIC_MOVE);
  }

  private static String newPassword() {
    byte[] random = new byte[PASSWORD_BYTES];
    new SecureRandom().nextBytes(random);
    return HexFormat.of().formatHex(random);
  }

  private void requireVersion() throws IOException {
    Path file = cluster.resolve("PG_VERSION");
    String version = Files.exists(file) ? Files.readString(file, UTF_8).strip() : "none";
    if (!version.equals(String.valueOf(Binaries.MAJOR))) {
      throw new DatabaseException(
          "The database in %s is of PostgreSQL %s and this Descant brings %d: move the folder away, or run it with the Descant that made it"
              .formatted(folder, version, Binaries.MAJOR));
    }
  }

  /** The port of the running server once it takes connections, or null when none runs. */
  private @Nullable Integer running() throws IOException {
    long deadline = System.nanoTime() + RECOVERY_MAX.toNanos();
    while (true) {
      Postmaster postmaster = Postmaster.read(cluster);
      if (postmaster == null) {
        return null;
      }
      if (!postmaster.alive(cluster)) {
        if (ProcessHandle.of(postmaster.pid()).isPresent()) {
          Files.deleteIfExists(cluster.resolve("postmaster.pid"));
        }
        return null;
      }
      if (postmaster.ready()) {
        return postmaster.port();
      }
      if (System.nanoTime() > deadline) {
        throw failed("is neither up nor down after " + seconds(RECOVERY_MAX) + " s", "", null);
      }
      sleep();
    }
  }

  private int start() throws IOException {
    rotateLog();
    deleteLeftovers();
    Outcome outcome = new Outcome(1, "");
    for (int tries = 0; tries < START_TRIES_MAX; tries++) {
      int candidate = freePort();
      outcome =
          control(
              List.of(
                  "start",
                  "-w",
                  "-t",
                  seconds(START_MAX),
                  "-l",
                  folder.resolve("server.log").toString(),
                  "-o",
                  options(candidate)),
              START_MAX);
      Integer running = running();
      if (running != null) {
        return running; // Ours, or that of a killed process that was faster.
      }
      if (!logTail().contains("Address already in use")) {
        break;
      }
    }
    throw failed("does not start", outcome.output + "\n" + logTail(), null);
  }

  private String options(int candidate) {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "max_connections=100",
                "shared_buffers=64MB",
                "max_wal_size=256MB",
                "log_min_messages=warning",
                "log_line_prefix=%m ",
                "autovacuum_naptime=5min"));
    if (!durable) {
      settings.add("fsync=off");
      settings.add("synchronous_commit=off");
      settings.add("full_page_writes=off");
    }
    StringBuilder options = new StringBuilder("-p " + candidate);
    settings.forEach(setting -> options.append(" -c \"").append(setting).append('"'));
    return options.toString();
  }

  /** The port of last time when it is free, so that processes that are here find the server. */
  private int freePort() throws IOException {
    if (port != 0 && isFree(port)) {
      return port;
    }
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
      return socket.getLocalPort();
    }
  }

  private static boolean isFree(int port) {
    try (ServerSocket _ = new ServerSocket(port, 1, InetAddress.ofLiteral("127.0.0.1"))) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** Clusters that killed first starts did not finish. */
  private void deleteLeftovers() throws IOException {
    try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(folder, ASIDE + "*")) {
      for (Path leftover : leftovers) {
        Binaries.deleteTree(leftover);
      }
    }
  }

  private void rotateLog() throws IOException {
    Path log = folder.resolve("server.log");
    if (Files.exists(log) && Files.size(log) > LOG_BYTES_MAX) {
      Files.move(log, folder.resolve("server.log.old"), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private String logTail() {
    try (RandomAccessFile log = new RandomAccessFile(folder.resolve("server.log").toFile(), "r")) {
      long from = Math.max(0, log.length() - LOG_TAIL_BYTES);
      byte[] tail = new byte[(int) (log.length() - from)];
      log.seek(from);
      log.readFully(tail);
      return new String(tail, UTF_8);
    } catch (IOException e) {
      return "";
    }
  }

  private Outcome control(List<String> arguments, Duration limit) throws IOException {
    List<String> command = new ArrayList<>(List.of(program("pg_ctl"), "-D", cluster.toString()));
    command.addAll(arguments);
    return execute(command, limit.plusSeconds(5));
  }

  private String program(String name) {
    return programs.resolve("bin").resolve(name).toString();
  }

  private record Outcome(int status, String output) {}

  private Outcome execute(List<String> program, Duration limit) throws IOException {
    // Into a file: the server would keep a pipe open for as long as it runs.
    Path output = folder.resolve("last-command.log");
    ProcessBuilder builder =
        new ProcessBuilder(launcher.command(program))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("LC_ALL", "C");
    builder.environment().keySet().removeIf(name -> name.startsWith("PG"));
    Process process = builder.start();
    process.getOutputStream().close();
    try {
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        return new Outcome(-1, "no end after " + seconds(limit) + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DatabaseException("Interrupted while the database was starting or stopping", e);
    }
    return new Outcome(process.exitValue(), Files.readString(output, UTF_8));
  }

  /** The sentence for a server that did not do what it was asked. */
  DatabaseException failed(String what, Throwable cause) {
    return failed(what, Database.firstLine(cause), cause);
  }

  private DatabaseException failed(String what, String output, @Nullable Throwable cause) {
    String lower = output.toLowerCase(Locale.ROOT);
    if (lower.contains("no space left")) {
      return full(requireHome(), cause);
    }
    if (lower.contains("read-only file system") || lower.contains("permission denied")) {
      return new DatabaseException(
          "The home %s cannot be written to: make it writable, or name another with --home or DESCANT_HOME"
              .formatted(requireHome()),
          cause);
    }
    String reason =
        output
            .lines()
            .filter(line -> line.contains("FATAL:") || line.contains("error:"))
            .reduce((_, last) -> last)
            .map(line -> line.replaceFirst("^.*(FATAL|error):\\s*", ""))
            .orElse(cause == null ? "no reason given" : Database.firstLine(cause));
    return new DatabaseException(
        "The database in %s %s (%s): see %s"
            .formatted(folder, what, reason, folder.resolve("server.log")),
        cause);
  }

  private Path requireHome() {
    Path home = folder.getParent();
    return home == null ? folder : home;
  }

  private static String seconds(Duration duration) {
    return String.valueOf(duration.toSeconds());
  }

  private static void sleep() {
    try {
      Thread.sleep(POLL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DatabaseException("Interrupted while waiting for the database", e);
    }
  }
}
