package org.descant.attribution;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.descant.audio.analysis.Fingerprint;
import org.descant.models.HouseModel;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.jspecify.annotations.Nullable;

/**
 * Says which recordings shaped a clip of one model. A clip of ten seconds takes a forward and a
 * backward pass of its language model or flow model.
 *
 * <p>Thread-safe: all work runs on one thread of its own, so callers may be virtual threads.
 */
public final class Attributor implements AutoCloseable {
  private final ExecutorService worker;
  private final @Nullable HouseModel flow; // whose codec is asked too
  private final Questioned model;
  private final LossGradients gradients;
  private final AttributionIndex index;

  private Attributor(
      ExecutorService worker, @Nullable HouseModel flow, Questioned model, AttributionIndex index) {
    this.worker = worker;
    this.flow = flow;
    this.model = model;
    this.gradients = new LossGradients(model, index.influence().sketchSize(), index.inverseRoots());
    this.index = index;
  }

  /**
   * Opens a model's folder and the index in it.
   *
   * @throws AttributionException when the index is missing, damaged, or of other weights
   * @throws org.descant.models.ModelException when the model cannot be loaded
   */
  public static Attributor open(Path modelFolder) {
    ExecutorService worker =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("attribution").factory());
    try {
      return on(worker, () -> load(worker, modelFolder));
    } catch (RuntimeException e) {
      worker.shutdown();
      throw e;
    }
  }

  private static Attributor load(ExecutorService worker, Path modelFolder) {
    AttributionIndex index = AttributionIndex.read(modelFolder);
    HouseModel model = HouseModel.load(modelFolder);
    try {
      return load(worker, modelFolder, model, index);
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  private static Attributor load(
      ExecutorService worker, Path modelFolder, HouseModel model, AttributionIndex index) {
    if (!index.modelId().equals(model.id())
        || !index.recordings().equals(AttributionIndex.trainedOn(model.card()))) {
      throw new AttributionException(
          "%s belongs to other weights than the model in %s: build it again with `%s`"
              .formatted(
                  AttributionIndex.FILE, modelFolder, AttributionIndex.command(modelFolder)));
    }
    Questioned trainable = Questioned.of(model);
    if (index.inverseRoots().length != LossGradients.blocks(trainable)) {
      trainable.close();
      throw new AttributionException(
          "%s in %s is damaged: build it again with `%s`"
              .formatted(
                  AttributionIndex.FILE, modelFolder, AttributionIndex.command(modelFolder)));
    }
    if (model.isFlow()) {
      return new Attributor(worker, model, trainable, index);
    }
    model.close();
    return new Attributor(worker, null, trainable, index);
  }

  /** Recordings that weights are given for, sorted by ISRC. */
  public List<Isrc> recordings() {
    return index.recordings();
  }

  /**
   * What a training recording sounds like once the model's codec has coded and decoded it: what a
   * model would make that recites it, which {@link org.descant.audio.analysis.CopiedSpan} often
   * does not find by the recording itself.
   *
   * @throws AttributionException when the model did not learn from it
   */
  public Fingerprint throughCodec(Isrc recording) {
    return index.throughCodec(recording);
  }

  /**
   * Weights of all recordings that the model was trained on, sorted by ISRC; not negative, with the
   * sum 1. The same codes give the same weights.
   *
   * @param codes {@code [codebook][frame]} as the model drew them, or of the latents it made
   * @throws AttributionException when the codes are not the model's
   */
  public List<RecordingWeight> attribute(int[][] codes) {
    double[] weights =
        on(worker, () -> Influence.weights(index.influence().scores(gradients.of(codes))));
    List<RecordingWeight> named = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      named.add(new RecordingWeight(index.recordings().get(i), weights[i]));
    }
    return List.copyOf(named);
  }

  private static <T> T on(ExecutorService worker, Callable<T> task) {
    try {
      return worker.submit(task).get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new AttributionException("Attribution failed: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AttributionException("Attribution was interrupted; ask again", e);
    }
  }

  @Override
  public void close() {
    if (worker.isShutdown()) {
      return;
    }
    on(
        worker,
        () -> {
          model.close();
          if (flow != null) {
            flow.close();
          }
          return true;
        });
    worker.shutdown();
  }
}
