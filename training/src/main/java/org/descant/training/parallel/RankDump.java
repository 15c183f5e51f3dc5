package org.descant.training.parallel;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * What one rank knew when something stood still: {@code ranks/<rank>/collectives.json} of the run
 * folder. Written aside and renamed.
 *
 * @param version of this format
 * @param generation how often the group had been started again
 * @param reason why it was written
 * @param at when it was written
 * @param step that the rank was in
 * @param stack of the training thread, innermost call first
 * @param collectives oldest first
 */
record RankDump(
    int version,
    int rank,
    int size,
    int generation,
    String host,
    long pid,
    String reason,
    Instant at,
    long step,
    List<String> stack,
    List<CollectiveRing.Entry> collectives) {
  static final int VERSION = 1;
  private static final String FOLDER = "ranks";
  private static final String FILE = "collectives.json";
  private static final long BYTES_MAX = 64L << 20;
  private static final JsonMapper JSON = new JsonMapper();

  RankDump {
    stack = List.copyOf(stack);
    collectives = List.copyOf(collectives);
  }

  static Path file(Path run, int rank) {
    return run.resolve(FOLDER).resolve(String.valueOf(rank)).resolve(FILE);
  }

  void write(Path run) throws IOException {
    Path file = file(run, rank);
    Files.createDirectories(file.getParent());
    Path aside = file.resolveSibling(FILE + ".tmp");
    ByteBuffer bytes =
        ByteBuffer.wrap(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(this));
    try (FileChannel channel =
        FileChannel.open(
            aside,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /**
   * The dumps of a run's last generation that left any, by rank.
   *
   * @throws ParallelException when one cannot be read
   */
  static List<RankDump> latest(Path run) {
    Path folder = run.resolve(FOLDER);
    var dumps = new ArrayList<RankDump>();
    if (Files.isDirectory(folder)) {
      try (Stream<Path> ranks = Files.list(folder)) {
        for (Path rank : ranks.toList()) {
          Path file = rank.resolve(FILE);
          if (Files.isRegularFile(file)) {
            dumps.add(read(file));
          }
        }
      } catch (IOException e) {
        throw new ParallelException("cannot list " + folder + ": " + e.getMessage(), e);
      }
    }
    int generation = dumps.stream().mapToInt(RankDump::generation).max().orElse(0);
    return dumps.stream()
        .filter(dump -> dump.generation == generation)
        .sorted(Comparator.comparingInt(RankDump::rank))
        .toList();
  }

  private static RankDump read(Path file) {
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new ParallelException(file + " is larger than any dump; remove it");
      }
      RankDump dump = JSON.readValue(Files.readAllBytes(file), RankDump.class);
      if (dump.version != VERSION) {
        throw new ParallelException(
            "%s has format %d, this program reads %d".formatted(file, dump.version, VERSION));
      }
      return dump;
    } catch (IOException | JacksonException e) {
      throw new ParallelException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }
}
