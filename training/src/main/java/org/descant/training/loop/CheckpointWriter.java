package org.descant.training.loop;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.descant.lab.RunEvent;
import org.descant.tensor.Device;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
import org.jspecify.annotations.Nullable;

/**
 * Writes checkpoints while the loop goes on: {@link #submit} copies all tensors to the host's
 * memory and returns; one thread writes, hashes and renames the copy. At most one is in flight; the
 * next waits for it. The copies keep their memory, as much as one checkpoint.
 *
 * <p>Two events tell of each: {@code checkpoint.open} right before its first file is opened, {@code
 * checkpoint.renamed} once it is there for good. Belongs to the training thread.
 */
public final class CheckpointWriter implements AutoCloseable {
  private final Checkpoints checkpoints;
  private final Consumer<RunEvent> events;
  private final Map<String, Tensor> model = new LinkedHashMap<>();
  private final Map<String, Tensor> state = new LinkedHashMap<>();
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("descant-checkpoint").factory());
  private @Nullable Future<?> inFlight;

  /** Starts no thread before the first checkpoint. */
  public CheckpointWriter(Checkpoints checkpoints, Consumer<RunEvent> events) {
    this.checkpoints = checkpoints;
    this.events = events;
  }

  /**
   * Copies a checkpoint and has it written.
   *
   * @throws TrainingException when the one before could not be written
   */
  public void submit(Checkpoints.Content content) {
    long begin = System.nanoTime();
    await();
    copy(content.model(), model);
    copy(content.state(), state);
    double pauseSeconds = (System.nanoTime() - begin) / 1e9;
    var copied =
        new Checkpoints.Content(
            content.step(),
            content.stage(),
            model,
            content.metadata(),
            state,
            new TreeMap<>(content.numbers()),
            content.card());
    inFlight = thread.submit(() -> write(copied, pauseSeconds));
  }

  private static void copy(Map<String, Tensor> from, Map<String, Tensor> to) {
    to.entrySet()
        .removeIf(entry -> {
          boolean gone = !from.containsKey(entry.getKey());
          if (gone) {
            entry.getValue().close();
          }
          return gone;
        });
    try (NoGrad noGrad = NoGrad.open()) {
      from.forEach((name, tensor) -> {
        try (Scope scope = Scope.open()) {
          Tensor kept = to.get(name);
          if (kept == null) {
            to.put(name, tensor.detach().copy().to(Device.CPU).contiguous().retain());
          } else {
            kept.copyFrom(tensor.detach());
          }
        }
      });
    }
  }

  private void write(Checkpoints.Content content, double pauseSeconds) {
    long begin = System.nanoTime();
    checkpoints.write(
        content,
        aside ->
            events.accept(
                new RunEvent(
                    "checkpoint.open",
                    content.stage(),
                    content.step(),
                    Map.of("folder", name(aside)))));
    var facts = new LinkedHashMap<String, Object>();
    facts.put("pauseSeconds", pauseSeconds);
    facts.put("writeSeconds", (System.nanoTime() - begin) / 1e9);
    events.accept(new RunEvent("checkpoint.renamed", content.stage(), content.step(), facts));
  }

  private static String name(Path path) {
    return String.valueOf(path.getFileName());
  }

  /** Fails if the one in flight has failed already; does not wait. */
  void check() {
    if (inFlight != null && inFlight.isDone()) {
      await();
    }
  }

  /**
   * Waits until nothing is in flight.
   *
   * @throws TrainingException when it could not be written
   */
  public void await() {
    Future<?> waited = inFlight;
    inFlight = null;
    if (waited == null) {
      return;
    }
    try {
      waited.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TrainingException("interrupted while a checkpoint was written", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TrainingException known) {
        throw known;
      }
      throw new TrainingException("cannot write a checkpoint: " + e.getCause(), e.getCause());
    }
  }

  /** Waits for the one in flight, whatever becomes of it, and frees the copies. */
  @Override
  public void close() {
    thread.close();
    model.values().forEach(Tensor::close);
    state.values().forEach(Tensor::close);
  }
}
