package org.descant.shards;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Reads shuffled clips of a dataset ahead of whoever trains on them. Threads read from the mapped
 * shards into a bounded queue; batches come out in the order of the samples, whatever thread was
 * faster. One consumer.
 *
 * <p>The order is a pure function of (seed, epoch, index). A global batch is {@code batch} samples
 * that follow on each other, and runs on into the next epoch; worker {@code rank} of {@code
 * workers} gets its share of each. So 1, 2, 4 or 8 workers read the same global order, and a state
 * of one number of workers is resumed by another.
 *
 * <p>A recording that is withdrawn is skipped in every epoch from the loader's opening on. A run
 * that is resumed across a withdrawal goes on from the same place without it, and {@link
 * #acrossTombstones} says so.
 */
public final class Loader implements AutoCloseable {
  private static final int THREADS_MAX = 256;
  private static final int AHEAD_MAX = 1 << 16;
  private static final int CLOSE_SECONDS = 60;

  private final Dataset dataset;
  private final ClipPlan plan;
  private final long seed;
  private final Options options;
  private final List<Tombstone> acrossTombstones;
  private final ExecutorService threads;
  private final ArrayDeque<Batch> ahead = new ArrayDeque<>();
  private final int aheadBatches;

  /** Where the next batch to be read begins. */
  private long epoch;

  private LiveOrder order;
  private long index;

  /** Where the next batch to be given begins. */
  private LoaderState state;

  private long waitedNanos;
  private long clipsGiven;
  private boolean closed;

  /**
   * How a loader reads.
   *
   * @param batch samples of a global batch, a multiple of {@code workers}
   * @param workers processes that share the order
   * @param rank which of them this is, from 0
   * @param threads that read
   * @param ahead clips that are read before they are asked for, at most; memory is {@code ahead} +
   *     one batch of clips
   */
  public record Options(int batch, int workers, int rank, int threads, int ahead) {
    public Options {
      if (workers < 1 || rank < 0 || rank >= workers || batch < workers || batch % workers != 0) {
        throw new ShardException(
            "worker %d of %d cannot share batches of %d; the batch is a multiple of the workers"
                .formatted(rank, workers, batch));
      }
      if (threads < 1 || threads > THREADS_MAX || ahead < 1 || ahead > AHEAD_MAX) {
        throw new ShardException(
            "a loader has 1 to %d threads and reads 1 to %d clips ahead, was given %d and %d"
                .formatted(THREADS_MAX, AHEAD_MAX, threads, ahead));
      }
    }

    /** One worker with one thread that stays two batches ahead. */
    public static Options of(int batch) {
      return new Options(batch, 1, 0, 1, 2 * batch);
    }
  }

  private record Batch(List<Future<Clip>> clips, LoaderState after) {}

  private Loader(Dataset dataset, ClipPlan plan, Options options, LoaderState from) {
    this.dataset = dataset;
    this.plan = plan;
    this.options = options;
    this.seed = from.seed();
    this.acrossTombstones =
        dataset.tombstones().subList(from.tombstones(), dataset.tombstones().size());
    this.state =
        new LoaderState(
            seed,
            from.epoch(),
            from.place(),
            from.samples(),
            from.clipFrames(),
            dataset.tombstones().size(),
            from.root());
    this.epoch = from.epoch();
    this.order = orderOf(epoch);
    this.index = order.index(from.place());
    this.aheadBatches = Math.max(1, options.ahead() / (options.batch() / options.workers()));
    this.threads =
        Executors.newFixedThreadPool(
            options.threads(), Thread.ofPlatform().daemon().name("loader-", 0).factory());
    if (order.size() < 1) {
      threads.shutdownNow();
      throw new ShardException(
          "every recording of dataset %s is withdrawn; nothing is left to learn from"
              .formatted(dataset.manifest().id()));
    }
  }

  /**
   * Starts at the first sample of epoch 0.
   *
   * @param dataset stays open for as long as the loader, and belongs to the caller
   */
  public static Loader start(Dataset dataset, ClipPlan plan, long seed, Options options) {
    return new Loader(
        dataset,
        plan,
        options,
        new LoaderState(
            seed,
            0,
            0,
            plan.samples(),
            plan.clipFrames(),
            dataset.tombstones().size(),
            dataset.manifest().root()));
  }

  /**
   * Goes on where a state was taken: no sample is read for that, whatever the place.
   *
   * @throws ShardException when the state is of another dataset or plan, or knows withdrawals that
   *     the dataset has lost
   */
  public static Loader resume(Dataset dataset, ClipPlan plan, LoaderState state, Options options) {
    if (!state.root().equals(dataset.manifest().root())
        || state.samples() != plan.samples()
        || state.clipFrames() != plan.clipFrames()) {
      throw new ShardException(
          "the loader's state is of another dataset or clip length than %s; resume with those"
              .formatted(dataset.manifest().id()));
    }
    if (state.tombstones() > dataset.tombstones().size()) {
      throw new ShardException(
          "dataset %s has lost withdrawals: the run knew %d, the folder has %d; restore %s"
              .formatted(
                  dataset.manifest().id(),
                  state.tombstones(),
                  dataset.tombstones().size(),
                  Tombstones.FILE));
    }
    return new Loader(dataset, plan, options, state);
  }

  private LiveOrder orderOf(long epoch) {
    return new LiveOrder(
        new SampleOrder(seed, epoch, plan.samples()), plan.samplesOf(dataset::withdrawn));
  }

  /**
   * The withdrawals that came since the state was taken. When there are any, the run cannot have
   * the bits of one that was never stopped.
   */
  public List<Tombstone> acrossTombstones() {
    return acrossTombstones;
  }

  /** {@link #acrossTombstones} as a sentence for the log; empty when there are none. */
  public String acrossTombstonesInWords() {
    return acrossTombstones.isEmpty()
        ? ""
        : "resumed across the withdrawal of %s: the run goes on without, and is no longer the run it was"
            .formatted(
                acrossTombstones.stream().map(Tombstone::isrc).collect(Collectors.joining(", ")));
  }

  /** This worker's share of the next global batch, in the order of the samples. */
  public List<Clip> next() {
    if (closed) {
      throw new ShardException("the loader is closed");
    }
    while (ahead.size() <= aheadBatches) {
      ahead.add(submit());
    }
    Batch batch = ahead.remove();
    var clips = new ArrayList<Clip>(batch.clips().size());
    for (Future<Clip> clip : batch.clips()) {
      clips.add(await(clip));
    }
    state = batch.after();
    clipsGiven += clips.size();
    return clips;
  }

  private Batch submit() {
    int share = options.batch() / options.workers();
    int first = options.rank() * share;
    var clips = new ArrayList<Future<Clip>>(share);
    for (int i = 0; i < options.batch(); i++) {
      if (index == order.size()) {
        epoch++;
        order = orderOf(epoch);
        index = 0;
      }
      if (i >= first && i < first + share) {
        long ofEpoch = epoch;
        LiveOrder from = order;
        long at = index;
        clips.add(threads.submit(() -> read(ofEpoch, from.at(at))));
      }
      index++;
    }
    long place = index == order.size() ? plan.samples() : order.place(index);
    return new Batch(
        clips,
        new LoaderState(
            seed,
            epoch,
            place,
            state.samples(),
            state.clipFrames(),
            state.tombstones(),
            state.root()));
  }

  private Clip read(long ofEpoch, long sample) {
    int recording = plan.recording(sample);
    int from = plan.from(seed, ofEpoch, sample);
    return new Clip(
        seed, ofEpoch, sample, recording, from, dataset.read(recording, from, plan.length(sample)));
  }

  private Clip await(Future<Clip> clip) {
    boolean ready = clip.isDone();
    long begin = ready ? 0 : System.nanoTime();
    try {
      return clip.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ShardException("the loader was interrupted; its last state holds", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ShardException failure) {
        throw failure;
      }
      throw new ShardException("a clip cannot be read: " + e.getCause(), e);
    } finally {
      if (!ready) {
        waitedNanos += System.nanoTime() - begin;
      }
    }
  }

  /** Where the next batch begins, for all workers: what a checkpoint keeps. */
  public LoaderState state() {
    return state;
  }

  /** Nanoseconds that {@link #next} has waited for clips that were not there yet. */
  public long waitedNanos() {
    return waitedNanos;
  }

  /** Clips that this worker was given. */
  public long clipsGiven() {
    return clipsGiven;
  }

  /** Waits for the reads that are under way and ends the threads; the dataset may close then. */
  @Override
  public void close() {
    closed = true;
    threads.shutdownNow();
    ahead.clear();
    boolean interrupted = false;
    try {
      if (!threads.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        throw new ShardException(
            "the loader's threads still read after %d s; check the disk".formatted(CLOSE_SECONDS));
      }
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
