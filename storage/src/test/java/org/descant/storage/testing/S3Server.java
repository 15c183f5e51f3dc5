package org.descant.storage.testing;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** An S3 server (Adobe S3Mock) in a process of its own, with one bucket. */
public final class S3Server implements AutoCloseable {
  public static final String BUCKET = "descant";

  /** S3Mock takes any; OpenDAL wants some. */
  public static final Map<String, String> CREDENTIALS =
      Map.of(
          "access_key_id", "test",
          "secret_access_key", "test",
          "disable_config_load", "true",
          "disable_ec2_metadata", "true");

  private static final int START_SECONDS_MAX = 90;

  private final Process process;
  private final int port;

  public S3Server(Path folder) throws IOException, InterruptedException {
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xmx256m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-Dorg.springframework.boot.logging.LoggingSystem=none",
                    "-cp",
                    System.getProperty("java.class.path"),
                    "com.adobe.testing.s3mock.S3MockApplication",
                    "--server.port=0",
                    "--http.port=" + port,
                    "--com.adobe.testing.s3mock.store.initial-buckets=" + BUCKET,
                    "--com.adobe.testing.s3mock.store.root=" + folder))
            .redirectErrorStream(true)
            .redirectOutput(folder.resolveSibling("s3.log").toFile())
            .start();
    long deadline = System.nanoTime() + START_SECONDS_MAX * 1_000_000_000L;
    while (!answers()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        process.destroyForcibly();
        throw new IOException(
            "the S3 server does not start; see " + folder.resolveSibling("s3.log"));
      }
      Thread.sleep(50);
    }
  }

  private boolean answers() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress("127.0.0.1", port), 100);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  public int port() {
    return port;
  }

  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }
}
