package org.descant.training.parallel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import org.descant.tensor.GradientHooks;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ProcessGroup;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Averages the flat gradients of one store over all ranks, in buckets that start on their way while
 * the backward pass still computes the others (Li et al., "PyTorch Distributed: experiences on
 * accelerating data parallel training", 2020).
 *
 * <p>A bucket is a stretch of the flat buffer, so nothing is copied. Buckets leave in the order in
 * which rank 0's first backward pass completed them, which every rank keeps to, because all ranks
 * must start the same operations in the same order; a bucket that is complete earlier waits for its
 * turn, and those that a pass leaves untouched leave at its end.
 *
 * <p>What goes wrong inside a backward pass, which is native code, is thrown by {@link #finish}.
 *
 * <p>Belongs to the training thread.
 */
final class GradientSync implements AutoCloseable {
  private static final class Bucket {
    private final int number;
    private final Tensor gradients;
    private final int parameters;
    private int missing;
    private int completedAs;

    Bucket(int number, Tensor gradients, int parameters) {
      this.number = number;
      this.gradients = gradients;
      this.parameters = parameters;
    }
  }

  private final ProcessGroup group;
  private final ParameterStore store;
  private final Consumer<String> purpose;
  private final GradientHooks hooks;
  private final List<Bucket> buckets = new ArrayList<>();
  private final int[] bucketOf;
  private final boolean[] heard;
  private final List<ProcessGroup.Work> works = new ArrayList<>();

  /** The order in which buckets leave; empty until the first pass has shown one. */
  private int[] order = {};

  private boolean armed;
  private int inPlace = -1;
  private int completed;
  private int launched;
  private int overlapped;
  private @Nullable RuntimeException failure;

  /**
   * @param bucketBytes least size of a bucket
   * @param purpose is told what the next operation is for
   */
  GradientSync(
      ProcessGroup group, ParameterStore store, long bucketBytes, Consumer<String> purpose) {
    this.group = group;
    this.store = store;
    this.purpose = purpose;
    this.hooks = new GradientHooks(store, this::hear);
    this.bucketOf = new int[hooks.count()];
    this.heard = new boolean[hooks.count()];
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      int first = 0;
      for (int place = 0; place < hooks.count(); place++) {
        bucketOf[place] = buckets.size();
        long from = hooks.from(first);
        long length = hooks.to(place) - from;
        if (length * Float.BYTES >= bucketBytes || place == hooks.count() - 1) {
          Tensor gradients = store.gradients().narrow(0, from, length).retain();
          buckets.add(new Bucket(buckets.size(), gradients, place - first + 1));
          first = place + 1;
        }
      }
    }
    begin();
  }

  private void begin() {
    armed = false;
    inPlace = -1;
    completed = 0;
    launched = 0;
    Arrays.fill(heard, false);
    for (Bucket bucket : buckets) {
      bucket.missing = bucket.parameters;
      bucket.completedAs = Integer.MAX_VALUE;
    }
  }

  /** The next backward pass is the last before {@link #finish}. */
  void arm() {
    armed = true;
  }

  /** A parameter's gradient comes next: the one heard before is in place. */
  private void hear(int place) {
    if (!armed || failure != null) {
      return;
    }
    try {
      next(place);
    } catch (RuntimeException e) {
      failure = e; // thrown in here, it would come back as some native error
    }
  }

  private void next(int place) {
    settle();
    Bucket bucket = buckets.get(bucketOf[place]);
    if (heard[place]) {
      if (bucket.missing == 0) {
        throw new ParallelException(
            "a gradient was added to after it was sent to the other workers; arm only the step's"
                + " last backward pass, and only one that reaches each parameter once");
      }
      return;
    }
    heard[place] = true;
    inPlace = place;
  }

  private void settle() {
    if (inPlace < 0) {
      return;
    }
    Bucket bucket = buckets.get(bucketOf[inPlace]);
    inPlace = -1;
    bucket.missing--;
    if (bucket.missing == 0) {
      bucket.completedAs = completed++;
    }
    while (launched < order.length && buckets.get(order[launched]).missing == 0) {
      launch(order[launched]);
    }
  }

  private void launch(int number) {
    purpose.accept("gradients, bucket %d of %d".formatted(number + 1, buckets.size()));
    works.add(group.allReduce(buckets.get(number).gradients));
    launched++;
  }

  /**
   * Sends what has not left yet, waits for all, and divides by the number of ranks.
   *
   * @throws ParallelException when the armed pass reached a parameter again after it was sent
   */
  void finish() {
    if (failure != null) {
      throw failure;
    }
    overlapped = launched;
    settle();
    if (order.length == 0) {
      order = agreedOrder();
    }
    while (launched < order.length) {
      launch(order[launched]);
    }
    works.forEach(ProcessGroup.Work::await);
    works.clear();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      store.gradients().mulInPlace(1.0 / group.size());
    }
    begin();
  }

  private int[] agreedOrder() {
    long[] mine =
        buckets.stream()
            .sorted(Comparator.comparingInt(bucket -> bucket.completedAs))
            .mapToLong(bucket -> bucket.number)
            .toArray();
    try (Scope scope = Scope.open()) {
      Tensor agreed = Tensor.of(mine);
      purpose.accept("order of the buckets");
      group.broadcast(agreed, 0).await();
      return agreed.toInts();
    }
  }

  /** How many buckets the flat buffer is cut into. */
  int buckets() {
    return buckets.size();
  }

  /** How many buckets left before the last backward pass had ended. */
  int overlapped() {
    return overlapped;
  }

  @Override
  public void close() {
    hooks.close();
    buckets.forEach(bucket -> bucket.gradients.close());
    buckets.clear();
  }
}
