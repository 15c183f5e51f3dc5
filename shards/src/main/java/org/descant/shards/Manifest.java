package org.descant.shards;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.descant.rights.Use;
import tools.jackson.core.JacksonException;

/**
 * What a dataset holds, what was left out and why.
 *
 * <p>The root is the lower-case hex SHA-256 of this text in ASCII, fields parted by one tab, each
 * line ended by one line feed, the lines after the first sorted by ISRC:
 *
 * <pre>
 * descant-dataset/1 TAB use
 * isrc TAB pcmHash TAB use TAB allowed|refused TAB rulesHash      for each recording asked about
 * </pre>
 *
 * A refused recording whose sound nobody delivered has {@code -} for its hash. There is no clock,
 * no random id and no name in it: the same catalogue under the same agreements has the same root in
 * every home.
 *
 * @param version of this format, {@value #VERSION}
 * @param id name and start of the root
 * @param name of the dataset
 * @param use that every decision was about
 * @param root as above
 * @param included recordings in the order they lie in the shards
 * @param excluded recordings asked about and refused, with reasons, by ISRC
 * @param shards the files, with the hashes that {@link Dataset#verify} compares
 */
public record Manifest(
    int version,
    String id,
    String name,
    Use use,
    String root,
    List<Included> included,
    List<Excluded> excluded,
    List<ShardInfo> shards) {

  public static final int VERSION = 1;

  static final String FILE = "manifest.json";
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,63}");
  private static final Pattern ISRC = Pattern.compile("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}");
  private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");
  static final String NO_SOUND = "-";
  private static final int ID_ROOT_DIGITS = 12;

  /**
   * A recording in the dataset.
   *
   * @param isrc compact
   * @param artist display name
   * @param pcmHash of the sound that was cleared
   * @param decisionId that let it in
   * @param rulesHash hash of the agreements and choices that decided
   * @param seconds it lasts
   * @param shard index into {@link Manifest#shards}
   * @param record index in that shard
   */
  public record Included(
      String isrc,
      String artist,
      String pcmHash,
      String decisionId,
      String rulesHash,
      double seconds,
      int shard,
      int record) {}

  /** A recording that was refused; {@code pcmHash} is {@code -} when there is no sound. */
  public record Excluded(
      String isrc, String pcmHash, String decisionId, String rulesHash, List<Reason> reasons) {
    public Excluded {
      reasons = List.copyOf(reasons);
    }
  }

  /** Why a recording was refused: a code for programs, a sentence for people, and the evidence. */
  public record Reason(String code, String sentence, List<String> evidenceIds) {
    public Reason {
      evidenceIds = List.copyOf(evidenceIds);
    }
  }

  /** A shard and its field file. */
  public record ShardInfo(
      String file, long bytes, String sha256, String fieldsFile, String fieldsSha256) {}

  public Manifest {
    if (version != VERSION) {
      throw new ShardException(
          "the manifest has version %d; this build reads version %d".formatted(version, VERSION));
    }
    if (!NAME.matcher(name).matches()) {
      throw new ShardException(
          "a dataset's name is up to 64 small letters, digits, dots and dashes, was '%s'"
              .formatted(name));
    }
    included = List.copyOf(included);
    excluded = excluded.stream().sorted(Comparator.comparing(Excluded::isrc)).toList();
    shards = List.copyOf(shards);
    if (!root.equals(rootOf(use, included, excluded))) {
      throw new ShardException(
          "the manifest of '%s' is damaged: its root does not follow from its lines"
              .formatted(name));
    }
    if (!id.equals(idOf(name, root))) {
      throw new ShardException("the manifest of '%s' has a wrong id: %s".formatted(name, id));
    }
  }

  static Manifest of(
      String name,
      Use use,
      List<Included> included,
      List<Excluded> excluded,
      List<ShardInfo> shards) {
    String root = rootOf(use, included, excluded);
    return new Manifest(VERSION, idOf(name, root), name, use, root, included, excluded, shards);
  }

  private static String idOf(String name, String root) {
    return name + "-" + root.substring(0, ID_ROOT_DIGITS);
  }

  /** Seconds of sound in the dataset. */
  public double seconds() {
    return included.stream().mapToDouble(Included::seconds).sum();
  }

  /** The root of a dataset with these recordings; independent of their order. */
  static String rootOf(Use use, List<Included> included, List<Excluded> excluded) {
    var text = new StringBuilder("descant-dataset/" + VERSION + "\t" + use + "\n");
    var seen = new HashSet<String>();
    Stream.concat(
            included.stream().map(i -> line(i.isrc(), i.pcmHash(), use, "allowed", i.rulesHash())),
            excluded.stream().map(e -> line(e.isrc(), e.pcmHash(), use, "refused", e.rulesHash())))
        .sorted()
        .forEach(line -> {
          String isrc = line.substring(0, line.indexOf('\t'));
          if (!seen.add(isrc)) {
            throw new ShardException(
                "recording %s is in the dataset twice; name each recording once".formatted(isrc));
          }
          text.append(line);
        });
    return Hashes.hexOf(text.toString());
  }

  private static String line(
      String isrc, String pcmHash, Use use, String result, String rulesHash) {
    if (!ISRC.matcher(isrc).matches()) {
      throw new ShardException("'%s' is not a compact ISRC".formatted(isrc));
    }
    if (!HASH.matcher(pcmHash).matches() && !pcmHash.equals(NO_SOUND)) {
      throw new ShardException("recording %s has no hash of its sound".formatted(isrc));
    }
    if (!HASH.matcher(rulesHash).matches()) {
      throw new ShardException("recording %s lacks the hash of its rules".formatted(isrc));
    }
    return String.join("\t", isrc, pcmHash, use.name(), result, rulesHash) + "\n";
  }

  byte[] toJson() {
    return Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(this);
  }

  /**
   * Reads the manifest of a dataset folder.
   *
   * @throws ShardException when it is missing, damaged, or its root does not follow from its lines
   */
  public static Manifest read(Path folder) {
    Path file = folder.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new ShardException(
          "%s is no dataset: it has no %s; make one with 'descant dataset build'"
              .formatted(folder, FILE));
    }
    return parse(file);
  }

  static Manifest parse(Path file) {
    try {
      return Json.MAPPER.readValue(Files.readAllBytes(file), Manifest.class);
    } catch (IOException e) {
      throw new ShardException("cannot read " + file + ": " + e.getMessage(), e);
    } catch (JacksonException e) {
      throw new ShardException("cannot read " + file + ": " + Json.problem(e), e);
    }
  }
}
