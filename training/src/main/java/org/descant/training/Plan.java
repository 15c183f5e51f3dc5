package org.descant.training;

import java.util.List;
import java.util.SortedMap;

/**
 * What a run would cost and whether it can work, before anything expensive starts; see {@link
 * Planning}. Seconds are those of this machine as it is now.
 *
 * @param recipe every key with the value that would be in force, {@code auto} resolved
 * @param recipeHash of it
 * @param runId the name that the run has by default
 * @param dataset its id
 * @param datasetRoot its root
 * @param trainedRecordings recordings to learn from
 * @param heldOutRecordings recordings to measure on
 * @param audioSeconds of the whole dataset
 * @param matmulPeakFlops operations a second of the fastest matrix product measured just now
 * @param stages in order: codec and language model
 * @param tokens what coding the dataset takes, between the two
 * @param measuringSeconds of the language model's measurements on held-out recordings
 * @param seconds of the whole run, if no stage ends early
 * @param memory what it needs and what there is
 * @param disk what it needs and what there is
 * @param problems why it cannot work, each a sentence; empty when it can
 */
public record Plan(
    SortedMap<String, Object> recipe,
    String recipeHash,
    String runId,
    String dataset,
    String datasetRoot,
    int trainedRecordings,
    int heldOutRecordings,
    double audioSeconds,
    double matmulPeakFlops,
    List<Stage> stages,
    Coding tokens,
    double measuringSeconds,
    double seconds,
    Memory memory,
    Disk disk,
    List<String> problems) {

  public Plan {
    stages = List.copyOf(stages);
    problems = List.copyOf(problems);
  }

  /**
   * A stage that learns.
   *
   * @param name {@code codec} or {@code lm}
   * @param steps of it
   * @param parameters that training changes
   * @param modelBytes parameters, gradients and codebooks
   * @param optimizerBytes moments and average
   * @param checkpointBytes one checkpoint on disk
   * @param firstLoss of the very first step
   * @param flopsPerStep nominal operations of the products, forward and backward
   * @param secondsPerStep of the one step taken
   * @param dataSecondsPerStep to make a batch, beside the step before
   * @param mfu share of the matrix product's peak
   * @param audioSecondsPerSecond sound that would go through in a second
   * @param tokensPerSecond codes that would; 0 for the codec
   * @param excerpts in an epoch
   * @param order fingerprint of which excerpts the first steps take, the run's record has the same
   * @param seconds of the stage
   */
  public record Stage(
      String name,
      long steps,
      long parameters,
      long modelBytes,
      long optimizerBytes,
      long checkpointBytes,
      double firstLoss,
      double flopsPerStep,
      double secondsPerStep,
      double dataSecondsPerStep,
      double mfu,
      double audioSecondsPerSecond,
      double tokensPerSecond,
      long excerpts,
      String order,
      double seconds) {}

  /**
   * Coding the dataset's copies; zeros for a run that ends with its codec.
   *
   * @param audioSeconds of all copies
   * @param audioSecondsPerSecond as measured on one excerpt
   * @param bytes on disk
   * @param heapBytes of what lies in memory whole: the house model's conditions; codes are mapped
   * @param seconds it takes
   */
  public record Coding(
      double audioSeconds,
      double audioSecondsPerSecond,
      long bytes,
      long heapBytes,
      double seconds) {}

  /**
   * Memory of the process.
   *
   * @param residentBytes now, after a step of each stage
   * @param neededBytes at most: the highest so far, a copy of a checkpoint, all codes
   * @param availableBytes what the system could give in all
   * @param heapBytesMax the Java heap's limit
   */
  public record Memory(
      long residentBytes, long neededBytes, long availableBytes, long heapBytesMax) {}

  /**
   * Room for the run folder.
   *
   * @param neededBytes checkpoints that are kept and the one being written, codes, the model
   * @param availableBytes where the run folder would be
   */
  public record Disk(long neededBytes, long availableBytes) {}
}
