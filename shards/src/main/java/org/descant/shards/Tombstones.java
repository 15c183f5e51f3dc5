package org.descant.shards;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.descant.rights.Decision;
import org.descant.storage.WriteAside;
import tools.jackson.core.JacksonException;

/** The withdrawals of one dataset folder. The file only grows; the manifest never changes. */
final class Tombstones {
  static final String FILE = "tombstones.jsonl";

  private Tombstones() {}

  /**
   * The withdrawals so far, oldest first.
   *
   * @throws ShardException when the chain is broken or names a recording that is not in the dataset
   */
  static List<Tombstone> read(Path folder, Manifest manifest) {
    Path file = folder.resolve(FILE);
    var tombstones = new ArrayList<Tombstone>();
    if (!Files.exists(file)) {
      return tombstones;
    }
    Set<String> held =
        manifest.included().stream().map(Manifest.Included::isrc).collect(Collectors.toSet());
    var seen = new HashSet<String>();
    String after = manifest.root();
    try {
      for (String line : Files.readAllLines(file)) {
        Tombstone tombstone = Json.MAPPER.readValue(line, Tombstone.class);
        if (tombstone.number() != tombstones.size() + 1
            || !after.equals(tombstone.after())
            || !held.contains(tombstone.isrc())
            || !seen.add(tombstone.isrc())) {
          throw new ShardException(
              "%s is damaged: line %d does not follow from what is before it; restore the file"
                  .formatted(file, tombstones.size() + 1));
        }
        tombstones.add(tombstone);
        after = tombstone.chain();
      }
      return tombstones;
    } catch (IOException e) {
      throw new ShardException("cannot read " + file + ": " + e.getMessage(), e);
    } catch (JacksonException e) {
      throw new ShardException("cannot read " + file + ": " + Json.problem(e), e);
    }
  }

  /** Changes whenever the withdrawals do: the file only grows, and each writing replaces it. */
  static String stamp(Path folder) {
    try {
      var of = Files.readAttributes(folder.resolve(FILE), BasicFileAttributes.class);
      return of.size() + " " + of.lastModifiedTime() + " " + of.fileKey();
    } catch (NoSuchFileException e) {
      return "";
    } catch (IOException e) {
      throw new ShardException("cannot look at %s: %s".formatted(folder, e.getMessage()), e);
    }
  }

  /** Adds a withdrawal unless it is there; processes that do so at once take turns. */
  static synchronized Tombstone add(Path folder, Decision refusal) {
    Manifest manifest = Manifest.read(folder);
    if (refusal.allowed() || refusal.use() != manifest.use()) {
      throw new ShardException(
          "decision %s does not refuse %s for recording %s, so nothing is withdrawn"
              .formatted(refusal.id(), manifest.use(), refusal.isrc()));
    }
    String isrc = refusal.isrc().value();
    if (manifest.included().stream().noneMatch(included -> included.isrc().equals(isrc))) {
      throw new ShardException(
          "recording %s is not in dataset %s; 'descant dataset show' lists what is"
              .formatted(isrc, manifest.id()));
    }
    try (FileChannel channel =
            FileChannel.open(
                folder.resolve("." + FILE + ".lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock _ = channel.lock()) {
      List<Tombstone> tombstones = read(folder, manifest);
      for (Tombstone tombstone : tombstones) {
        if (tombstone.isrc().equals(isrc)) {
          return tombstone;
        }
      }
      var added =
          new Tombstone(
              tombstones.size() + 1,
              isrc,
              refusal.id(),
              refusal.rulesHash(),
              refusal.reasons().stream().map(reason -> reason.sentence()).toList(),
              tombstones.isEmpty() ? manifest.root() : tombstones.getLast().chain());
      tombstones.add(added);
      WriteAside.write(
          folder.resolve(FILE),
          tombstones.stream()
              .map(tombstone -> Json.MAPPER.writeValueAsString(tombstone) + "\n")
              .collect(Collectors.joining()));
      return added;
    } catch (IOException e) {
      throw new ShardException(
          "cannot write the withdrawal of %s to %s: %s".formatted(isrc, folder, e.getMessage()), e);
    }
  }
}
