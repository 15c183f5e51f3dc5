package org.descant.attribution;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.descant.models.HouseModel;
import org.descant.models.lm.TokenLm;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;

/**
 * Says which recordings shaped a clip of one model. A clip of ten seconds takes a forward and a
 * backward pass of its language model.
 *
 * <p>Thread-safe: all work runs on one thread of its own, so callers may be virtual threads.
 */
public final class Attributor implements AutoCloseable {
  private final ExecutorService worker;
  private final TokenLm model;
  private final LossGradients gradients;
  private final AttributionIndex index;

  private Attributor(ExecutorService worker, TokenLm model, AttributionIndex index) {
    this.worker = worker;
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
    try (HouseModel model = HouseModel.load(modelFolder)) {
      if (!index.modelId().equals(model.id())
          || !index.recordings().equals(AttributionIndex.trainedOn(model.card()))) {
        throw new AttributionException(
            "%s belongs to other weights than the model in %s: build it again with `descant evaluate`"
                .formatted(AttributionIndex.FILE, modelFolder));
      }
      TokenLm trainable = LossGradients.trainable(model.languageModel());
      if (index.inverseRoots().length != LossGradients.blocks(trainable)) {
        trainable.close();
        throw new AttributionException(
            "%s in %s is damaged: build it again with `descant evaluate`"
                .formatted(AttributionIndex.FILE, modelFolder));
      }
      return new Attributor(worker, trainable, index);
    }
  }

  /** Recordings that weights are given for, sorted by ISRC. */
  public List<Isrc> recordings() {
    return index.recordings();
  }

  /**
   * Weights of all recordings that the model was trained on, sorted by ISRC; not negative, with the
   * sum 1. The same codes give the same weights.
   *
   * @param codes {@code [codebook][frame]} as the model drew them
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
          return true;
        });
    worker.shutdown();
  }
}
