package org.descant.training.parallel;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.descant.models.BatchShare;
import org.descant.tensor.AdamW;
import org.descant.tensor.DType;
import org.descant.tensor.Device;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Optimizer;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.PeerLostException;
import org.descant.tensor.ProcessGroup;
import org.descant.tensor.Scope;
import org.descant.tensor.ShardedAdamW;
import org.descant.tensor.TcpStore;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.jspecify.annotations.Nullable;

/**
 * Several processes that train together.
 *
 * <p>Gradients and figures go through a {@link ProcessGroup}. Beside it, through the store, go
 * alarms: whoever loses a peer says so, and everybody who waits gives up within a second, because a
 * broken connection is only felt by its two ends. A thread looks for alarms, tells the launcher how
 * far the run is, and writes the ring of collectives when nothing has moved for a while.
 *
 * <p>Every wait ends: an operation after the timeout, {@link #meet} by an alarm. A team that has
 * lost a peer is lost; its processes save what they have (see {@link #rescues}) and end with {@link
 * #LOST_STATUS}, and the launcher starts new ones.
 */
public final class Team implements Replicas {
  /** Exit status of a worker that lost a peer: the same command would go on (EX_TEMPFAIL). */
  public static final int LOST_STATUS = 75;

  private static final Duration CONNECT_TIMEOUT = Duration.ofMinutes(5);
  private static final long LOOK_MS = 200;
  private static final long MEET_LOOK_MS = 50;

  /** The ring is written when nothing has started or ended for this long, or a third of a wait. */
  private static final Duration STALL = Duration.ofSeconds(10);

  /** How long survivors wait to hear of each other. */
  private static final Duration RESCUE_WAIT = Duration.ofSeconds(10);

  /** How long the host of the store waits for the others to leave. */
  private static final Duration LEAVE_WAIT = Duration.ofSeconds(5);

  /** The store is given up for gone after this many failures in a row. */
  private static final int STORE_FAILURES_MAX = 3;

  /** Stack frames that are kept of the training thread. */
  private static final int FRAMES_MAX = 40;

  /**
   * How a team works together. None of it changes what is learned.
   *
   * @param timeout of every collective operation, and of the workers' meeting at the start
   * @param bucketBytes least size of a bucket of gradients
   * @param ringLength collectives that each rank remembers
   * @param shardOptimizer whether AdamW's state is spread over the ranks (ZeRO-1)
   */
  public record Options(
      Duration timeout, long bucketBytes, int ringLength, boolean shardOptimizer) {
    /** Ten minutes; 4 MiB, which a gigabit a second carries in 35 ms; 1,024 collectives. */
    public static final Options DEFAULT =
        new Options(Duration.ofMinutes(10), 4L << 20, 1024, false);

    private static final int RING_MAX = 1 << 20;

    public Options {
      if (timeout.toMillis() < 100 || timeout.compareTo(Duration.ofMinutes(30)) > 0) {
        throw new ParallelException(
            "the workers' timeout is %s; allowed: 0.1 s to 30 min".formatted(timeout));
      }
      if (bucketBytes < 1 || ringLength < 2 || ringLength > RING_MAX) {
        throw new ParallelException(
            "buckets need at least 1 byte and rings 2 to %d entries, were %d and %d"
                .formatted(RING_MAX, bucketBytes, ringLength));
      }
    }

    public Options withTimeout(Duration value) {
      return new Options(value, bucketBytes, ringLength, shardOptimizer);
    }

    public Options withShardOptimizer(boolean value) {
      return new Options(timeout, bucketBytes, ringLength, value);
    }
  }

  private final World world;
  private final Options options;
  private final Path run;
  private final Keys keys;
  private final @Nullable TcpStore hosted;
  private final TcpStore store;
  private final ProcessGroup group;
  private final CollectiveRing ring;
  private final Thread trainer = Thread.currentThread();
  private final Thread watch;
  private final Thread atExit = new Thread(() -> dump("the process ends"), "descant-ring");
  private final Map<ParameterStore, GradientSync> syncs = new IdentityHashMap<>();

  private volatile String purpose = "";
  private volatile long step;
  private volatile @Nullable String alarm;
  private volatile boolean closed;

  /** Keys of the store; each generation has its own. */
  private record Keys(int generation) {
    private String of(String name) {
      return "descant/" + generation + "/" + name;
    }

    String alarm() {
      return of("alarm");
    }

    String joined() {
      return of("joined");
    }

    String step() {
      return of("step");
    }

    String stands(int rank) {
      return of("stands/" + rank);
    }

    String ended(int rank) {
      return of("ended/" + rank);
    }

    String left() {
      return of("left");
    }

    String rescuer() {
      return of("rescuer");
    }

    String met(String point) {
      return of("met/" + point);
    }

    String stop(String point) {
      return of("stop/" + point);
    }
  }

  /** Tells a generation's workers, from the launcher, that a rank's process has ended. */
  static void announceEnd(TcpStore store, int generation, int rank, String how, boolean alarming) {
    Keys keys = new Keys(generation);
    store.set(keys.ended(rank), how);
    if (alarming) {
      store.setIfAbsent(keys.alarm(), "rank %d %s".formatted(rank, how));
    }
  }

  /** The last step that a generation's rank 0 was seen in; 0 before the first. */
  static long stepOf(TcpStore store, int generation) {
    return store.find(new Keys(generation).step()).map(Long::parseLong).orElse(0L);
  }

  /** Whether a rank of a generation has taken it upon itself to save its state. */
  static Optional<Integer> rescuerOf(TcpStore store, int generation) {
    return store.find(new Keys(generation).rescuer()).map(Integer::parseInt);
  }

  /**
   * Joins the other processes; returns when all are there.
   *
   * @param run folder of the run, the same on all machines; the rings are written there
   * @throws PeerLostException when not all come in time
   */
  public static Team join(World world, Options options, Path run) {
    @Nullable TcpStore hosted = world.hostsStore() ? TcpStore.host(world.masterPort()) : null;
    try {
      return new Team(world, options, run, hosted);
    } catch (RuntimeException e) {
      if (hosted != null) {
        hosted.close();
      }
      throw e;
    }
  }

  private Team(World world, Options options, Path run, @Nullable TcpStore hosted) {
    this.world = world;
    this.options = options;
    this.run = run;
    this.keys = new Keys(world.generation());
    this.hosted = hosted;
    this.ring = new CollectiveRing(options.ringLength());
    this.store = connect();
    TcpStore looking = connect();
    this.watch = Thread.ofPlatform().daemon().name("descant-watch").start(() -> watch(looking));
    try {
      // JVMs start at their own pace; the group's own meeting is then short.
      store.add(keys.joined(), 1);
      waitForAll(keys.joined(), "start", CONNECT_TIMEOUT);
      this.group =
          ProcessGroup.join(
              world.masterAddress(),
              world.masterPort(),
              "descant-" + world.generation(),
              world.rank(),
              world.size(),
              Device.CPU,
              options.timeout(),
              new Observer());
    } catch (RuntimeException e) {
      closed = true;
      store.close();
      throw e;
    }
    Runtime.getRuntime().addShutdownHook(atExit);
  }

  private TcpStore connect() {
    return TcpStore.connect(world.masterAddress(), world.masterPort(), CONNECT_TIMEOUT);
  }

  // ---------------------------------------------------------------- alarms

  private final class Observer implements ProcessGroup.Observer {
    @Override
    public void starting(long number, String operation, DType type, long elements) {
      requireQuiet();
      ring.start(number, operation, purpose, type, elements, step);
    }

    @Override
    public void ended(long number, boolean well) {
      ring.end(number, well);
      if (!well) {
        raise("rank %d lost a peer in collective #%d".formatted(world.rank(), number));
      }
    }

    @Override
    public void waiting(long number) {
      requireQuiet();
    }
  }

  private void requireQuiet() {
    @Nullable String heard = alarm;
    if (heard != null) {
      throw new PeerLostException(
          "rank %d of %d gives up in step %d: %s"
              .formatted(world.rank(), world.size(), step, heard));
    }
  }

  /** Tells everybody that this group is lost. */
  private void raise(String why) {
    if (alarm != null) {
      return;
    }
    alarm = why;
    dump(why);
    try {
      store.setIfAbsent(keys.alarm(), why);
    } catch (TensorException e) {
      alarm = why + "; the store is gone too";
    }
  }

  private void watch(TcpStore looking) {
    long told = 0;
    long dumped = ring.changedNanos();
    int failures = 0;
    Duration third = options.timeout().dividedBy(3);
    long stallNanos = (third.compareTo(STALL) < 0 ? third : STALL).toNanos();
    while (!closed) {
      try {
        Optional<String> heard = looking.find(keys.alarm());
        if (heard.isPresent() && alarm == null) {
          alarm = heard.get();
          dump("alarm: " + heard.get());
        }
        if (leads() && step != told) {
          told = step;
          looking.set(keys.step(), String.valueOf(told));
        }
        failures = 0;
      } catch (TensorException e) {
        failures++;
        if (failures == STORE_FAILURES_MAX && alarm == null) {
          alarm = "the store on %s is gone".formatted(world.masterAddress());
          dump(alarm);
        }
      }
      long changed = ring.changedNanos();
      if (changed != dumped && System.nanoTime() - changed > stallNanos) {
        dumped = changed;
        dump("no collective has started or ended for %d s".formatted(stallNanos / 1_000_000_000));
      }
      sleep(LOOK_MS);
    }
    looking.close();
  }

  private static void sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PeerLostException("interrupted while waiting for the other workers", e);
    }
  }

  private synchronized void dump(String reason) {
    List<String> stack =
        Arrays.stream(trainer.getStackTrace())
            .limit(FRAMES_MAX)
            .map(StackTraceElement::toString)
            .toList();
    try {
      new RankDump(
              RankDump.VERSION,
              world.rank(),
              world.size(),
              world.generation(),
              hostName(),
              ProcessHandle.current().pid(),
              reason,
              Instant.now(),
              step,
              stack,
              ring.entries())
          .write(run);
    } catch (IOException e) {
      System.err.println(
          "descant: the ring of rank %d cannot be written: %s".formatted(world.rank(), e));
    }
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }

  // ---------------------------------------------------------------- who and what

  @Override
  public int rank() {
    return world.rank();
  }

  @Override
  public int count() {
    return world.size();
  }

  @Override
  public int localCount() {
    return world.localSize();
  }

  @Override
  public BatchShare share(int rows, int parts) {
    requireSplit(rows, parts, world.size());
    int of = rows / parts;
    int own = of / world.size();
    return new BatchShare(
        world.rank() * own,
        own,
        of,
        tensor -> {
          purpose = "codebook statistics";
          group.allReduce(tensor).await();
        });
  }

  /**
   * Fails where a batch does not give each worker as many rows of each part.
   *
   * @throws ParallelException with a sentence
   */
  public static void requireSplit(int rows, int parts, int workers) {
    if (rows % (workers * parts) != 0) {
      throw new ParallelException(
          "a batch of %d%s cannot be split over %d workers; make it a multiple of %d"
              .formatted(
                  rows, parts == 1 ? "" : " in " + parts + " parts", workers, workers * parts));
    }
  }

  @Override
  public void start(ParameterStore store) {
    purpose = "first weights";
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      for (Tensor flat : List.of(store.values(), store.state())) {
        if (flat.count() > 0) {
          group.broadcast(flat, 0).await();
        }
      }
    }
    syncs.computeIfAbsent(store, this::sync);
  }

  @Override
  public void end(ParameterStore store) {
    @Nullable GradientSync sync = syncs.remove(store);
    if (sync != null) {
      sync.close();
    }
  }

  private GradientSync sync(ParameterStore store) {
    return new GradientSync(group, store, options.bucketBytes(), what -> purpose = what);
  }

  private GradientSync started(ParameterStore store) {
    @Nullable GradientSync sync = syncs.get(store);
    if (sync == null) {
      throw new IllegalStateException("start(store) comes before its gradients");
    }
    return sync;
  }

  @Override
  public void step(long step) {
    this.step = step;
  }

  @Override
  public void arm(ParameterStore store) {
    started(store).arm();
  }

  @Override
  public void average(ParameterStore store) {
    started(store).finish();
  }

  /** How many of a store's buckets left during the last backward pass, and how many there are. */
  int[] overlap(ParameterStore store) {
    return new int[] {started(store).overlapped(), started(store).buckets()};
  }

  @Override
  public double[] mean(double... values) {
    double[] means = reduced("mean figures", values, ProcessGroup.Reduction.SUM);
    for (int i = 0; i < means.length; i++) {
      means[i] /= world.size();
    }
    return means;
  }

  @Override
  public double[] sum(double... values) {
    return reduced("figures", values, ProcessGroup.Reduction.SUM);
  }

  @Override
  public long largest(long value) {
    return (long) reduced("the largest", new double[] {value}, ProcessGroup.Reduction.MAX)[0];
  }

  @Override
  public boolean any(boolean condition) {
    double own = condition ? 1 : 0;
    return reduced("whether to stop", new double[] {own}, ProcessGroup.Reduction.MAX)[0] > 0;
  }

  private double[] reduced(String what, double[] values, ProcessGroup.Reduction reduction) {
    try (Scope scope = Scope.open()) {
      Tensor tensor = Tensor.of(values);
      purpose = what;
      group.allReduce(tensor, reduction).await();
      return tensor.toDoubles();
    }
  }

  @Override
  public boolean meet(String point, boolean stop) {
    if (stop) {
      store.add(keys.stop(point), 1);
    }
    store.add(keys.met(point), 1);
    waitForAll(keys.met(point), point, null);
    return store.add(keys.stop(point), 0) > 0;
  }

  /** Waits until a counter of the store has come to the number of ranks. */
  private void waitForAll(String key, String point, @Nullable Duration limit) {
    long begin = System.nanoTime();
    while (true) {
      try {
        if (store.add(key, 0) >= world.size()) {
          return;
        }
      } catch (TensorException e) {
        throw new PeerLostException("the store is gone: " + e.getMessage(), e);
      }
      requireQuiet();
      if (limit != null && System.nanoTime() - begin > limit.toNanos()) {
        throw new PeerLostException(
            "not all %d workers came to '%s' within %d s"
                .formatted(world.size(), point, limit.toSeconds()));
      }
      sleep(MEET_LOOK_MS);
    }
  }

  @Override
  public Optimizer adamW(ParameterStore store, AdamW.Options adamW) {
    return options.shardOptimizer()
        ? new ShardedAdamW(store, adamW, group)
        : new AdamW(store, adamW);
  }

  @Override
  public boolean sharded() {
    return options.shardOptimizer();
  }

  // ---------------------------------------------------------------- rescue

  /**
   * Survivors tell each other through the store how far they are; when each rank has told or is
   * known to have ended, or after a while, the first of the furthest saves. A rank claims that in
   * the store, so two never write. Without a store, or with sharded state, nobody does, and the run
   * goes on from its last checkpoint.
   */
  @Override
  public boolean rescues(long done) {
    raise("rank %d gave up in step %d".formatted(world.rank(), step));
    if (options.shardOptimizer()) {
      return false;
    }
    Duration wait = options.timeout().compareTo(RESCUE_WAIT) < 0 ? options.timeout() : RESCUE_WAIT;
    try {
      store.set(keys.stands(world.rank()), String.valueOf(done));
      long begin = System.nanoTime();
      int first = world.rank();
      long furthest = done;
      boolean all = false;
      while (!all && System.nanoTime() - begin < wait.toNanos()) {
        all = true;
        first = world.rank();
        furthest = done;
        for (int rank = 0; rank < world.size(); rank++) {
          Optional<Long> stands = store.find(keys.stands(rank)).map(Long::parseLong);
          if (stands.isPresent()) {
            if (stands.get() > furthest || (stands.get() == furthest && rank < first)) {
              furthest = stands.get();
              first = rank;
            }
          } else if (store.find(keys.ended(rank)).isEmpty()) {
            all = false;
          }
        }
        if (!all) {
          sleep(MEET_LOOK_MS);
        }
      }
      String own = String.valueOf(world.rank());
      if (first != world.rank() || !store.setIfAbsent(keys.rescuer(), own).equals(own)) {
        return false;
      }
    } catch (TensorException e) {
      return false;
    }
    return true;
  }

  /** Leaves the team; the rank that hosts the store stays a moment for the others. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    removeHook();
    new ArrayList<>(syncs.keySet()).forEach(this::end);
    group.close();
    try {
      watch.join();
      store.add(keys.left(), 1);
      long begin = System.nanoTime();
      while (hosted != null
          && alarm == null
          && store.add(keys.left(), 0) < world.size()
          && System.nanoTime() - begin < LEAVE_WAIT.toNanos()) {
        Thread.sleep(MEET_LOOK_MS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TensorException e) {
      raise("the store has ended before rank " + world.rank());
    }
    store.close();
    if (hosted != null) {
      hosted.close();
    }
  }

  private void removeHook() {
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException shuttingDown) {
      atExit.setName("descant-ring-late"); // it runs, and writes the ring: that is what it is for
    }
  }
}
