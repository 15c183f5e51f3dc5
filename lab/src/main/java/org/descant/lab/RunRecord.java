package org.descant.lab;

import java.time.Instant;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a run was: enough to start it again and to expect the same bits.
 *
 * @param version of this format, {@value #VERSION}
 * @param id recipe name and the start of the recipe's hash
 * @param recipe the recipe's name
 * @param recipeHash SHA-256 of the effective recipe's canonical JSON, hex
 * @param effectiveRecipe every key of the recipe with the value that was in force
 * @param dataset the dataset's name
 * @param datasetRoot the root that identifies the dataset's content
 * @param seed of all random draws
 * @param codeTree hash of the code that ran
 * @param libraries name to version of what the bits depend on
 * @param processor the kind of CPU, as the system names it
 * @param threads that libtorch used
 * @param status where the run stands
 * @param startedAt the first start
 * @param finishedAt the end, when there was one
 * @param step last step that is safe in a checkpoint
 * @param steps all steps of the run
 * @param facts figures of the run (losses, distances, seconds a stage), by name; JSON values
 */
public record RunRecord(
    int version,
    String id,
    String recipe,
    String recipeHash,
    Map<String, Object> effectiveRecipe,
    String dataset,
    String datasetRoot,
    long seed,
    String codeTree,
    Map<String, String> libraries,
    String processor,
    int threads,
    RunStatus status,
    Instant startedAt,
    @Nullable Instant finishedAt,
    long step,
    long steps,
    Map<String, Object> facts) {

  public static final int VERSION = 1;

  public RunRecord {
    if (version != VERSION) {
      throw new LabException(
          "run record has version " + version + "; this build reads version " + VERSION);
    }
    effectiveRecipe = sorted(effectiveRecipe);
    libraries = sorted(libraries);
    facts = sorted(facts);
  }

  private static <V> Map<String, V> sorted(Map<String, V> map) {
    return Collections.unmodifiableMap(new TreeMap<>(map));
  }

  /** The same run in another state, with facts added or replaced. */
  public RunRecord with(
      RunStatus status, @Nullable Instant finishedAt, long step, Map<String, ?> moreFacts) {
    var facts = new TreeMap<String, Object>(this.facts);
    facts.putAll(moreFacts);
    return new RunRecord(
        version,
        id,
        recipe,
        recipeHash,
        effectiveRecipe,
        dataset,
        datasetRoot,
        seed,
        codeTree,
        libraries,
        processor,
        threads,
        status,
        startedAt,
        finishedAt,
        step,
        steps,
        facts);
  }
}
