package org.descant.tensor;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.StringVector;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;

/**
 * Short texts by key that all processes of a job see: libtorch's TCP store, where a job's processes
 * find each other. One process hosts it, best one that outlives the others; it listens on all
 * interfaces without a password, like every launcher of such jobs, so keep the port inside the
 * cluster.
 *
 * <p>Thread-safe, but a call waits for the one before it; a thread that must answer quickly opens a
 * connection of its own.
 */
public final class TcpStore implements AutoCloseable {
  private static final Duration CONNECT_MAX = Duration.ofMinutes(30);
  private static final int PORT_MAX = 0xffff;

  private final TCPStore store;
  private final String name;
  private boolean closed;

  private TcpStore(TCPStore store, String name) {
    this.store = store;
    this.name = name;
  }

  /**
   * Starts a store in this process.
   *
   * @param port to listen on; 0 takes any that is free
   * @throws TensorException when the port is taken
   */
  public static TcpStore host(int port) {
    TCPStore store = open("0.0.0.0", port, true, Duration.ofSeconds(30));
    return new TcpStore(store, "0.0.0.0:" + (store.getPort() & PORT_MAX));
  }

  /**
   * Connects to a store, waiting for its host to start.
   *
   * @param timeout of the connection
   * @throws TensorException when nobody answers in time
   */
  public static TcpStore connect(String host, int port, Duration timeout) {
    return new TcpStore(open(host, port, false, timeout), host + ":" + port);
  }

  /** A native store that belongs to exactly one native owner. */
  static TCPStore open(String host, int port, boolean hosts, Duration timeout) {
    if (port < 0 || port > PORT_MAX || (port == 0 && !hosts)) {
      throw new TensorException("There is no port %d; use 1 to %d.".formatted(port, PORT_MAX));
    }
    if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(CONNECT_MAX) > 0) {
      throw new TensorException(
          "The store's timeout must be positive and at most %s, was %s."
              .formatted(CONNECT_MAX, timeout));
    }
    NativeRuntime.prepare();
    try (PointerScope scope = new PointerScope()) {
      TCPStoreOptions options = new TCPStoreOptions();
      options
          .port((short) port)
          .isServer(hosts)
          .waitWorkers(false)
          .timeout(new Milliseconds(timeout.toMillis()));
      return new TCPStore(host, options).retainReference();
    } catch (RuntimeException e) {
      throw TensorException.fromNative(
          hosts ? "cannot host a store on port " + port : "no store at " + host + ":" + port, e);
    }
  }

  /** The port it listens on, or that it is connected to. */
  public int port() {
    return call("port", () -> store.getPort() & PORT_MAX);
  }

  /** Sets a key. */
  public void set(String key, String value) {
    call(
        key,
        () -> {
          store.set(key, value);
          return value;
        });
  }

  /** The value of a key, or nothing when nobody has set it yet; never waits for one. */
  public Optional<String> find(String key) {
    return call(
        key,
        () ->
            store.check(new StringVector(key))
                ? Optional.of(store.get_to_str(key))
                : Optional.empty());
  }

  /** Adds to a counter that starts at 0, and returns its new value. */
  public long add(String key, long amount) {
    return call(key, () -> store.add(key, amount));
  }

  /**
   * Sets a key that nobody has set, and returns the value it has now: the one given, or that of
   * whoever came first.
   */
  public String setIfAbsent(String key, String value) {
    return call(key, () -> store.compareSet(key, "", value));
  }

  private synchronized <T> T call(String key, Supplier<T> call) {
    if (closed) {
      throw new TensorException("The store at " + name + " is closed.");
    }
    try (PointerScope scope = new PointerScope()) {
      return call.get();
    } catch (RuntimeException e) {
      throw TensorException.fromNative("store " + name + ", key " + key, e);
    }
  }

  /** Closes the connection; of a hosted store also ends it for the others. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      store.close();
    }
  }
}
