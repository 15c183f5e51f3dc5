package org.descant.shards;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.descant.storage.DiskSpace;
import org.descant.storage.StorageException;
import org.descant.storage.WriteAside;

/**
 * Makes one field of a dataset. The values of each recording are put into a folder of the maker's
 * own, in any order, by one process or by several that share the folder, and stay there when a
 * process is killed; {@link #finish} joins them in the dataset's order into the field, which
 * appears whole or not at all. Two makers of the same field do not disturb each other: whoever is
 * second finds it there, and fails if what he made is not the same.
 */
public final class FieldWriter {
  private final Dataset dataset;
  private final FieldSpec spec;
  private final Path parts;

  /**
   * @param dataset stays open and belongs to the caller
   * @param workplace folder of the maker; what lies there of this field is gone on with
   */
  public FieldWriter(Dataset dataset, FieldSpec spec, Path workplace) {
    this.dataset = dataset;
    this.spec = spec;
    this.parts = workplace.resolve(spec.name());
  }

  /** Whether a recording has its values, maybe from a process before. */
  public boolean has(int recording) {
    return Files.exists(part(recording));
  }

  private Path part(int recording) {
    return parts.resolve(dataset.isrc(recording));
  }

  /** Puts a recording's rows of U16, row by row. */
  public void put(int recording, int[] values) {
    ByteBuffer bytes = room(recording, values.length, FieldType.U16);
    for (int value : values) {
      if ((char) value != value) {
        throw new ShardException(
            "field '%s' is %s, which does not hold %d".formatted(spec.name(), spec.type(), value));
      }
      bytes.putShort((short) value);
    }
    write(recording, bytes.array());
  }

  /** Puts a recording's rows of F32, row by row. */
  public void put(int recording, float[] values) {
    ByteBuffer bytes = room(recording, values.length, FieldType.F32);
    bytes.asFloatBuffer().put(values);
    write(recording, bytes.array());
  }

  /** Puts the text of a recording. */
  public void put(int recording, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    write(recording, room(recording, bytes.length, FieldType.TEXT).put(bytes).array());
  }

  private ByteBuffer room(int recording, int values, FieldType type) {
    if (spec.type() != type) {
      throw new ShardException(
          "field '%s' is %s, not %s".formatted(spec.name(), spec.type(), type));
    }
    long bytes = (long) values * type.bytes();
    if (values % spec.width() != 0 || bytes > Integer.MAX_VALUE) {
      throw new ShardException(
          "field '%s' of recording %s has %d values; whole rows of %d and at most 2 GB are kept"
              .formatted(spec.name(), dataset.isrc(recording), values, spec.width()));
    }
    return ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void write(int recording, byte[] bytes) {
    dataset.requireLive(recording);
    try {
      WriteAside.write(part(recording), out -> out.write(bytes));
    } catch (StorageException e) {
      throw new ShardException(String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * Makes the field appear, or compares what was put with the field that is there already; then
   * removes what was put. A withdrawn recording has no values in it. For one process, after all
   * have put theirs.
   *
   * @throws ShardException when a recording that is not withdrawn has no values yet, the field that
   *     is there has others, or the disk fails
   */
  public void finish() {
    Path target = FieldFile.pathOf(dataset, spec);
    try {
      if (dataset.hasField(spec)) {
        compare();
      } else {
        join(target);
      }
      remove();
    } catch (StorageException e) {
      throw new ShardException(String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      throw new ShardException("cannot write field file " + target + ": " + e.getMessage(), e);
    }
  }

  private void compare() throws IOException {
    try (FieldFile there = dataset.field(spec)) {
      for (int recording = 0; recording < dataset.size(); recording++) {
        if (!dataset.withdrawn(recording)
            && has(recording)
            && !there.sha256(recording).equals(Hashes.hexOf(part(recording)))) {
          throw new ShardException(
              ("field '%s' has other values of recording %s than were made now, by what has the"
                      + " same name; verify the dataset, and remove the field's file")
                  .formatted(spec.name(), dataset.isrc(recording)));
        }
      }
    }
  }

  private void join(Path target) throws IOException {
    Files.createDirectories(target.resolveSibling("."));
    // One name for each workplace, so that what was cut off here is written over next time.
    String maker = Hashes.hexOf(parts.toAbsolutePath().toString()).substring(0, 12);
    Path aside = target.resolveSibling(".%s.%s.tmp".formatted(target.getFileName(), maker));
    Files.deleteIfExists(aside);
    var entries = new ArrayList<FieldFile.Entry>();
    try (var file = new IndexedFile.Writer(aside, IndexedFile.Kind.FIELD, FieldFile.VERSION)) {
      for (int recording = 0; recording < dataset.size(); recording++) {
        byte[] bytes = values(recording);
        DiskSpace.require(dataset.folder(), bytes.length, "field '" + spec.name() + "'");
        ShardEntry sound = dataset.entry(recording);
        entries.add(
            new FieldFile.Entry(
                file.add(ByteBuffer.wrap(bytes)),
                bytes.length,
                sound.isrc(),
                sound.decisionId(),
                sound.rulesHash(),
                Hashes.hex(Hashes.sha256(bytes))));
      }
      file.finish(
          Json.MAPPER.writeValueAsBytes(
              new FieldFile.Index(FieldFile.VERSION, dataset.manifest().root(), spec, entries)));
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(aside);
    }
  }

  private byte[] values(int recording) throws IOException {
    if (dataset.withdrawn(recording)) {
      return new byte[0];
    }
    if (!has(recording)) {
      throw new ShardException(
          "field '%s' has no values for recording %s yet; put them before the end"
              .formatted(spec.name(), dataset.isrc(recording)));
    }
    return Files.readAllBytes(part(recording));
  }

  private void remove() throws IOException {
    if (!Files.isDirectory(parts)) {
      return;
    }
    List<Path> files;
    try (var children = Files.list(parts)) {
      files = children.toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
    Files.delete(parts);
  }
}
