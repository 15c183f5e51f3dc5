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

/**
 * Writes one field of a dataset: the values of every recording, in the dataset's order. The file
 * appears whole, with {@link #finish}, or not at all. A field never changes: another version of it
 * is another name. One thread.
 */
public final class FieldWriter implements AutoCloseable {
  private final Dataset dataset;
  private final FieldSpec spec;
  private final Path target;
  private final Path aside;
  private final IndexedFile.Writer file;
  private final List<FieldFile.Entry> entries = new ArrayList<>();
  private boolean closed;

  private FieldWriter(Dataset dataset, FieldSpec spec, Path target, Path aside) throws IOException {
    this.dataset = dataset;
    this.spec = spec;
    this.target = target;
    this.aside = aside;
    this.file = new IndexedFile.Writer(aside, IndexedFile.Kind.FIELD, FieldFile.VERSION);
  }

  /**
   * Begins a field.
   *
   * @throws ShardException when the dataset has a field of this name, or the disk fails
   */
  public static FieldWriter create(Dataset dataset, FieldSpec spec) {
    Path target = FieldFile.pathOf(dataset.folder(), spec.name());
    if (Files.exists(target)) {
      throw new ShardException(
          "dataset %s has a field '%s' already; choose another name"
              .formatted(dataset.manifest().id(), spec.name()));
    }
    Path aside =
        target.resolveSibling(
            ".%s.%d.tmp".formatted(target.getFileName(), ProcessHandle.current().pid()));
    try {
      Files.createDirectories(target.resolveSibling("."));
      Files.deleteIfExists(aside);
      return new FieldWriter(dataset, spec, target, aside);
    } catch (IOException e) {
      throw new ShardException("cannot write field file " + target + ": " + e.getMessage(), e);
    }
  }

  /** The recording whose values come next. */
  public int next() {
    return entries.size();
  }

  /** Rows of whole numbers that fit the field's type, row by row. */
  public void add(int... values) {
    ByteBuffer bytes = room(values.length);
    for (int value : values) {
      boolean fits =
          switch (spec.type()) {
            case U8 -> (value & 0xFF) == value;
            case I16 -> (short) value == value;
            case I32 -> true;
            default -> throw wrongType("int");
          };
      if (!fits) {
        throw new ShardException(
            "field '%s' is %s, which does not hold %d".formatted(spec.name(), spec.type(), value));
      }
      switch (spec.type().bytes()) {
        case 1 -> bytes.put((byte) value);
        case 2 -> bytes.putShort((short) value);
        default -> bytes.putInt(value);
      }
    }
    add(bytes.flip());
  }

  /** Rows of I64, row by row. */
  public void add(long[] values) {
    if (spec.type() != FieldType.I64) {
      throw wrongType("long");
    }
    ByteBuffer bytes = room(values.length);
    for (long value : values) {
      bytes.putLong(value);
    }
    add(bytes.flip());
  }

  /** Rows of F32, row by row. */
  public void add(float[] values) {
    if (spec.type() != FieldType.F32) {
      throw wrongType("float");
    }
    ByteBuffer bytes = room(values.length);
    for (float value : values) {
      bytes.putFloat(value);
    }
    add(bytes.flip());
  }

  /** The text of a recording. */
  public void add(String text) {
    if (spec.type() != FieldType.TEXT) {
      throw wrongType("text");
    }
    add(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  /** A recording without values, as one that is withdrawn must be. */
  public void addNothing() {
    add(ByteBuffer.allocate(0));
  }

  private ByteBuffer room(int values) {
    long bytes = (long) values * spec.type().bytes();
    if (bytes > Integer.MAX_VALUE) {
      throw new ShardException(
          "field '%s' of one recording has %d bytes; at most %d are kept"
              .formatted(spec.name(), bytes, Integer.MAX_VALUE));
    }
    return ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void add(ByteBuffer values) {
    if (next() >= dataset.size()) {
      throw new ShardException(
          "dataset %s has %d recordings; field '%s' has values for more"
              .formatted(dataset.manifest().id(), dataset.size(), spec.name()));
    }
    ShardEntry sound = dataset.entry(next());
    if (values.remaining() % spec.rowBytes() != 0) {
      throw new ShardException(
          "field '%s' of recording %s has %d bytes, which are no whole rows of %d"
              .formatted(spec.name(), sound.isrc(), values.remaining(), spec.rowBytes()));
    }
    if (values.hasRemaining() && dataset.withdrawn(next())) {
      throw new ShardException(
          "recording %s was withdrawn; nothing is made of it any more".formatted(sound.isrc()));
    }
    byte[] bytes = new byte[values.remaining()];
    values.get(bytes);
    try {
      entries.add(
          new FieldFile.Entry(
              file.add(ByteBuffer.wrap(bytes)),
              bytes.length,
              sound.isrc(),
              sound.decisionId(),
              sound.rulesHash(),
              Hashes.hex(Hashes.sha256(bytes))));
    } catch (IOException e) {
      throw new ShardException("cannot write field file " + target + ": " + e.getMessage(), e);
    }
  }

  private ShardException wrongType(String given) {
    return new ShardException(
        "field '%s' is %s, not %s".formatted(spec.name(), spec.type(), given));
  }

  /**
   * Makes the field appear.
   *
   * @throws ShardException when a recording has no values yet, or the disk fails
   */
  public void finish() {
    if (next() != dataset.size()) {
      throw new ShardException(
          "dataset %s has %d recordings; field '%s' has values for %d"
              .formatted(dataset.manifest().id(), dataset.size(), spec.name(), next()));
    }
    try {
      file.finish(
          Json.MAPPER.writeValueAsBytes(
              new FieldFile.Index(FieldFile.VERSION, dataset.manifest().root(), spec, entries)));
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new ShardException("cannot write field file " + target + ": " + e.getMessage(), e);
    }
  }

  /** Without {@link #finish}, what was written is removed. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      file.close();
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      throw new ShardException("cannot close field file " + target + ": " + e.getMessage(), e);
    }
  }
}
