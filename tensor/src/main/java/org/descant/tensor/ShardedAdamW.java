package org.descant.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * {@link AdamW} whose state is spread over the ranks of a group (ZeRO stage 1: Rajbhandari et al.,
 * "ZeRO: memory optimizations toward training trillion parameter models", 2020). Each rank holds
 * the moments of one slice of the flat buffer, moves that slice, and sends it to the others.
 *
 * <p>All ranks must hold the same, averaged gradients; then the parameters have the bits that
 * {@link AdamW} gives with one thread an operation, because the kernel works element by element.
 * Memory: 8 bytes a parameter become 8 / n. Traffic: once more the parameters, beside the
 * gradients' all-reduce.
 *
 * <p>A checkpoint holds whole moments under the names that {@link AdamW} uses, so a run can go on
 * with another number of ranks, or with one. {@link #saveTo} and {@link #step} are collective: all
 * ranks call them in the same order.
 */
public final class ShardedAdamW implements Optimizer {
  /** Slices begin on whole cache lines and whole vectors, as the kernel's blocks do. */
  private static final long ALIGNMENT = 64;

  private final ParameterStore store;
  private final AdamW.Options options;
  private final ProcessGroup group;
  private final long slice;
  private final Tensor firstMoment;
  private final Tensor secondMoment;
  private final Tensor steps;

  /** What {@link #saveTo} handed out, freed at the next call. */
  private final List<Tensor> gathered = new ArrayList<>();

  public ShardedAdamW(ParameterStore store, AdamW.Options options, ProcessGroup group) {
    this.store = store;
    this.options = options;
    this.group = group;
    long elements = store.values().count();
    this.slice = Math.ceilDiv(elements, group.size() * ALIGNMENT) * ALIGNMENT;
    try (Scope scope = Scope.open()) {
      long own = to(group.rank()) - from(group.rank());
      firstMoment = Tensor.zeros(own).retain();
      secondMoment = Tensor.zeros(own).retain();
      steps = Tensor.zeros(1).retain();
    }
  }

  private long from(int rank) {
    return Math.min(store.values().count(), rank * slice);
  }

  private long to(int rank) {
    return from(rank + 1);
  }

  /**
   * Moves every parameter by its gradient. Does not clear the gradients.
   *
   * @throws PeerLostException when the slices cannot be exchanged: then the parameters are lost too
   */
  @Override
  public void step(double learningRate) {
    Optimizer.requireRate(learningRate);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        Profiler.Range range = Profiler.range("optimizer")) {
      steps.addInPlace(1.0);
      for (ParameterStore.Run run : store.runs(parameter -> true)) {
        move(
            run.from(),
            run.from() + run.length(),
            learningRate,
            run.decayed() ? options.weightDecay() : 0);
      }
      exchange(store.values());
    }
  }

  /** Moves what lies both in a range of the buffer and in this rank's slice. */
  private void move(long begin, long end, double learningRate, double weightDecay) {
    long slice = from(group.rank());
    long from = Math.max(begin, slice);
    long length = Math.min(end, to(group.rank())) - from;
    if (length <= 0) {
      return;
    }
    Ops.fusedAdamW(
        store.values().narrow(0, from, length),
        store.gradients().narrow(0, from, length),
        firstMoment.narrow(0, from - slice, length),
        secondMoment.narrow(0, from - slice, length),
        steps.select(0, 0),
        learningRate,
        options.beta1(),
        options.beta2(),
        weightDecay,
        options.epsilon());
  }

  /** Every rank sends its slice of a flat tensor to all others. */
  private void exchange(Tensor flat) {
    var works = new ArrayList<ProcessGroup.Work>();
    for (int rank = 0; rank < group.size(); rank++) {
      if (to(rank) > from(rank)) {
        works.add(group.broadcast(flat.narrow(0, from(rank), to(rank) - from(rank)), rank));
      }
    }
    works.forEach(ProcessGroup.Work::await);
  }

  /** How many steps were taken. */
  public long steps() {
    return steps.itemLong();
  }

  /** Bytes of this rank's state. */
  @Override
  public long stateBytes() {
    return (2 * firstMoment.count() + 1) * Float.BYTES;
  }

  /**
   * Adds the whole state, gathered from all ranks, to a checkpoint. The tensors live until the next
   * call or {@link #close}.
   */
  @Override
  public void saveTo(String prefix, Map<String, Tensor> checkpoint) {
    forget();
    checkpoint.put(prefix + "first_moment", whole(firstMoment));
    checkpoint.put(prefix + "second_moment", whole(secondMoment));
    checkpoint.put(prefix + "steps", steps);
  }

  private Tensor whole(Tensor own) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor whole = store.values().zerosLike();
      if (own.count() > 0) {
        whole.narrow(0, from(group.rank()), own.count()).copyFrom(own);
      }
      exchange(whole);
      Tensor kept = whole.retain();
      gathered.add(kept);
      return kept;
    }
  }

  private void forget() {
    gathered.forEach(Tensor::close);
    gathered.clear();
  }

  /** Continues exactly where the checkpoint was taken, by this class or by {@link AdamW}. */
  @Override
  public void restoreFrom(String prefix, Safetensors checkpoint) {
    take(prefix + "first_moment", checkpoint, firstMoment);
    take(prefix + "second_moment", checkpoint, secondMoment);
    checkpoint.copyInto(prefix + "steps", steps);
  }

  private void take(String name, Safetensors checkpoint, Tensor own) {
    checkpoint.requireShape(name, store.values().shape());
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (own.count() > 0) {
        own.copyFrom(checkpoint.tensor(name).narrow(0, from(group.rank()), own.count()));
      }
    }
  }

  @Override
  public void close() {
    forget();
    firstMoment.close();
    secondMoment.close();
    steps.close();
  }
}
