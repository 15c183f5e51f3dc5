package org.descant.shards;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;

/**
 * One field of a dataset, mapped: values for every recording in the dataset's order, such as codec
 * tokens. It is {@code fields/NAME.dsf} in the dataset's folder, an {@link IndexedFile} whose
 * footer is {@code {"version":1,"root","field":{kind,type,width,madeBy},"records":[{offset,length,
 * isrc,decisionId,rulesHash,sha256},…]}}.
 *
 * <p>What was made of a recording has the rights of the recording: a field whose records do not
 * name the dataset's own decisions is refused, and a withdrawn recording's values are not given.
 * Safe for many threads until {@link #close}; it must be closed before its dataset is.
 */
public final class FieldFile implements AutoCloseable {
  static final int VERSION = 1;
  private static final String FOLDER = "fields";
  private static final String SUFFIX = ".dsf";
  private static final ValueLayout.OfChar CHAR_LE =
      ValueLayout.JAVA_CHAR_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT_LE =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final Dataset dataset;
  private final InUse use;
  private final IndexedFile file;
  private final FieldSpec spec;
  private final List<Entry> entries;

  private FieldFile(Path path, Dataset dataset, InUse use, IndexedFile file, Index index) {
    this.path = path;
    this.dataset = dataset;
    this.use = use;
    this.file = file;
    this.spec = index.field();
    this.entries = index.records();
  }

  /** Where a recording's values lie, and by which decision. */
  record Entry(
      long offset, long length, String isrc, String decisionId, String rulesHash, String sha256) {
    Entry {
      ShardEntry.requireRights(isrc, decisionId, rulesHash);
      ShardEntry.require(sha256.length() == 64, "sha256");
    }
  }

  record Index(int version, String root, FieldSpec field, List<Entry> records) {
    Index {
      records = List.copyOf(records);
    }
  }

  static Path pathOf(Dataset dataset, FieldSpec spec) {
    return pathOf(dataset.folder(), spec.name());
  }

  static Path pathOf(Path dataset, String name) {
    return folderOf(dataset).resolve(name + SUFFIX);
  }

  static Path folderOf(Path dataset) {
    return dataset.resolve(FOLDER);
  }

  static String nameOf(Path file) {
    String name = file.getFileName().toString();
    return name.substring(0, name.length() - SUFFIX.length());
  }

  /** The field files of a dataset, sorted. */
  static List<Path> all(Path dataset) {
    Path folder = folderOf(dataset);
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(SUFFIX)).sorted().toList();
    } catch (IOException e) {
      throw new ShardException("cannot list " + folder + ": " + e.getMessage(), e);
    }
  }

  static FieldFile open(Dataset dataset, Path path) {
    InUse use = InUse.reading(dataset.folder(), nameOf(path));
    IndexedFile file = null;
    boolean opened = false;
    try {
      file = IndexedFile.open(path, IndexedFile.Kind.FIELD, VERSION);
      Index index = index(path, file);
      compare(path, dataset, file, index);
      opened = true;
      return new FieldFile(path, dataset, use, file, index);
    } finally {
      if (!opened) {
        if (file != null) {
          file.close();
        }
        use.close();
      }
    }
  }

  /** What a file says that it is. */
  static FieldSpec specOf(Path path) {
    try (IndexedFile file = IndexedFile.open(path, IndexedFile.Kind.FIELD, VERSION)) {
      return index(path, file).field();
    }
  }

  private static Index index(Path path, IndexedFile file) {
    try {
      return Json.MAPPER.readValue(file.footer(), Index.class);
    } catch (JacksonException e) {
      throw new ShardException(
          "field file %s cannot be read: %s".formatted(path, Json.problem(e)), e);
    }
  }

  private static void compare(Path path, Dataset dataset, IndexedFile file, Index index) {
    boolean same =
        index.root().equals(dataset.manifest().root()) && index.records().size() == dataset.size();
    for (int i = 0; same && i < dataset.size(); i++) {
      Entry entry = index.records().get(i);
      ShardEntry sound = dataset.entry(i);
      same =
          entry.isrc().equals(sound.isrc())
              && entry.decisionId().equals(sound.decisionId())
              && entry.rulesHash().equals(sound.rulesHash());
    }
    if (!same) {
      throw new ShardException(
          "field file %s belongs to another dataset than %s; make the field again"
              .formatted(path, dataset.manifest().id()));
    }
    if (!path.equals(pathOf(dataset, index.field()))) {
      throw new ShardException(
          "field file %s holds field '%s'; give it its name".formatted(path, index.field().name()));
    }
    for (Entry entry : index.records()) {
      if (!file.holds(entry.offset(), entry.length())
          || entry.length() % index.field().rowBytes() != 0) {
        throw new ShardException(
            "field file %s is damaged: the values of recording %s are no whole rows in it"
                .formatted(path, entry.isrc()));
      }
    }
  }

  /** What it is. */
  public FieldSpec spec() {
    return spec;
  }

  /** Rows of a recording; none where it was withdrawn when the field was made. */
  public long rows(int recording) {
    return entries.get(recording).length() / spec.rowBytes();
  }

  /** Hash of a recording's values as the index has it. */
  String sha256(int recording) {
    return entries.get(recording).sha256();
  }

  private MemorySegment bytes(int recording, long fromRow, long rows, FieldType type) {
    if (spec.type() != type) {
      throw new ShardException(
          "field '%s' is %s, not %s".formatted(spec.name(), spec.type(), type));
    }
    dataset.requireLive(recording);
    Entry entry = entries.get(recording);
    if (fromRow < 0 || rows < 0 || fromRow > rows(recording) - rows) {
      throw new ShardException(
          "recording %s has %d rows of field '%s'; %d rows from %d are not in it"
              .formatted(entry.isrc(), rows(recording), spec.name(), rows, fromRow));
    }
    return file.bytes().asSlice(entry.offset() + fromRow * spec.rowBytes(), rows * spec.rowBytes());
  }

  /** Rows of U16, row by row; they are copied out of the map. */
  public int[] ints(int recording, long fromRow, int rows) {
    MemorySegment bytes = bytes(recording, fromRow, rows, FieldType.U16);
    int[] values = new int[Math.multiplyExact(rows, spec.width())];
    for (int i = 0; i < values.length; i++) {
      values[i] = bytes.getAtIndex(CHAR_LE, i);
    }
    return values;
  }

  /** Rows of F32, row by row; they are copied out of the map. */
  public float[] floats(int recording, long fromRow, int rows) {
    MemorySegment bytes = bytes(recording, fromRow, rows, FieldType.F32);
    float[] values = new float[Math.multiplyExact(rows, spec.width())];
    MemorySegment.copy(bytes, FLOAT_LE, 0, values, 0, values.length);
    return values;
  }

  /** The text of a recording. */
  public String text(int recording) {
    MemorySegment bytes = bytes(recording, 0, rows(recording), FieldType.TEXT);
    return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  /** Compares every recording's values with their hash. */
  public void verify() {
    for (Entry entry : entries) {
      byte[] values =
          file.bytes().asSlice(entry.offset(), entry.length()).toArray(ValueLayout.JAVA_BYTE);
      if (!Hashes.hex(Hashes.sha256(values)).equals(entry.sha256())) {
        throw new ShardException(
            "field file %s is damaged: recording %s has another hash; make the field again"
                .formatted(path, entry.isrc()));
      }
    }
  }

  @Override
  public void close() {
    file.close();
    use.close();
  }
}
