package org.descant.shards;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;

/**
 * Reads shuffled clips of a dataset ahead of whoever trains on them. Threads read from the mapped
 * shards, and do with each clip what its owner wants done, into a bounded queue; batches come out
 * in the order of the plan, whatever thread was faster. One consumer.
 *
 * <p>A global batch is {@code batch} clips that follow on each other, and runs on into the next
 * epoch; worker {@code rank} of {@code workers} gets its share of each. So 1, 2, 4 or 8 workers
 * read the same global order, and what one number of workers began is resumed by another.
 *
 * <p>What must be kept to go on is one number: the position of the next batch. Whatever it is, no
 * sample before it is read or counted again. A recording that is withdrawn is skipped from where
 * the plan says so.
 *
 * @param <T> what a clip is made into
 */
public final class Loader<T> implements AutoCloseable {
  private static final int THREADS_MAX = 256;
  private static final int AHEAD_MAX = 1 << 16;
  private static final int CLOSE_SECONDS = 60;

  private final Dataset dataset;
  private final ClipPlan plan;
  private final IntUnaryOperator recordings;
  private final Options options;
  private final Function<Clip, T> then;
  private final ExecutorService threads;
  private final ArrayDeque<List<Future<T>>> ahead = new ArrayDeque<>();
  private final int aheadBatches;

  /** Of the next batch to be read, and of the next to be given. */
  private long reading;

  private long giving;
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

  private Loader(
      Dataset dataset,
      ClipPlan plan,
      IntUnaryOperator recordings,
      long position,
      Options options,
      Function<Clip, T> then) {
    this.dataset = dataset;
    this.plan = plan;
    this.recordings = recordings;
    this.options = options;
    this.then = then;
    this.reading = position;
    this.giving = position;
    this.aheadBatches = Math.max(1, options.ahead() / (options.batch() / options.workers()));
    this.threads =
        Executors.newFixedThreadPool(
            options.threads(), Thread.ofPlatform().daemon().name("loader-", 0).factory());
  }

  /**
   * Starts at the plan's first clip.
   *
   * @param dataset stays open for as long as the loader, and belongs to the caller
   * @param plan of the dataset's recordings
   */
  public static Loader<Clip> start(Dataset dataset, ClipPlan plan, Options options) {
    return start(dataset, plan, i -> i, 0, options, Function.identity());
  }

  /**
   * Starts at any position of a plan.
   *
   * @param plan of some of the dataset's recordings
   * @param recordings the dataset's number of each of the plan's recordings
   * @param position of the first batch's first clip
   * @param then done with each clip by the reading threads; a function of the clip alone, safe in
   *     any thread
   */
  public static <T> Loader<T> start(
      Dataset dataset,
      ClipPlan plan,
      IntUnaryOperator recordings,
      long position,
      Options options,
      Function<Clip, T> then) {
    return new Loader<>(dataset, plan, recordings, position, options, then);
  }

  /** This worker's share of the next global batch, in the order of the plan. */
  public List<T> next() {
    if (closed) {
      throw new ShardException("the loader is closed");
    }
    while (ahead.size() <= aheadBatches) {
      ahead.add(submit());
    }
    List<Future<T>> batch = ahead.remove();
    var clips = new ArrayList<T>(batch.size());
    for (Future<T> clip : batch) {
      clips.add(await(clip));
    }
    giving += options.batch();
    return clips;
  }

  private List<Future<T>> submit() {
    int share = options.batch() / options.workers();
    long first = reading + (long) options.rank() * share;
    var clips = new ArrayList<Future<T>>(share);
    for (long position = first; position < first + share; position++) {
      long at = position;
      clips.add(threads.submit(() -> then.apply(read(at))));
    }
    reading += options.batch();
    return clips;
  }

  private Clip read(long position) {
    ClipPlan.Excerpt excerpt = plan.at(position);
    int recording = recordings.applyAsInt(excerpt.recording());
    return new Clip(excerpt, dataset.read(recording, excerpt.from(), excerpt.frames()));
  }

  private T await(Future<T> clip) {
    try {
      return clip.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ShardException("the loader was interrupted; go on from its last position", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new ShardException("a clip cannot be read: " + e.getCause(), e);
    }
  }

  /** Position of the next batch's first clip, for all workers: all that must be kept to go on. */
  public long position() {
    return giving;
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
