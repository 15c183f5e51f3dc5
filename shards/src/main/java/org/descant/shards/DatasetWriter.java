package org.descant.shards;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.audio.Pcm;
import org.descant.rights.Clearance;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Decision;
import org.descant.rights.Use;
import org.descant.storage.DiskSpace;
import org.descant.storage.StorageException;
import org.jspecify.annotations.Nullable;

/**
 * Packs cleared recordings into a dataset folder. All sound is brought to {@value #SAMPLE_RATE} Hz
 * and 16 bits. Stateless.
 *
 * <p>Everything is written into a folder beside the target that is renamed at the end. What a
 * killed writer left there is removed by the next one.
 */
public final class DatasetWriter {
  public static final int SAMPLE_RATE = 44_100;

  /** A shard is closed when it has grown past this: small enough to move, large enough to map. */
  static final long SHARD_BYTES_MAX = 1L << 30;

  private DatasetWriter() {}

  /**
   * Writes a dataset.
   *
   * <p>A folder that already holds a dataset of the same root is left as it is.
   *
   * @param folder that will appear
   * @param name of the dataset, small letters, digits, dots and dashes
   * @param use that all decisions are about
   * @param sources recordings that are in; at least one
   * @param refused recordings that were asked about and are out
   * @param clearance asked again for each recording just before it is packed
   * @throws org.descant.rights.ConsentWithdrawnException when a consent fell since it was cleared
   * @throws ShardException when a sound is not the one that was cleared, a permission is for
   *     another use, a recording or its sound comes twice, the folder holds another dataset, or the
   *     disk fails
   */
  public static Manifest write(
      Path folder,
      String name,
      Use use,
      List<DatasetSource> sources,
      List<Refusal> refused,
      Clearance clearance) {
    return write(folder, name, use, sources, refused, clearance, Packing.PCM16);
  }

  /** As above, with the sound packed in another way; the root is the same. */
  public static Manifest write(
      Path folder,
      String name,
      Use use,
      List<DatasetSource> sources,
      List<Refusal> refused,
      Clearance clearance,
      Packing packing) {
    List<DatasetSource> sorted = check(use, sources, refused);
    List<Manifest.Excluded> excluded = refused.stream().map(DatasetWriter::excluded).toList();
    if (Files.isDirectory(folder)) {
      return existing(folder, rootOf(use, sources, refused));
    }
    Path aside =
        folder.resolveSibling(
            ".%s.%d.tmp".formatted(folder.getFileName(), ProcessHandle.current().pid()));
    try {
      Path parent = folder.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
        removeLeftovers(parent, folder);
      }
      Files.createDirectory(aside);
      Manifest manifest = pack(aside, name, use, sorted, excluded, clearance, packing);
      writeSynced(aside.resolve(Manifest.FILE), manifest.toJson());
      Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
      return manifest;
    } catch (IOException e) {
      throw new ShardException(
          "cannot write dataset '%s' to %s: %s".formatted(name, folder, e.getMessage()), e);
    } catch (StorageException e) {
      throw new ShardException(String.valueOf(e.getMessage()), e);
    } finally {
      remove(aside);
    }
  }

  /** The root that {@link #write} would give, without reading any sound. */
  public static String rootOf(Use use, List<DatasetSource> sources, List<Refusal> refused) {
    return Manifest.rootOf(
        use,
        check(use, sources, refused).stream().map(s -> included(s.cleared(), "", 0, 0, 0)).toList(),
        refused.stream().map(DatasetWriter::excluded).toList());
  }

  private static List<DatasetSource> check(
      Use use, List<DatasetSource> sources, List<Refusal> refused) {
    if (sources.isEmpty()) {
      throw new ShardException(
          "no recording is cleared for %s, so there is nothing to pack; see 'descant rights decide'"
              .formatted(use));
    }
    var isrcByHash = new HashMap<String, String>();
    for (DatasetSource source : sources) {
      ClearedRecording cleared = source.cleared();
      if (cleared.use() != use) {
        throw new ShardException(
            "recording %s is cleared for %s, not for %s"
                .formatted(cleared.isrc(), cleared.use(), use));
      }
      String same = isrcByHash.put(cleared.pcmHash(), isrc(cleared));
      if (same != null) {
        throw new ShardException(
            "recordings %s and %s hold the same sound; leave one of them out"
                .formatted(same, isrc(cleared)));
      }
    }
    for (Refusal refusal : refused) {
      Decision decision = refusal.decision();
      if (decision.use() != use) {
        throw new ShardException(
            "decision %s on recording %s is about %s, not %s"
                .formatted(decision.id(), decision.isrc(), decision.use(), use));
      }
    }
    return sources.stream().sorted(Comparator.comparing(s -> isrc(s.cleared()))).toList();
  }

  private static Manifest existing(Path folder, String root) {
    Manifest there = Manifest.read(folder);
    if (!there.root().equals(root)) {
      throw new ShardException(
          ("%s already holds dataset '%s' with another root (%s, now %s); a dataset never changes,"
                  + " so choose another name")
              .formatted(
                  folder, there.name(), there.root().substring(0, 12), root.substring(0, 12)));
    }
    return there;
  }

  private static Manifest pack(
      Path folder,
      String name,
      Use use,
      List<DatasetSource> sources,
      List<Manifest.Excluded> excluded,
      Clearance clearance,
      Packing packing)
      throws IOException {
    var included = new ArrayList<Manifest.Included>();
    var shards = new ArrayList<Manifest.ShardInfo>();
    int next = 0;
    while (next < sources.size()) {
      int shard = shards.size();
      Path file = folder.resolve("shard-%05d.dsc".formatted(shard));
      Path fieldsFile = folder.resolve("shard-%05d.fields.jsonl".formatted(shard));
      var fields = new StringBuilder();
      try (var writer = new ShardFile.Writer(file, packing)) {
        for (int record = 0;
            next < sources.size() && (record == 0 || writer.size() < SHARD_BYTES_MAX);
            record++, next++) {
          DatasetSource source = sources.get(next);
          ClearedRecording cleared = source.cleared();
          clearance.recheck(cleared);
          Pcm pcm = load(source).resampled(SAMPLE_RATE);
          DiskSpace.require(
              folder,
              (long) pcm.frames() * pcm.channelCount() * Short.BYTES,
              "dataset '" + name + "'");
          writer.add(
              pcm, isrc(cleared), cleared.decisionId(), cleared.rulesHash(), cleared.pcmHash());
          fields.append(fieldsLine(source));
          included.add(included(cleared, source.artist(), pcm.seconds(), shard, record));
        }
        writer.finish();
      }
      writeSynced(fieldsFile, fields.toString().getBytes(StandardCharsets.UTF_8));
      shards.add(
          new Manifest.ShardInfo(
              file.getFileName().toString(),
              Files.size(file),
              Hashes.hexOf(file),
              fieldsFile.getFileName().toString(),
              Hashes.hexOf(fieldsFile)));
    }
    return Manifest.of(name, use, included, excluded, shards);
  }

  private static Pcm load(DatasetSource source) {
    ClearedRecording cleared = source.cleared();
    Pcm pcm = source.sound().load();
    if (pcm.channelCount() > ShardEntry.CHANNELS_MAX) {
      throw new ShardException(
          "recording %s has %d channels; a dataset holds mono and stereo"
              .formatted(cleared.isrc(), pcm.channelCount()));
    }
    String hash = pcm.hash();
    if (!hash.equals(cleared.pcmHash())) {
      throw new ShardException(
          ("the sound of recording %s is not the one that was cleared (hash %s, cleared %s); import"
                  + " the recording again")
              .formatted(cleared.isrc(), hash.substring(0, 12), cleared.pcmHash()));
    }
    return pcm;
  }

  private static String fieldsLine(DatasetSource source) {
    var annotations = source.annotations();
    var fields =
        new Fields(
            isrc(source.cleared()),
            source.title(),
            source.artist(),
            source.tags(),
            source.text(),
            annotations == null ? null : Json.MAPPER.readTree(annotations.toJams()));
    return Json.MAPPER.writeValueAsString(fields) + "\n";
  }

  private static Manifest.Included included(
      ClearedRecording cleared, String artist, double seconds, int shard, int record) {
    return new Manifest.Included(
        isrc(cleared),
        artist,
        cleared.pcmHash(),
        cleared.decisionId(),
        cleared.rulesHash(),
        seconds,
        shard,
        record);
  }

  private static Manifest.Excluded excluded(Refusal refusal) {
    Decision decision = refusal.decision();
    return new Manifest.Excluded(
        decision.isrc().value(),
        refusal.pcmHash() == null ? Manifest.NO_SOUND : refusal.pcmHash(),
        decision.id(),
        decision.rulesHash(),
        decision.reasons().stream()
            .map(r -> new Manifest.Reason(r.code().name(), r.sentence(), r.evidenceIds()))
            .toList());
  }

  private static String isrc(ClearedRecording cleared) {
    return cleared.isrc().value();
  }

  private static void writeSynced(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  /** Removes what writers of this folder left behind that are no longer alive. */
  private static void removeLeftovers(Path parent, Path folder) throws IOException {
    Pattern leftover =
        Pattern.compile(
            "\\." + Pattern.quote(folder.getFileName().toString()) + "\\.([0-9]+)\\.tmp");
    try (var children = Files.list(parent)) {
      for (Path child : children.toList()) {
        Matcher matcher = leftover.matcher(child.getFileName().toString());
        if (matcher.matches()) {
          long pid = Long.parseLong(matcher.group(1));
          if (pid == ProcessHandle.current().pid() || ProcessHandle.of(pid).isEmpty()) {
            remove(child);
          }
        }
      }
    }
  }

  private static void remove(@Nullable Path folder) {
    if (folder == null || !Files.isDirectory(folder)) {
      return;
    }
    try (var tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new ShardException("cannot remove " + folder + ": " + e.getMessage(), e);
    }
  }
}
