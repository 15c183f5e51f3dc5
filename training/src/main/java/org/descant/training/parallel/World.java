package org.descant.training.parallel;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A process's place among those that train together, as the environment tells it: the variables of
 * torchrun, which Slurm, Kubernetes' training operator, Vertex AI, SageMaker and Azure ML set for
 * such jobs.
 *
 * @param rank of this process, 0 to size − 1
 * @param size processes in all
 * @param localRank among the processes of this machine
 * @param localSize processes of this machine
 * @param masterAddress where the store is
 * @param masterPort of the store
 * @param generation how often the group was started again
 * @param hostsStore whether this process hosts the store: rank 0, unless a launcher does
 */
public record World(
    int rank,
    int size,
    int localRank,
    int localSize,
    String masterAddress,
    int masterPort,
    int generation,
    boolean hostsStore) {
  private static final String RANK = "RANK";
  private static final String SIZE = "WORLD_SIZE";
  private static final String LOCAL_RANK = "LOCAL_RANK";
  private static final String LOCAL_SIZE = "LOCAL_WORLD_SIZE";
  private static final String ADDRESS = "MASTER_ADDR";
  private static final String PORT = "MASTER_PORT";
  private static final String RESTARTS = "TORCHELASTIC_RESTART_COUNT";
  private static final String AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE";

  /** More processes than any cluster that this was thought for. */
  private static final int SIZE_MAX = 1 << 16;

  public World {
    require(size >= 1 && size <= SIZE_MAX, SIZE, size, "1 to " + SIZE_MAX);
    require(rank >= 0 && rank < size, RANK, rank, "0 to " + (size - 1));
    require(localSize >= 1 && localSize <= size, LOCAL_SIZE, localSize, "1 to " + size);
    require(localRank >= 0 && localRank < localSize, LOCAL_RANK, localRank, "below " + localSize);
    require(!masterAddress.isBlank(), ADDRESS, masterAddress, "the host of rank 0");
    require(masterPort >= 1 && masterPort <= 0xffff, PORT, masterPort, "1 to 65535");
    require(generation >= 0, RESTARTS, generation, "0 or more");
  }

  /**
   * The place that the environment gives, or nothing for a process that trains alone.
   *
   * @throws ParallelException when a variable is missing or makes no sense
   */
  public static Optional<World> of(Map<String, String> environment) {
    @Nullable String size = environment.get(SIZE);
    if (size == null || number(SIZE, size) == 1) {
      return Optional.empty();
    }
    int ranks = number(SIZE, size);
    int rank = number(environment, RANK);
    int localSize = number(LOCAL_SIZE, environment.getOrDefault(LOCAL_SIZE, "1"));
    boolean launched = Boolean.parseBoolean(environment.getOrDefault(AGENT_STORE, "false"));
    return Optional.of(
        new World(
            rank,
            ranks,
            number(LOCAL_RANK, environment.getOrDefault(LOCAL_RANK, "0")),
            localSize,
            required(environment, ADDRESS),
            number(environment, PORT),
            number(RESTARTS, environment.getOrDefault(RESTARTS, "0")),
            rank == 0 && !launched));
  }

  /** The variables that make {@link #of} find this place. */
  public Map<String, String> toEnvironment() {
    var variables = new LinkedHashMap<String, String>();
    variables.put(RANK, String.valueOf(rank));
    variables.put(SIZE, String.valueOf(size));
    variables.put(LOCAL_RANK, String.valueOf(localRank));
    variables.put(LOCAL_SIZE, String.valueOf(localSize));
    variables.put(ADDRESS, masterAddress);
    variables.put(PORT, String.valueOf(masterPort));
    variables.put(RESTARTS, String.valueOf(generation));
    variables.put(AGENT_STORE, hostsStore ? "False" : "True");
    return variables;
  }

  private static String required(Map<String, String> environment, String name) {
    @Nullable String value = environment.get(name);
    if (value == null || value.isBlank()) {
      throw new ParallelException(
          "%s is set and %s is not; set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or none"
              .formatted(SIZE, name));
    }
    return value;
  }

  private static int number(Map<String, String> environment, String name) {
    return number(name, required(environment, name));
  }

  private static int number(String name, String text) {
    try {
      return Integer.parseInt(text.strip());
    } catch (NumberFormatException e) {
      throw new ParallelException(
          "the environment's %s is '%s', which is no whole number".formatted(name, text), e);
    }
  }

  private static void require(boolean holds, String name, Object value, String allowed) {
    if (!holds) {
      throw new ParallelException(
          "the environment's %s is %s; allowed: %s".formatted(name, value, allowed));
    }
  }
}
