package org.descant.training;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.audio.Pcm;
import org.descant.models.HouseModel;
import org.descant.shards.Dataset;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Tensor;

/**
 * What a run's bits depend on beside its recipe and its dataset, as a record says it. Stateless.
 */
public final class Basis {
  private Basis() {}

  /** The hash of all code that a run's bits depend on. */
  public static String codeTree() {
    return CodeTree.of(
        List.of(Tensor.class, HouseModel.class, Dataset.class, Pcm.class, Basis.class));
  }

  /** The versions of what they depend on beside our own code. */
  public static Map<String, String> libraries(NativeRuntime.Description runtime) {
    return Map.of("libtorch", runtime.libtorch(), "java", Runtime.version().toString());
  }

  /** This machine's kind of processor. */
  public static String processor(NativeRuntime.Description runtime) {
    return runtime.cpu() + ", " + runtime.vectorInstructions();
  }

  /** All of it, and the threads: what else coded sound depends on beside codec and sound. */
  public static String text() {
    NativeRuntime.Description runtime = NativeRuntime.describe();
    return "code %s\nlibraries %s\nprocessor %s\nthreads %d"
        .formatted(
            codeTree(), new TreeMap<>(libraries(runtime)), processor(runtime), runtime.threads());
  }
}
