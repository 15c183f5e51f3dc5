package org.descant.storage.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A TCP proxy that passes bytes on, and cuts the first connections in the middle of what the server
 * sends.
 */
public final class CuttingProxy implements AutoCloseable {
  private final ServerSocket door;
  private final int target;
  private final long bytesBeforeCut;
  private final AtomicInteger cutsLeft;
  private final AtomicInteger cuts = new AtomicInteger();
  private final AtomicLong bytesDown = new AtomicLong();

  public CuttingProxy(int target, int cuts, long bytesBeforeCut) throws IOException {
    this.target = target;
    this.cutsLeft = new AtomicInteger(cuts);
    this.bytesBeforeCut = bytesBeforeCut;
    this.door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  private void accept() {
    while (!door.isClosed()) {
      try {
        Socket client = door.accept();
        Socket server = new Socket(InetAddress.getLoopbackAddress(), target);
        Thread.ofVirtual().start(() -> up(client, server));
        Thread.ofVirtual().start(() -> down(client, server));
      } catch (IOException e) {
        return; // Closed.
      }
    }
  }

  private static void up(Socket client, Socket server) {
    try {
      client.getInputStream().transferTo(server.getOutputStream());
      server.shutdownOutput();
    } catch (IOException e) {
      close(client, server);
    }
  }

  private void down(Socket client, Socket server) {
    byte[] buffer = new byte[1 << 14];
    long passed = 0;
    try {
      InputStream in = server.getInputStream();
      OutputStream out = client.getOutputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        out.write(buffer, 0, n);
        passed += n;
        bytesDown.addAndGet(n);
        if (passed > bytesBeforeCut && cutsLeft.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
          cuts.incrementAndGet();
          break;
        }
      }
    } catch (IOException e) {
      // One side went away: the other follows.
    } finally {
      close(client, server);
    }
  }

  private static void close(Socket client, Socket server) {
    try (client;
        server) {
      client.setSoLinger(true, 0); // A reset, as a pulled cable or a dying server gives.
    } catch (IOException e) {
      // Closed already.
    }
  }

  public int port() {
    return door.getLocalPort();
  }

  public int cuts() {
    return cuts.get();
  }

  public long bytesDown() {
    return bytesDown.get();
  }

  @Override
  public void close() throws IOException {
    door.close();
  }
}
